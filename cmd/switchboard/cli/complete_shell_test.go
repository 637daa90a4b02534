package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCompletionInShells makes the available shells complete a command line, with a switchboard
// that records its arguments. bash splits at "=".
func TestCompletionInShells(t *testing.T) {
	t.Parallel()
	const stub = "#!/bin/sh\necho \"$@\" >\"$ASKED\"\nprintf -- '--state\\n--status-code\\n'\n"
	for shell, c := range map[string]struct{ script, asked string }{
		"bash": {`source "$SCRIPT"; COMP_WORDS=(switchboard deliveries list --last = 1h --st); COMP_CWORD=6; _switchboard; echo "${COMPREPLY[@]}"`, "complete -- deliveries list --last = 1h --st"},
		"fish": {`source $SCRIPT; complete -C "switchboard deliveries list --last=1h --st" | string join " "`, "complete -- deliveries list --last=1h --st"},
		"zsh": {`compdef() { :; }; compadd() { found=("${(@P)2}"); echo "$found"; }; source "$SCRIPT"; words=(switchboard deliveries list --last=1h --st); CURRENT=5; _switchboard`,
			"complete -- deliveries list --last=1h --st"},
	} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip("there is no " + shell)
			}
			dir := t.TempDir()
			asked := filepath.Join(dir, "asked")
			if err := os.WriteFile(filepath.Join(dir, "switchboard"), []byte(stub), 0o700); err != nil { //nolint:gosec // it is run
				t.Fatal(err)
			}
			script, err := filepath.Abs("completion/switchboard." + shell)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), path, "-c", c.script)
			cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir, "SCRIPT=" + script, "ASKED=" + asked}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			words, err := os.ReadFile(asked)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(string(words)); got != c.asked {
				t.Errorf("it asks %q; want %q", got, c.asked)
			}
			if got := strings.TrimSpace(string(out)); got != "--state --status-code" {
				t.Errorf("it offers %q", got)
			}
		})
	}
}
