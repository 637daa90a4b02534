package store_test

import (
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// The trace of a post stays with its event: for attempts, and for dispatches, also of a replay days
// later.
func TestTraceParent(t *testing.T) {
	t.Parallel()
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	b := setup(t)
	b.subscribe("acme", "ticket.*")
	traced := event("acme", "")
	traced.TraceParent = parent
	one, other := b.accept(traced).Deliveries[0], b.accept(event("acme", "")).Deliveries[0]
	for id, want := range map[string]string{one.ID: parent, other.ID: ""} {
		loaded, err := b.LoadForAttempt(t.Context(), id)
		must(t, err)
		equal(t, "the trace of an attempt", loaded.Event.TraceParent, want)
	}
	parents, err := b.TraceParents(t.Context(), []switchboard.Delivery{one, other})
	must(t, err)
	equal(t, "the traces of dispatches", parents, map[string]string{one.ID: parent})

	b.record(one, 1, 410) // so that it can be sent again
	b.advance(48 * time.Hour)
	copied, _, err := b.Resend(t.Context(), root(), one.ID, switchboard.Resend{Reason: "again"})
	must(t, err)
	parents, err = b.TraceParents(t.Context(), []switchboard.Delivery{copied})
	must(t, err)
	equal(t, "the trace of a copy", parents, map[string]string{copied.ID: parent})
}
