package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestDocument: docs/cli.md lists every command with what its --help says.
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
