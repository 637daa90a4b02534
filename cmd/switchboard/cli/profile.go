package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/seed-49a43567/switchboard"
)

// The environment variables for the server and its key.
const (
	urlVariable = "SWITCHBOARD_URL"
	keyVariable = "SWITCHBOARD_API_KEY"
)

// profile is a server and the key for it.
type profile struct {
	URL string             `yaml:"url"`
	Key switchboard.Secret `yaml:"key"`

	origin string // where it was found, for errors
}

// profiles is the configuration file.
type profiles struct {
	Default  string             `yaml:"default"`
	Profiles map[string]profile `yaml:"profiles"`
}

// profile finds the server and its key: by --profile, then in the environment, then as the file's
// default. A key is only ever sent to the server that it was given with.
func (s *Session) profile() (profile, error) {
	fromEnvironment := profile{URL: s.Getenv(urlVariable), Key: switchboard.Secret(strings.TrimSpace(s.Getenv(keyVariable))), origin: urlVariable}
	switch {
	case s.flags.Profile != "":
	case fromEnvironment.URL != "" && fromEnvironment.Key != "":
		return fromEnvironment, nil
	case fromEnvironment.URL != "":
		return profile{}, usage("%s is set, and %s is not", urlVariable, keyVariable)
	case fromEnvironment.Key != "":
		return profile{}, usage("%s is set, and %s is not: set it to the server's address, as https://switchboard.example.com", keyVariable, urlVariable)
	}
	path, err := s.configPath()
	if err != nil {
		return profile{}, err
	}
	file, err := readProfiles(path)
	if errors.Is(err, fs.ErrNotExist) {
		return profile{}, usage("which server? Set %s and %s, or write profiles into %s", urlVariable, keyVariable, path)
	}
	if err != nil {
		return profile{}, err
	}
	return file.find(s.flags.Profile, path)
}

// configPath is the path of the profiles.
func (s *Session) configPath() (string, error) {
	dir := s.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		var err error
		if dir, err = os.UserConfigDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "switchboard", "config.yaml"), nil
}

func (f *profiles) find(name, path string) (profile, error) {
	if name == "" {
		name = f.Default
	}
	found, ok := f.Profiles[name]
	switch {
	case name == "":
		return found, usage("which server? %s names no default: give --profile", path)
	case !ok:
		return found, usage("%s has no profile %q", path, name)
	case found.URL == "" || found.Key == "":
		return found, usage("%s: the profile %q needs url and key", path, name)
	}
	found.origin = fmt.Sprintf("%s: the profile %q", path, name)
	return found, nil
}

// readProfiles reads the file. It refuses a file that others can read, because the file contains
// keys.
func readProfiles(path string) (*profiles, error) {
	file, err := os.Open(path) // #nosec G304 -- the user's own configuration
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, usage("%s holds keys, and others can read it (mode %04o): chmod 600 it", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxInput))
	if err != nil {
		return nil, err
	}
	var found profiles
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&found); err != nil && !errors.Is(err, io.EOF) {
		return nil, usage("%s is not a file of profiles: see docs/cli.md for its form", path) // the error may show a key
	}
	return &found, nil
}
