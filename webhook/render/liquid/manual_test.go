package liquid

import (
	"os"
	"strings"
	"testing"
)

// TestManual compares the manual's table of filters with what they do, and with the list of
// filters.
func TestManual(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../../docs/templates.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for line := range strings.Lines(string(manual)) {
		cells := strings.Split(strings.ReplaceAll(strings.TrimSpace(line), `\|`, "\x00"), "|")
		if len(cells) != 6 || !strings.Contains(cells[3], "{{") {
			continue
		}
		for i, cell := range cells {
			cells[i] = strings.Trim(strings.ReplaceAll(cell, "\x00", "|"), " `")
		}
		name, source, want := cells[1], cells[3], cells[4]
		documented[name] = true
		if got, err := render(t, source, newRun(t, "1")); err != nil || got != want || !strings.Contains(source, name) {
			t.Errorf("%s: %s: %q, %v; the manual says %q", name, source, got, err, want)
		}
	}
	for name := range filters {
		if !documented[name] {
			t.Errorf("the manual says nothing of %s", name)
		}
	}
	if len(documented) != len(filters) {
		t.Errorf("the manual documents %d filters; there are %d", len(documented), len(filters))
	}
}
