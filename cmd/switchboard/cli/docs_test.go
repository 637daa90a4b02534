package cli

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestDocument: docs/cli.md lists every command with the text of its --help.
func TestDocument(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&Commands{}, kong.Name("switchboard"))
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| command | what it does |\n|---|---|\n")
	for _, leaf := range parser.Model.Leaves(true) {
		fmt.Fprintf(&table, "| `%s` | %s |\n", leaf.FullPath(), leaf.Help)
		if !strings.Contains(leaf.Detail, "Examples:") || !strings.Contains(leaf.Detail, leaf.FullPath()) {
			t.Errorf("the help of %q has no example", leaf.FullPath())
		}
	}
	const file = "../../../docs/cli.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- commands -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(string(text), begin)
	listed, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatal("the document has no place for the commands")
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table.String()+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if listed != table.String() {
		t.Errorf("docs/cli.md lists\n%s\nwant (go test ./cmd/switchboard/cli -update)\n%s", listed, table.String())
	}
}

// TestCommandsInDocuments: every command line in the documents is valid.
func TestCommandsInDocuments(t *testing.T) {
	t.Parallel()
	lines := regexp.MustCompile("(?m)(?:^\\$ (?:bin/)?|`)switchboard ((?:deliveries|events|subscriptions|operations|failures|status|actions|search|whoami)[^`\n]*)")
	seen := 0
	for _, file := range []string{"docs/support.md", "docs/runbook.md", "docs/cli.md", "README.md"} {
		text, err := os.ReadFile("../../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range lines.FindAllStringSubmatch(string(text), -1) {
			seen++
			parser, err := kong.New(&Commands{}, kong.Name("switchboard"))
			if err != nil {
				t.Fatal(err)
			}
			words := strings.ReplaceAll(found[1], " …", "")
			_, err = parser.Parse(splitWords(words))
			if err != nil && !strings.HasPrefix(err.Error(), "expected ") && !strings.Contains(err.Error(), "missing flags") { // a mention without its arguments
				t.Errorf("%s: switchboard %s: %v", file, found[1], err)
			}
		}
	}
	if seen < 30 {
		t.Errorf("saw %d commands only: the test looks in the wrong place", seen)
	}
}

// splitWords splits a command line like a shell, if quotes enclose whole words.
func splitWords(line string) []string {
	var words []string
	for _, word := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(line, -1) {
		words = append(words, strings.Trim(word, `"`))
	}
	return words
}
