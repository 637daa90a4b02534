package store

import (
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/filter"
)

// Filters may be long and numerous, so the cache is bounded by their total length.
func TestKeptFiltersAreBounded(t *testing.T) {
	t.Parallel()
	var f filters
	event := filter.NewInput(&switchboard.Event{Data: []byte(`{"a":"` + strings.Repeat("x", 15<<10) + `1"}`)})
	for i := range 2 * maxFilters / (15 << 10) {
		document := `{"data":{"a":"` + strings.Repeat("x", 15<<10) + strings.Repeat("1", i%7+1) + strings.Repeat(" ", i/7) + `"}}`
		if got, want := f.of(document).Verdict(event, filter.NewBudget()).Delivers(), i == 0; got != want {
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

// A list is one query whatever the order of Go's maps, so that the statistics of Postgres show it
// as one.
func TestAFilterIsAlwaysTheSameQuery(t *testing.T) {
	t.Parallel()
	f := switchboard.DeliveryFilter{Subscription: "s", Event: "e", EventType: "t", Failure: switchboard.FailureHTTP5xx, Host: "h", Text: "x"}
	first := deliveriesQuery(switchboard.Caller{}, f, time.Now(), nil).where.query("id", "deliveries", "id DESC", 10)
	for range 20 {
		if again := deliveriesQuery(switchboard.Caller{}, f, time.Now(), nil).where.query("id", "deliveries", "id DESC", 10); again != first {
			t.Fatalf("%s\nand then %s", first, again)
		}
	}
}
