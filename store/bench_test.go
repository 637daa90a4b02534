package store_test

import (
	"sync/atomic"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
	"github.com/seed-49a43567/switchboard/store"
)

// BenchmarkHotPath measures what a healthy delivery costs the store: accept, work, record. -cpu
// sets how many callers there are per core, through parallelism.
func BenchmarkHotPath(b *testing.B) {
	keyring, err := store.ParseKeyring(ring)
	must(b, err)
	s, err := store.Open(store.Config{URL: pg.Database(b), Keyring: keyring})
	must(b, err)
	defer func() { must(b, s.Close()) }()
	sub := switchboard.Subscription{Tenant: "acme", Name: "n", Events: []string{"*"}, Request: switchboard.Request{URL: "http://receiver.example"},
		Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}}}
	sub.SetDefaults()
	must(b, s.CreateSubscription(b.Context(), root(), &sub))
	path := func(b *testing.B) {
		got, err := s.Accept(b.Context(), root(), []switchboard.Event{event("acme", "")})
		must(b, err)
		work, err := s.LoadForAttempt(b.Context(), got[0].Deliveries[0].ID)
		must(b, err)
		bundle := &bundle{now: work.Delivery.CreatedAt}
		_, err = s.Record(b.Context(), switchboard.Record{Attempt: bundle.attempt(work.Delivery, 1, 200), Decision: switchboard.Decision{State: switchboard.StateDelivered}, TemporalRunID: "r", Generation: 1})
		must(b, err)
	}
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			path(b)
		}
	})
	b.Run("together", func(b *testing.B) {
		var n atomic.Int64
		b.SetParallelism(16)
		b.RunParallel(func(next *testing.PB) {
			for next.Next() {
				path(b)
				n.Add(1)
			}
		})
		b.ReportMetric(float64(n.Load())/b.Elapsed().Seconds(), "deliveries/s")
	})
}
