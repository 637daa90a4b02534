package app

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/seed-49a43567/switchboard/store"
)

// readSecretFiles reads the secrets that are in files, as Docker and Kubernetes mount them, into
// their settings. Reading them again does nothing.
func (c *Config) readSecretFiles() error {
	return errors.Join(
		readSecretFile("SWITCHBOARD_DATABASE_URL", &c.DatabaseURL, &c.DatabaseURLFile),
		readSecretFile(store.KeyringVariable, &c.EncryptionKey, &c.EncryptionKeyFile),
	)
}

func readSecretFile(variable string, secret, file *string) error {
	if *file == "" {
		return nil
	}
	if *secret != "" {
		return fmt.Errorf("%[1]s and %[1]s_FILE: set one of them", variable)
	}
	content, err := os.ReadFile(*file)
	if err != nil {
		return fmt.Errorf("%s_FILE: %w", variable, err)
	}
	*secret, *file = strings.TrimSpace(string(content)), ""
	return nil
}
