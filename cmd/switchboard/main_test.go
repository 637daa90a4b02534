package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/seed-49a43567/switchboard/cmd/switchboard/app"
	"github.com/seed-49a43567/switchboard/cmd/switchboard/cli"
)

// TestCreateKeyFlags: a slip of the shell does not make a key that may do more, or for
// longer, than was meant.
func TestCreateKeyFlags(t *testing.T) {
	t.Parallel()
	// Nothing answers there: what is not refused fails by that.
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

// TestCommandsNeedNothingElse: what a command does not need need not be set.
func TestCommandsNeedNothingElse(t *testing.T) {
	for _, name := range []string{"SWITCHBOARD_DATABASE_URL", "SWITCHBOARD_ENCRYPTION_KEY"} {
		t.Setenv(name, "")
	}
	for _, line := range [][]string{{"version"}, {"migrate"}, {"keys", "list"}, {"healthcheck"}} {
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

// TestWrongDuration: it is the flag that is named, and how it would be right.
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

// TestExitCodes: which command has which code for a wrong flag, and for what it could not check.
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
