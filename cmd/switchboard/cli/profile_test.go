package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const twoProfiles = `default: test
profiles:
  test: {url: "http://test.example", key: sbk_hunter2_test}
  prod: {url: "https://prod.example", key: sbk_hunter2_prod}
  half: {url: "https://half.example"}
`

// TestProfile: the choice of the server. A key goes to no other server.
func TestProfile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		environment string // url and key
		flag        string
		file        string
		mode        os.FileMode
		url, key    string
		says        string
	}{
		{name: "environment", environment: "http://env.example k", file: twoProfiles, url: "http://env.example", key: "k"},
		{name: "default of the file", file: twoProfiles, url: "http://test.example", key: "sbk_hunter2_test"},
		{name: "named", file: twoProfiles, flag: "prod", url: "https://prod.example", key: "sbk_hunter2_prod"},
		{name: "named, and environment", environment: "http://env.example k", file: twoProfiles, flag: "prod", url: "https://prod.example", key: "sbk_hunter2_prod"},
		{name: "no server", says: "set SWITCHBOARD_URL and SWITCHBOARD_API_KEY"},
		{name: "URL alone", environment: "http://env.example", file: twoProfiles, says: "SWITCHBOARD_API_KEY is not"},
		{name: "key alone", environment: " sbk_hunter2", file: twoProfiles, says: "SWITCHBOARD_URL is not"},
		{name: "unknown", file: twoProfiles, flag: "dev", says: `no profile "dev"`},
		{name: "half", file: twoProfiles, flag: "half", says: "needs url and key"},
		{name: "no default", file: "profiles: {}", says: "names no default"},
		{name: "readable for all", file: twoProfiles, mode: 0o644, says: "chmod 600"},
		{name: "for the group", file: twoProfiles, mode: 0o640, says: "chmod 600"},
		{name: "another form", file: "key: sbk_hunter2", says: "not a file of profiles"},
		{name: "no YAML", file: "sbk_hunter2: [", says: "not a file of profiles"},
	} {
		dir := t.TempDir()
		if c.file != "" {
			if c.mode == 0 {
				c.mode = 0o600
			}
			path := filepath.Join(dir, "switchboard", "config.yaml")
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(c.file), c.mode); err != nil {
				t.Fatal(err)
			}
		}
		url, key, _ := strings.Cut(c.environment, " ")
		environment := map[string]string{urlVariable: url, keyVariable: key, "XDG_CONFIG_HOME": dir}
		commands := Commands{Flags: Flags{Profile: c.flag}}
		got, err := commands.Session(&Terminal{Getenv: func(name string) string { return environment[name] }}).profile()
		if c.says != "" {
			if ExitCode(err) != exitUsage || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.says)) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || got.URL != c.url || got.Key.Reveal() != c.key {
			t.Errorf("%s: %s %q, %v", c.name, got.URL, got.Key.Reveal(), err)
		}
		if strings.Contains(fmt.Sprintf("%+v", got), c.key) {
			t.Errorf("%s: printing a profile shows its key", c.name)
		}
	}
}
