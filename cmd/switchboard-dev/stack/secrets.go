package stack

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// secrets are made at the first start and kept in the stack's folder, so that later starts can
// decrypt what earlier ones encrypted.
type secrets struct {
	encryptionKey switchboard.Secret
	apiKey        switchboard.Secret
	demoSecret    switchboard.Secret
}

// loadSecrets reads the stack's secrets, and makes missing ones. A given API key replaces the
// stored one.
func loadSecrets(dir string, apiKey switchboard.Secret) (secrets, error) {
	// Postgres may run as another user, who must be able to enter the folder.
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return secrets{}, fmt.Errorf("--data-dir: %w", err)
	}
	var s secrets
	var errs [3]error
	s.encryptionKey, errs[0] = storedSecret(filepath.Join(dir, "encryption.key"), newEncryptionKey)
	s.demoSecret, errs[1] = storedSecret(filepath.Join(dir, "demo.secret"), newDemoSecret)
	if s.apiKey = apiKey; apiKey == "" {
		s.apiKey, errs[2] = storedSecret(filepath.Join(dir, "api.key"), switchboard.NewKeyText)
	}
	return s, errors.Join(errs[:]...)
}

func storedSecret(path string, create func() switchboard.Secret) (switchboard.Secret, error) {
	stored, err := os.ReadFile(path)
	if err == nil {
		return switchboard.Secret(strings.TrimSpace(string(stored))), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	made := create()
	return made, os.WriteFile(path, []byte(made.Reveal()+"\n"), 0o600)
}

func newEncryptionKey() switchboard.Secret {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
	return switchboard.Secret("dev:" + base64.StdEncoding.EncodeToString(key))
}

func newDemoSecret() switchboard.Secret {
	return signing.NewSecret(signing.Standard)
}
