package check

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The chart's README lists every value with its default and its comment in values.yaml.
// UPDATE_DOCS=1 writes the list.
func TestValuesInREADME(t *testing.T) {
	t.Parallel()
	var document yaml.Node
	if err := yaml.Unmarshal(read(t, chartDir+"/values.yaml"), &document); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| value | default | meaning |\n|---|---|---|\n")
	listValues(t, &table, "", document.Content[0])

	const file, begin, end = chartDir + "/README.md", "<!-- values -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(string(read(t, file)), begin)
	listed, after, ended := strings.Cut(rest, end)
	switch {
	case !ok || !ended:
		t.Fatal("README.md has no place for the values")
	case os.Getenv("UPDATE_DOCS") != "":
		if err := os.WriteFile(file, []byte(before+begin+table.String()+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
	case listed != table.String():
		t.Errorf("README.md lists\n%s\nwant (make chart-docs)\n%s", listed, table.String())
	}
}

// listValues lists the values below a mapping. A value with a comment is a line; one without must
// be a group of such values.
func listValues(t *testing.T, table *strings.Builder, prefix string, mapping *yaml.Node) {
	t.Helper()
	for i := 0; i < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		name := prefix + key.Value
		comment := key.HeadComment[strings.LastIndex(key.HeadComment, "\n\n")+1:] // the last block of comments
		switch meaning := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(comment), "#")); {
		case strings.Contains(meaning, "\n"):
			t.Errorf("values.yaml: %s has a comment of several lines", name)
		case meaning != "":
			fmt.Fprintf(table, "| `%s` | %s | %s |\n", name, defaultOf(t, value), strings.ReplaceAll(meaning, "|", "\\|"))
		case value.Kind == yaml.MappingNode && len(value.Content) > 0:
			listValues(t, table, name+".", value)
		default:
			t.Errorf("values.yaml: %s has no comment", name)
		}
	}
}

// defaultOf writes a value as JSON, or a description if it is long.
func defaultOf(t *testing.T, value *yaml.Node) string {
	t.Helper()
	var decoded any
	if err := value.Decode(&decoded); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 120 {
		return "see values.yaml"
	}
	return "`" + string(text) + "`"
}
