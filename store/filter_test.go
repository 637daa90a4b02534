package store

import (
	"strings"
	"testing"

	"switchboard"
)

// Filters may be long, and their makers many: what is kept of them is bounded by
// their length together.
func TestKeptFiltersAreBounded(t *testing.T) {
	t.Parallel()
	var f filters
	event := switchboard.NewDocument(&switchboard.Event{Data: []byte(`{"a":"` + strings.Repeat("x", 15<<10) + `1"}`)})
	for i := range 2 * maxFilters / (15 << 10) {
		document := `{"data":{"a":"` + strings.Repeat("x", 15<<10) + strings.Repeat("1", i%7+1) + strings.Repeat(" ", i/7) + `"}}`
		if got, want := f.of(document).Matches(event, switchboard.NewEffort()), i == 0; got != want {
			t.Fatalf("filter %d matches: %t; want %t", i, got, want)
		}
		kept := 0
		for document := range f.parsed {
			kept += len(document)
		}
		if kept > maxFilters {
			t.Fatalf("%d bytes of filters are kept; want %d at most", kept, maxFilters)
		}
	}
}
