package store_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
	"github.com/seed-49a43567/switchboard/store/postgres"
)

// TestPostgresKilledAndBack kills Postgres under load: everything that was confirmed is there
// afterwards, the rest is Unavailable, and everything works again.
func TestPostgresKilledAndBack(t *testing.T) {
	t.Parallel()
	server, cfg := pg.Own(t)
	b := setupAt(t, server.URL("switchboard"))
	b.subscribe("acme", "*")
	before := b.accept(event("acme", "before")).Deliveries[0]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := b.listen(ctx)
	next(t, "start after connecting", h.starts)

	var mu sync.Mutex
	var kept []string
	var failures atomic.Int64
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for failures.Load() < 100 {
				got, err := b.Accept(t.Context(), root(), []switchboard.Event{event("acme", "")})
				if err != nil {
					refused(t, "while away", err, switchboard.CodeUnavailable, "")
					failures.Add(1)
					continue
				}
				mu.Lock()
				kept = append(kept, got[0].Deliveries[0].ID)
				mu.Unlock()
			}
		})
	}
	eventually(t, "some are accepted", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(kept) > 50
	})
	must(t, server.Kill())
	group.Wait()

	attempt := b.attempt(before, 1, 200)
	_, recordErr := b.Record(t.Context(), switchboard.Record{Attempt: attempt, Decision: switchboard.Decision{State: switchboard.StateDelivered}, TemporalRunID: "r", Generation: 1})
	for name, err := range map[string]error{
		"Record":       recordErr,
		"CheckSchema":  b.CheckSchema(t.Context()),
		"Work":         second(b.LoadForAttempt(t.Context(), before.ID)),
		"Authenticate": second(b.Authenticate(t.Context(), "text")),
		"Stats":        second(b.Stats(t.Context())),
		"Cancel":       second(b.Cancel(t.Context(), root(), before.ID, "")),
	} {
		refused(t, name, err, switchboard.CodeUnavailable, "")
	}

	restarted, err := postgres.Start(t.Context(), cfg)
	must(t, err)
	t.Cleanup(func() { must(t, restarted.Stop()) })
	must(t, b.CheckSchema(t.Context()))
	found, err := b.Find(t.Context(), kept)
	must(t, err)
	equal(t, "accepted and there", len(found), len(kept))
	after, err := b.Record(t.Context(), switchboard.Record{Attempt: attempt, Decision: switchboard.Decision{State: switchboard.StateDelivered}, TemporalRunID: "r", Generation: 1})
	must(t, err)
	equal(t, "recorded after all", after.State, switchboard.StateDelivered)
	next(t, "start after reconnecting", h.starts)
	other := b.delivery("acme")
	must(t, second(b.Cancel(t.Context(), root(), other.ID, "")))
	equal(t, "cancel after reconnecting", next(t, "cancel", h.cancels), other.ID)
	cancel()
	next(t, "end of listening", h.ended)
}

func TestListenEndsWhilePostgresIsAway(t *testing.T) {
	t.Parallel()
	keyring, err := store.ParseKeyring(ring)
	must(t, err)
	s, err := store.Open(store.Config{URL: "postgres://u@127.0.0.1:1/none?sslmode=disable", Keyring: keyring})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	s.Listen(ctx, func() { t.Error("start without a connection") }, func(string) { t.Error("cancel without a connection") })
	refused(t, "accept", second(s.Accept(t.Context(), root(), []switchboard.Event{event("acme", "")})), switchboard.CodeUnavailable, "")
	must(t, s.Close())
	refused(t, "closed", second(s.Accept(t.Context(), root(), []switchboard.Event{event("acme", "")})), switchboard.CodeUnavailable, "")
}

func TestOpenHidesThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://u:hunter2@h/%zz", "postgres://u:hunter2@h/d?sslmode=perhaps", "host=h password=hunter2 port=none"} {
		_, err := store.Open(store.Config{URL: url})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestTextThatPostgresCannotHold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, err := range map[string]error{
		"text":  second(b.Deliveries(t.Context(), root(), switchboard.DeliveryFilter{Text: "\x00"}, switchboard.PageRequest{})),
		"id":    second(b.Delivery(t.Context(), root(), "dlv_\xff")),
		"event": second(b.Accept(t.Context(), root(), []switchboard.Event{{Tenant: "acme", Type: "a", Key: "\x00", Data: []byte("1")}})),
	} {
		refused(t, name, err, switchboard.CodeInvalid, "")
	}
}
