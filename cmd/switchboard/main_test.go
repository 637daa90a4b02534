package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
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
