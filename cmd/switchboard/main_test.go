package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/cmd/switchboard/app"
	"github.com/seed-49a43567/switchboard/cmd/switchboard/cli"
	"github.com/seed-49a43567/switchboard/store"
)

// TestCreateKeyFlags: a mistake in the shell does not make a key with more rights, or a longer
// life, than intended.
func TestCreateKeyFlags(t *testing.T) {
	t.Parallel()
	// Nothing answers there, so a line that is not refused also fails.
	const away = "database is away"
	for _, test := range []struct {
		flags []string
		says  string
	}{
		{nil, away},
		{[]string{"--tenant", "acme", "--ttl", "1h"}, away},
		{[]string{"--tenant", ""}, "--tenant: is empty"},
		{[]string{"--tenant="}, "--tenant: is empty"},
		{[]string{"--ttl=-1h"}, "--ttl: may not be negative"},
		{[]string{"--ttl", "90d"}, away},
		{[]string{"--ttl", "1d12h"}, away},
	} {
		var c commands
		parser, err := kong.New(&c, kong.Vars{"version": ""})
		if err != nil {
			t.Fatal(err)
		}
		line := []string{"keys", "create", "--name", "x", "--role", "admin",
			"--database-url", "postgres://x:y@127.0.0.1:1/x?sslmode=disable", "--encryption-key", "k1:" + strings.Repeat("00", 32)}
		if _, err := parser.Parse(append(line, test.flags...)); err != nil {
			t.Fatalf("%q: %v", test.flags, err)
		}
		if err := c.Keys.Create.Run(t.Context(), c.Config); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %v; want an error that says %q", test.flags, err, test.says)
		}
	}
}

// TestCommandsNeedNothingElse: settings that a command does not need may be missing.
func TestCommandsNeedNothingElse(t *testing.T) {
	for _, name := range []string{"SWITCHBOARD_DATABASE_URL", "SWITCHBOARD_ENCRYPTION_KEY"} {
		t.Setenv(name, "")
	}
	for _, line := range [][]string{{"version"}, {"migrate"}, {"setup"}, {"keys", "list"}, {"healthcheck"}} {
		var c commands
		parser, err := kong.New(&c, kong.Vars{"version": ""})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(line); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// TestHelpHasTheSettingsOfACommand: people who make a key do not read about breakers.
func TestHelpHasTheSettingsOfACommand(t *testing.T) {
	t.Parallel()
	for command, test := range map[string]struct{ has, lacks []string }{
		"serve":        {has: []string{"--database-url", "--slots", "--egress-proxy"}, lacks: []string{"--profile"}},
		"migrate":      {has: []string{"--database-url", "--encryption-key-file", "optional for migrate", "--lost-keys"}, lacks: []string{"--slots", "--retention", "--listen"}},
		"keys create":  {has: []string{"--database-url", "--lost-keys", "--role"}, lacks: []string{"--slots", "--breaker", "--console-groups"}},
		"verify":       {has: []string{"--database-url", "--retention", "--skip-temporal"}, lacks: []string{"--slots"}},
		"healthcheck":  {has: []string{"--listen"}, lacks: []string{"--database-url"}},
		"setup":        {has: []string{"--namespace-retention"}, lacks: []string{"--database-url"}},
		"events show":  {has: []string{"--profile"}, lacks: []string{"--database-url", "--slots"}},
		"erase tenant": {has: []string{"--database-url", "--reason"}, lacks: []string{"--slots"}},
	} {
		var c commands
		parser, err := newParser(t.Context(), &c)
		if err != nil {
			t.Fatal(err)
		}
		var printed bytes.Buffer
		parser.Stdout = &printed
		parser.Exit = func(int) {}
		_, _ = parser.Parse(append(strings.Fields(command), "--help")) // a missing setting is reported after the help
		text := strings.Join(strings.Fields(printed.String()), " ")    // it is wrapped to the terminal's width
		for _, flag := range test.has {
			if !strings.Contains(text, flag) {
				t.Errorf("%s --help lacks %s", command, flag)
			}
		}
		for _, flag := range test.lacks {
			if strings.Contains(text, flag) {
				t.Errorf("%s --help has %s", command, flag)
			}
		}
	}
}

// TestWrongDuration: the error names the flag, and shows a right value.
func TestWrongDuration(t *testing.T) {
	t.Parallel()
	var c commands
	parser, err := kong.New(&c, kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse([]string{"keys", "create", "--name", "x", "--role", "admin", "--ttl", "90days"})
	if err == nil || !strings.Contains(err.Error(), "--ttl") || !strings.Contains(err.Error(), `"7d"`) {
		t.Errorf("got %v", err)
	}
}

// TestExitCodes: the commands' exit codes for a wrong flag, and for what they could not check.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string
		code int
	}{
		{"verify --wrong", 80},
		{"serve --wrong", 80},
		{"deliveries list --wrong", 2},
		{"deliveries show", 2},
		{"no-such-command", 2},
	} {
		err := run(t.Context(), strings.Fields(c.line), &cli.Terminal{Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" }})
		if got := exitCode(err); got != c.code {
			t.Errorf("%s: %d, want %d: %v", c.line, got, c.code, err)
		}
	}
	if got := exitCode(fmt.Errorf("verify: %w", app.ErrUnchecked)); got != 2 {
		t.Errorf("unchecked: %d", got)
	}
	if got := exitCode(app.ErrViolations); got != 1 {
		t.Errorf("violations: %d", got)
	}
}

// TestVersion: what support asks for first, for people and for programs.
func TestVersion(t *testing.T) {
	t.Parallel()
	schema, err := store.SchemaVersion()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	terminal := &cli.Terminal{Out: &out, Err: io.Discard, Getenv: func(string) string { return "" }}
	if err := run(t.Context(), []string{"version"}, terminal); err != nil {
		t.Fatal(err)
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	for _, line := range []string{"switchboard " + switchboard.Version, "commit      ", fmt.Sprintf("schema      %d", schema), "go          " + runtime.Version(), "platform    " + platform} {
		if !strings.Contains("\n"+out.String(), "\n"+line) {
			t.Errorf("no line %q in:\n%s", line, out.String())
		}
	}
	out.Reset()
	if err := run(t.Context(), []string{"version", "--output", "json"}, terminal); err != nil {
		t.Fatal(err)
	}
	var got cli.Version
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Version != switchboard.Version || got.Schema != schema || got.Go != runtime.Version() || got.Platform != platform {
		t.Errorf("%v: %s", err, out.String())
	}
}

// TestCommit: in the form of the go command.
func TestCommit(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name     string
		settings map[string]string
		known    bool
		want     cli.Version
		line     string
	}{
		{"a commit", map[string]string{"vcs.revision": "abc", "vcs.time": "2026-11-29T08:00:00Z", "vcs.modified": "false"}, true, cli.Version{Commit: "abc", CommitTime: at}, "abc, 2026-11-29T08:00:00Z"},
		{"changes", map[string]string{"vcs.revision": "abc", "vcs.time": "2026-11-29T08:00:00Z", "vcs.modified": "true"}, true, cli.Version{Commit: "abc", CommitTime: at, Modified: true}, "abc, with changes, 2026-11-29T08:00:00Z"},
		{"no repository", nil, true, cli.Version{}, "unknown: it was built outside of a repository"},
		{"no build information", nil, false, cli.Version{}, "unknown: it was built outside of a repository"},
	} {
		build := &debug.BuildInfo{}
		for key, value := range c.settings {
			build.Settings = append(build.Settings, debug.BuildSetting{Key: key, Value: value})
		}
		got, err := versionOf(build, c.known)
		if err != nil || got.Commit != c.want.Commit || !got.CommitTime.Equal(c.want.CommitTime) || got.Modified != c.want.Modified {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
		var out bytes.Buffer
		if err := new(cli.Commands).Session(&cli.Terminal{Out: &out}).PrintVersion(got); err != nil || !strings.Contains(out.String(), "\ncommit      "+c.line+"\n") {
			t.Errorf("%s: %v, printed:\n%s", c.name, err, out.String())
		}
	}
}
