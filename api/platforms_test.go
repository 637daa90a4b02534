package api

import (
	"log/slog"
	"sync"
	"testing"

	"github.com/seed-49a43567/switchboard/catalogue"
)

// loadCatalogue loads the real one, which compiles its schemas, once.
var loadCatalogue = sync.OnceValues(catalogue.Load)

// realCatalogue is what Switchboard comes with, and what the source adds to it.
func realCatalogue(t testing.TB, source catalogue.Source) *catalogue.Live {
	t.Helper()
	base, err := loadCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	live := catalogue.NewLive(base, source, slog.New(slog.DiscardHandler))
	if err := live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return live
}
