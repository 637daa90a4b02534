package catalogue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// shelf is a source whose content the tests change.
type shelf struct {
	mu    sync.Mutex
	types []switchboard.EventType
	err   error
}

func (s *shelf) put(err error, types ...switchboard.EventType) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.types, s.err = types, err
}

func (s *shelf) EventTypes(context.Context) ([]switchboard.EventType, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.types, s.err
}

func paid(description string) switchboard.EventType {
	return switchboard.EventType{Platform: "acme", Name: "order.paid", VendorName: "Order Paid", Description: description, Schema: json.RawMessage(`{"type":"object"}`)}
}

func TestLiveRefresh(t *testing.T) {
	t.Parallel()
	base := loaded(t)
	source := &shelf{}
	live := NewLive(base, source, slog.New(slog.DiscardHandler))
	steps := []struct {
		name  string
		err   error
		types []switchboard.EventType
		fails bool
		want  string // the description of order.paid; empty: the type is missing
	}{
		{"nothing yet", nil, nil, false, ""},
		{"added", nil, []switchboard.EventType{paid("one")}, false, "one"},
		{"unchanged", nil, []switchboard.EventType{paid("one")}, false, "one"},
		{"changed", nil, []switchboard.EventType{paid("two")}, false, "two"},
		{"source away", errors.New("away"), nil, true, "two"},
		{"beside one that cannot be read", nil, []switchboard.EventType{{Platform: "acme", Name: "order.lost", Unreadable: true}, paid("near")}, false, "near"},
		{"beside a type that is unsound", nil, []switchboard.EventType{{Name: "no platform"}, paid("beside")}, false, "beside"},
		{"itself unsound", nil, []switchboard.EventType{paid(strings.Repeat("x", MaxDescription+1))}, false, ""},
		{"back again", nil, []switchboard.EventType{paid("three")}, false, "three"},
		{"removed", nil, nil, false, ""},
	}
	for _, step := range steps {
		source.put(step.err, step.types...)
		if err := live.Refresh(t.Context()); (err != nil) != step.fails {
			t.Errorf("%s: error %v", step.name, err)
		}
		got, known := live.EventType("acme", "order.paid")
		if got.Description != step.want || known != (step.want != "") {
			t.Errorf("%s: %q, known %v; want %q", step.name, got.Description, known, step.want)
		}
		if (live.Validate(t.Context(), "order.paid", []byte(`5`)) != nil) != known {
			t.Errorf("%s: its schema does not follow", step.name)
		}
	}
	if _, known := base.EventType("acme", "order.paid"); known {
		t.Error("the catalogue that it started with has changed")
	}
}

// TestLiveLogsWhatItLeavesOut: by name, and only again after a change.
func TestLiveLogsWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	source := &shelf{}
	large := switchboard.EventType{Platform: "acme", Name: "html.one", Sample: json.RawMessage(`"` + strings.Repeat("x", MaxSample) + `"`)}
	source.put(nil, large, paid("one"))
	live := NewLive(loaded(t), source, slog.New(slog.NewTextHandler(&logged, nil)))
	for range 2 {
		if err := live.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if lines := strings.Count(logged.String(), "\n"); lines != 1 || !strings.Contains(logged.String(), "event_type=html.one") || !strings.Contains(logged.String(), "sample") {
		t.Errorf("logged %d lines:\n%s", lines, &logged)
	}
	if _, known := live.EventType("acme", "html.one"); known {
		t.Error("it is not left out")
	}
	source.put(nil, paid("one"))
	if err := live.Refresh(t.Context()); err != nil || strings.Count(logged.String(), "\n") != 1 {
		t.Errorf("%v, logged:\n%s", err, &logged)
	}
}

func TestLiveAnswersAsTheCatalogueDoes(t *testing.T) {
	t.Parallel()
	base := loaded(t)
	next, err := base.With([]switchboard.EventType{paid("")})
	if err != nil {
		t.Fatal(err)
	}
	source := &shelf{}
	source.put(nil, paid(""))
	live := NewLive(base, source, slog.New(slog.DiscardHandler))
	if err := live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	type reader interface {
		EventTypes(platform string) []switchboard.EventType
		EventType(platform, name string) (switchboard.EventType, bool)
		VendorName(platform, eventType string) string
		Platforms() []switchboard.Platform
		Profile(platform string) (json.RawMessage, bool)
		UseCase(name string) (switchboard.UseCase, bool)
		Validate(ctx context.Context, eventType string, data []byte) error
		CheckEventType(t switchboard.EventType) error
	}
	answers := func(r reader) []any {
		one, _ := r.EventType("acme", "order.paid")
		profile, _ := r.Profile("signalzen")
		useCase, _ := r.UseCase("contact")
		return []any{r.EventTypes(""), one, r.VendorName("acme", "order.paid"), r.VendorName("acme", "order.lost"), r.Platforms(), profile, useCase,
			fieldOf(t, r.Validate(t.Context(), "order.paid", []byte(`5`))), fieldOf(t, r.CheckEventType(switchboard.EventType{}))}
	}
	if diff := cmp.Diff(answers(next), answers(live)); diff != "" {
		t.Error(diff)
	}
	if got := live.VendorName("acme", "order.paid"); got != "Order Paid" {
		t.Errorf("vendor name %q", got)
	}
}

func TestWithReplaces(t *testing.T) {
	t.Parallel()
	base := loaded(t)
	changed, _ := base.EventType("signalzen", "message.created")
	changed.Name, changed.Deprecated, changed.Schema, changed.SchemaState = "Message.Created", true, nil, ""
	next, err := base.With([]switchboard.EventType{changed})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := next.EventType("signalzen", "message.created")
	if !got.Deprecated || got.BuiltIn || got.SchemaState != switchboard.SchemaNone || len(next.EventTypes("")) != len(base.EventTypes("")) {
		t.Errorf("%+v of %d types", got, len(next.EventTypes("")))
	}
	if err := next.Validate(t.Context(), "message.created", []byte(`{}`)); err != nil {
		t.Errorf("the schema is gone: %v", err)
	}
	if err := base.Validate(t.Context(), "message.created", []byte(`{}`)); err == nil {
		t.Error("the original has lost its schema")
	}
}

func TestLiveRun(t *testing.T) {
	t.Parallel()
	base := loaded(t)
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		source := &shelf{}
		source.put(nil, paid("one"))
		live := NewLive(base, source, slog.New(slog.NewTextHandler(&logged, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); live.Run(ctx) }()
		sees := func(want string) {
			t.Helper()
			synctest.Wait()
			if got, _ := live.EventType("acme", "order.paid"); got.Description != want {
				t.Errorf("after %s: %q; want %q", RefreshInterval, got.Description, want)
			}
		}

		sees("one")
		source.put(nil, paid("two"))
		time.Sleep(RefreshInterval) // of the bubble's clock
		sees("two")
		source.put(errors.New("away"), paid("three"))
		time.Sleep(3 * RefreshInterval)
		sees("two")
		source.put(nil, paid("three"))
		time.Sleep(RefreshInterval)
		sees("three")

		cancel()
		<-ended
		if lines := strings.Count(logged.String(), "\n"); lines != 2 || !strings.Contains(logged.String(), "away") {
			t.Errorf("logged %d lines; want one at the begin of the failure and one at its end:\n%s", lines, &logged)
		}
	})
}
