package ingest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/seed-49a43567/switchboard"
)

// fakeStore accepts every event with a pending and a held delivery. An event of the type
// "repeated" is a duplicate, and one of the type "conflict" is refused.
type fakeStore struct {
	stored  []string // ids of events
	awaited bool
	err     error
}

func (s *fakeStore) Accept(_ context.Context, _ switchboard.Caller, events []switchboard.Event) ([]switchboard.Acceptance, error) {
	if s.err != nil {
		return nil, s.err
	}
	accepted := make([]switchboard.Acceptance, len(events))
	for i, e := range events {
		accepted[i] = switchboard.Acceptance{Event: e, Duplicate: e.Type == "repeated", Deliveries: []switchboard.Delivery{
			{ID: "dlv_pending_" + e.ID, State: switchboard.StatePending}, {ID: "dlv_held_" + e.ID, State: switchboard.StateHeld},
		}}
		if e.Type == "conflict" {
			accepted[i] = switchboard.Acceptance{Event: e, Err: switchboard.Errorf(switchboard.CodeConflict, "the id is taken")}
		}
		s.stored = append(s.stored, e.ID)
	}
	return accepted, nil
}

func (s *fakeStore) AcceptFor(ctx context.Context, caller switchboard.Caller, _ string, e switchboard.Event, awaited bool) (switchboard.Acceptance, error) {
	s.awaited = awaited
	accepted, err := s.Accept(ctx, caller, []switchboard.Event{e})
	if err != nil {
		return switchboard.Acceptance{}, err
	}
	return accepted[0], nil
}

// fakeDispatcher lists the started deliveries.
type fakeDispatcher []string

func (d *fakeDispatcher) Start(_ context.Context, deliveries []switchboard.Delivery) {
	for _, one := range deliveries {
		*d = append(*d, one.ID)
	}
}

// fakeSchemas requires data that are an object. A long text is too costly to check.
type fakeSchemas struct{}

func (fakeSchemas) Validate(_ context.Context, _ string, data []byte) error {
	switch {
	case len(data) > 100:
		return &switchboard.Error{Code: switchboard.CodeTooLarge, Field: "data", Message: "is too long to check"}
	case data[0] != '{':
		return switchboard.InvalidField("data", "must be an object")
	}
	return nil
}

func newIngester(t *testing.T, validation Validation) (*Ingester, *fakeStore, *fakeDispatcher) {
	t.Helper()
	store, dispatcher := &fakeStore{}, &fakeDispatcher{}
	i, err := New(Config{
		Store: store, Dispatcher: dispatcher, Schemas: fakeSchemas{}, Validation: validation, MaxData: 200,
		Meter: noop.NewMeterProvider().Meter(""),
	})
	if err != nil {
		t.Fatal(err)
	}
	return i, store, dispatcher
}

func event(id, eventType, data string) switchboard.Event {
	return switchboard.Event{ID: id, Tenant: "acme", Type: eventType, Data: []byte(data)}
}

func TestAccept(t *testing.T) {
	t.Parallel()
	long := `"` + strings.Repeat("x", 150) + `"`
	for _, test := range []struct {
		name       string
		validation Validation
		event      switchboard.Event
		want       switchboard.Code // of the refusal
		warnings   []string
		mismatch   string
		stored     bool
		started    bool
	}{
		{"good", ValidationReject, event("e", "t", `{}`), "", nil, "", true, true},
		{"duplicate", ValidationReject, event("e", "repeated", `{}`), "", nil, "", true, false},
		{"conflict", ValidationReject, event("e", "conflict", `{}`), switchboard.CodeConflict, nil, "", true, false},
		{"without a type", ValidationOff, event("e", "", `{}`), switchboard.CodeInvalid, nil, "", false, false},
		{"too long", ValidationOff, event("e", "t", long+long), switchboard.CodeTooLarge, nil, "", false, false},
		{"another tenant", ValidationOff, switchboard.Event{Tenant: "globex", Type: "t", Data: []byte(`{}`)}, switchboard.CodeForbidden, nil, "", false, false},
		{"a mismatch, rejected", ValidationReject, event("e", "t", `1`), switchboard.CodeInvalid, nil, "", false, false},
		{"a mismatch, warned of", ValidationWarn, event("e", "t", `1`), "", []string{"data: must be an object"}, "data", true, true},
		{"a mismatch, not checked", ValidationOff, event("e", "t", `1`), "", nil, "", true, true},
		{"unchecked, rejected", ValidationReject, event("e", "t", long), switchboard.CodeTooLarge, nil, "", false, false},
		{"unchecked, warned of", ValidationWarn, event("e", "t", long), "", []string{"data: is too long to check"}, "data", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			i, store, dispatcher := newIngester(t, test.validation)
			results, err := i.Accept(t.Context(), switchboard.Caller{Tenant: "acme"}, []switchboard.Event{test.event, event("last", "t", `{}`)})
			if err != nil || len(results) != 2 || results[1].Err != nil || results[1].Event.ID != "last" {
				t.Fatalf("results %+v, error %v", results, err)
			}
			got := results[0]
			if switchboard.CodeOf(got.Err) != test.want || got.Mismatch != test.mismatch {
				t.Errorf("error %v, mismatch %q", got.Err, got.Mismatch)
			}
			if diff := cmp.Diff(test.warnings, got.Warnings); diff != "" {
				t.Error(diff)
			}
			if stored := len(store.stored) == 2; stored != test.stored {
				t.Errorf("stored %v", store.stored)
			}
			started := []string{"dlv_pending_last"}
			if test.started {
				started = []string{"dlv_pending_" + test.event.ID, "dlv_pending_last"}
			}
			if diff := cmp.Diff(fakeDispatcher(started), *dispatcher); diff != "" {
				t.Errorf("started: %s", diff)
			}
		})
	}
}

// TestAcceptFails: if the store fails, or the caller has left before the events were checked,
// nothing is dispatched and no event counts as refused.
func TestAcceptFails(t *testing.T) {
	t.Parallel()
	i, store, dispatcher := newIngester(t, ValidationWarn)
	store.err = errors.New("away")
	if results, err := i.Accept(t.Context(), switchboard.Caller{}, []switchboard.Event{event("e", "t", `{}`)}); !errors.Is(err, store.err) || results != nil {
		t.Errorf("results %v, error %v", results, err)
	}
	store.err = nil
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if results, err := i.Accept(gone, switchboard.Caller{}, []switchboard.Event{event("e", "t", `{}`)}); !errors.Is(err, context.Canceled) || results != nil {
		t.Errorf("results %v, error %v", results, err)
	}
	if len(store.stored)+len(*dispatcher) > 0 {
		t.Errorf("stored %v, started %v", store.stored, *dispatcher)
	}
}

func TestAcceptFor(t *testing.T) {
	t.Parallel()
	i, store, dispatcher := newIngester(t, ValidationReject)
	got, err := i.AcceptFor(t.Context(), switchboard.Caller{}, "sub_1", event("e", "t", `"\ud83d"`), true)
	if err != nil || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "half of a surrogate pair") || !store.awaited {
		t.Errorf("result %+v, error %v, awaited %v", got, err, store.awaited)
	}
	if diff := cmp.Diff(fakeDispatcher{"dlv_pending_e"}, *dispatcher); diff != "" {
		t.Error(diff)
	}
	if _, err := i.AcceptFor(t.Context(), switchboard.Caller{}, "sub_1", event("e", "conflict", `1`), false); switchboard.CodeOf(err) != switchboard.CodeConflict {
		t.Errorf("error %v", err)
	}
	if _, err := i.AcceptFor(t.Context(), switchboard.Caller{Tenant: "globex"}, "sub_1", event("e", "t", `1`), false); switchboard.CodeOf(err) != switchboard.CodeForbidden {
		t.Errorf("error %v", err)
	}
}
