package api

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/seed-49a43567/switchboard"
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

// fakeEventTypes keeps event types of the run time.
type fakeEventTypes struct {
	types  []switchboard.EventType
	writes int
}

func (f *fakeEventTypes) EventTypes(context.Context) ([]switchboard.EventType, error) {
	return f.types, nil
}

func (f *fakeEventTypes) SaveEventType(_ context.Context, _ switchboard.Caller, t switchboard.EventType) error {
	f.remove(t.Platform, t.Name)
	f.types = append(f.types, t)
	f.writes++
	return nil
}

func (f *fakeEventTypes) ChangeEventType(ctx context.Context, caller switchboard.Caller, base switchboard.EventType, change func(*switchboard.EventType) error) (switchboard.EventType, error) {
	i := slices.IndexFunc(f.types, func(t switchboard.EventType) bool { return t.Platform == base.Platform && t.Name == base.Name })
	switch {
	case i >= 0:
		base = f.types[i]
	case !base.BuiltIn:
		return base, notFound()
	}
	if err := change(&base); err != nil {
		return base, err
	}
	base.BuiltIn = false
	return base, f.SaveEventType(ctx, caller, base)
}

func (f *fakeEventTypes) DeleteEventType(_ context.Context, _ switchboard.Caller, platform, name string) error {
	if !f.remove(platform, name) {
		return notFound()
	}
	f.writes++
	return nil
}

// remove says whether there was one.
func (f *fakeEventTypes) remove(platform, name string) bool {
	before := len(f.types)
	f.types = slices.DeleteFunc(slices.Clone(f.types), func(t switchboard.EventType) bool { return t.Platform == platform && t.Name == name })
	return len(f.types) < before
}
