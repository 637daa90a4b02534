package api

import (
	"log/slog"
	"sync"
	"testing"

	"github.com/seed-49a43567/switchboard/catalogue"
)

// loadCatalogue loads the real catalogue once, because compiling its schemas is slow.
var loadCatalogue = sync.OnceValues(catalogue.Load)

// realCatalogue is the built-in catalogue with the types of the source.
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
