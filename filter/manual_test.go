package filter

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestManual: the examples of docs/filters.md are true.
func TestManual(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/filters.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(\\{.*\\})` \\| `(.*)` \\| (yes|no) \\| (.+) \\|$").FindAllStringSubmatch(string(text), -1)
	if begun := strings.Count(string(text), "\n| `{"); len(rows) != begun || begun < 35 {
		t.Errorf("%d of %d rows are read", len(rows), begun)
	}
	for _, row := range rows {
		filter, err := Parse([]byte(row[1]))
		if err != nil {
			t.Errorf("%s: %v", row[1], err)
			continue
		}
		if got := filter.Match(eventOf(row[2])); got != (row[3] == "yes") {
			t.Errorf("%s of %s: %t; the manual says %s, %s", row[1], row[2], got, row[3], row[4])
		}
	}
}

// TestManualDescribesEachOperator: the table of operators in docs/filters.md is that of
// the code.
func TestManualDescribesEachOperator(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/filters.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range operators {
		if row := "\n| `" + o.name + "` | " + o.doc + " |\n"; !strings.Contains(string(text), row) {
			t.Errorf("docs/filters.md has no row%s", row)
		}
	}
}
