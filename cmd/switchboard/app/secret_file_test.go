package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Secrets are read from files. An error names its variable and shows no secret.
func TestSecretFiles(t *testing.T) {
	t.Parallel()
	const url, key = "postgres://x:s3cret@127.0.0.1:1/x", "k1:s3cret"
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	urlFile, keyFile, missing := write("url", url+"\n"), write("key", key), filepath.Join(dir, "missing")
	for name, test := range map[string]struct {
		config   Config
		url, key string
		wrong    string // in the error; empty: valid
	}{
		"values":               {Config{DatabaseURL: url, EncryptionKey: key}, url, key, ""},
		"files":                {Config{DatabaseURLFile: urlFile, EncryptionKeyFile: keyFile}, url, key, ""},
		"one of each":          {Config{DatabaseURL: url, EncryptionKeyFile: keyFile}, url, key, ""},
		"neither":              {Config{}, "", "", ""},
		"a file that is away":  {Config{DatabaseURLFile: missing, EncryptionKey: key}, "", key, "SWITCHBOARD_DATABASE_URL_FILE: open"},
		"a folder":             {Config{DatabaseURL: url, EncryptionKeyFile: dir}, url, "", "SWITCHBOARD_ENCRYPTION_KEY_FILE: read"},
		"a value and a file":   {Config{DatabaseURL: url, DatabaseURLFile: urlFile, EncryptionKey: key}, url, key, "SWITCHBOARD_DATABASE_URL and SWITCHBOARD_DATABASE_URL_FILE: set one"},
		"a value and the same": {Config{DatabaseURL: url, EncryptionKey: key, EncryptionKeyFile: keyFile}, url, key, "SWITCHBOARD_ENCRYPTION_KEY and SWITCHBOARD_ENCRYPTION_KEY_FILE: set one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := test.config
			err := config.readSecretFiles()
			switch {
			case test.wrong == "" && err != nil:
				t.Fatal(err)
			case test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong) || strings.Contains(err.Error(), "s3cret")):
				t.Fatalf("%v; want an error that says %q", err, test.wrong)
			}
			if config.DatabaseURL != test.url || config.EncryptionKey != test.key {
				t.Errorf("%q and %q", config.DatabaseURL, config.EncryptionKey)
			}
			if test.wrong != "" {
				return
			}
			if err := config.readSecretFiles(); err != nil {
				t.Errorf("again: %v", err)
			}
		})
	}
}
