package store_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

func TestAcceptMakesADeliveryForEachThatWantsIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	wants := map[string]switchboard.Subscription{}
	for _, pattern := range []string{"ticket.created", "ticket.*", "*", "ticket.created.*", "call.*"} {
		wants[pattern] = b.subscribe("acme", pattern)
	}
	b.subscribe("other", "*")
	paused := b.subscribe("acme", "*")
	_, err := b.UpdateSubscription(t.Context(), root(), paused.ID, 1, func(s *switchboard.Subscription) error {
		s.State = switchboard.SubscriptionPaused
		return nil
	})
	must(t, err)
	gone := b.subscribe("acme", "*")
	must(t, b.DeleteSubscription(t.Context(), root(), gone.ID, ""))

	a := b.accept(event("acme", ""))
	got := map[string]bool{}
	for _, d := range a.Deliveries {
		got[d.SubscriptionID] = true
		want := switchboard.Delivery{
			ID: d.ID, Tenant: "acme", EventID: a.Event.ID, EventType: "ticket.created", SubscriptionID: d.SubscriptionID,
			Method: "POST", Host: "receiver.example:8443", State: switchboard.StatePending, Generation: 1, NextAttemptAt: begin(), CreatedAt: begin(),
			DispatchAt: begin().Add(switchboard.DispatchGrace),
		}
		if d.SubscriptionID == paused.ID {
			want.State, want.Reason, want.NextAttemptAt, want.DispatchAt = switchboard.StateHeld, switchboard.ReasonSubscriptionPaused, time.Time{}, time.Time{}
			want.ParkedAt, want.HeldUntil = begin(), begin().Add(switchboard.DefaultHold)
		}
		equal(t, "delivery", d, want)
		equal(t, "stored delivery", b.read(d.ID), d)
	}
	equal(t, "subscriptions", got, map[string]bool{wants["ticket.created"].ID: true, wants["ticket.*"].ID: true, wants["*"].ID: true, paused.ID: true})
	if a.Duplicate || !switchboard.IsID(switchboard.EventPrefix, a.Event.ID) || !a.Event.OccurredAt.Equal(begin()) {
		t.Errorf("acceptance: %+v", a)
	}
	stored, deliveries, err := b.Event(t.Context(), root(), "", a.Event.ID)
	must(t, err)
	equal(t, "stored event", stored, a.Event)
	equal(t, "its deliveries", deliveries, a.Deliveries)
	listed, err := b.Events(t.Context(), root(), switchboard.EventFilter{}, switchboard.PageRequest{})
	must(t, err)
	a.Event.Data = nil
	equal(t, "in a list", listed.Items, []switchboard.EventDetail{{Event: a.Event, Deliveries: a.Deliveries}})
}

func TestAcceptKeepsBytes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.subscribe("acme", "*")
	big := make([]byte, 3<<20)
	for i := range big {
		big[i] = byte(rand.Uint32())
	}
	for name, data := range map[string][]byte{
		"order, spaces and escapes": []byte(" {\"z\" : 1.0,\t\"a\":\"\\u0000\\/é\" ,\"a\":2}\n"),
		"every byte":                big,
		"looks like hex":            []byte(`\x41`),
	} {
		a := b.accept(switchboard.Event{Tenant: "acme", Type: "call.rang", Key: "k,\"'\\{}", Data: data})
		work, err := b.LoadForAttempt(t.Context(), a.Deliveries[0].ID)
		must(t, err)
		if sha256.Sum256(work.Event.Data) != sha256.Sum256(data) {
			t.Errorf("%s: the bytes changed", name)
		}
		equal(t, name, work.Event.Key, "k,\"'\\{}")
		equal(t, "subscription", work.Subscription.ID, d.ID)
	}
}

func TestAcceptSameIDAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "*")
	first := b.accept(event("acme", "evt-1"))
	b.advance(time.Hour)
	b.subscribe("acme", "*") // a later subscriber does not get a duplicate

	again := event("acme", "evt-1")
	again.OccurredAt = begin().Add(time.Minute)
	otherType, otherKey, otherData := again, again, again
	otherType.Type, otherKey.Key, otherData.Data = "ticket.closed", "k", []byte(`{"b":1,"a":3}`)
	fresh := event("acme", "evt-2")
	got, err := b.Accept(t.Context(), root(), []switchboard.Event{again, otherType, otherKey, otherData, fresh, fresh, event("other", "evt-1")})
	must(t, err)

	equal(t, "duplicate", got[0], switchboard.Acceptance{Event: first.Event, Duplicate: true, Deliveries: first.Deliveries, Differs: []string{"occurred_at"}})
	for i := 1; i <= 3; i++ {
		refused(t, fmt.Sprint("other content ", i), got[i].Err, switchboard.CodeConflict, "id")
	}
	if got[4].Duplicate || len(got[4].Deliveries) != 2 || !got[5].Duplicate {
		t.Errorf("twice in one call: %+v, %+v", got[4], got[5])
	}
	equal(t, "its deliveries", got[5].Deliveries, got[4].Deliveries)
	if got[6].Duplicate || got[6].Err != nil {
		t.Errorf("the same id of another tenant: %+v", got[6])
	}
}

func TestAcceptSameIDConcurrently(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "*")
	other := b.open(ring) // another process with its own batches
	const callers = 200
	results := make([]switchboard.Acceptance, callers)
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			s := b.Store
			if i%2 == 1 {
				s = other
			}
			got, err := s.Accept(t.Context(), root(), []switchboard.Event{event("acme", "evt-1")})
			if err != nil {
				t.Error(err)
				return
			}
			results[i] = got[0]
		})
	}
	group.Wait()
	fresh := 0
	for _, a := range results {
		if !a.Duplicate {
			fresh++
		}
		equal(t, "error", a.Err, nil)
		equal(t, "deliveries", a.Deliveries, results[0].Deliveries)
	}
	equal(t, "accepted anew", fresh, 1)
	var events, deliveries int
	must(t, b.sql.Get(&events, "SELECT count(*) FROM events"))
	must(t, b.sql.Get(&deliveries, "SELECT count(*) FROM deliveries"))
	equal(t, "events, deliveries", []int{events, deliveries}, []int{1, 1})
}

// failOnce makes the next update of who waits for an answer fail.
func (b *bundle) failOnce(code string) {
	b.t.Helper()
	_, err := b.sql.Exec(`
CREATE SEQUENCE failures;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF nextval('failures') = 1 THEN RAISE EXCEPTION USING ERRCODE = '` + code + `'; END IF;
	RETURN new;
END $$;
CREATE TRIGGER fails BEFORE UPDATE OF response_awaited ON deliveries FOR EACH ROW EXECUTE FUNCTION fail()`)
	must(b.t, err)
}

// TestAcceptThatFailsHalfWay: events that were stored before the failure are no repeats of
// themselves when the rest is tried again.
func TestAcceptThatFailsHalfWay(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]string{"with the others": "deadlock_detected", "alone": "raise_exception"} {
		b := setup(t)
		sub := b.subscribe("acme", "*")
		before := b.accept(event("acme", "before")).Deliveries[0]
		b.failOnce(code)
		s := b.openPatient(ring, time.Second)
		work(t, s, before.ID) // it is connected
		var fresh []switchboard.Acceptance
		var again switchboard.Acceptance
		eventually(t, name+": both are accepted", func() bool {
			must(t, second(b.sql.Exec("ALTER SEQUENCE failures RESTART")))
			must(t, second(s.Accept(t.Context(), root(), []switchboard.Event{event("acme", "")})))
			// These two come so soon after the first that they share a batch. On a slow machine
			// each may have its own batch, and the failure is the answer to the repeat.
			var acceptErr, repeatErr error
			var group sync.WaitGroup
			group.Go(func() {
				fresh, acceptErr = s.Accept(t.Context(), root(), []switchboard.Event{event("acme", "")})
			})
			group.Go(func() {
				again, repeatErr = s.AcceptFor(t.Context(), root(), sub.ID, event("acme", "before"), true)
			})
			group.Wait()
			must(t, acceptErr)
			return repeatErr == nil
		})
		if !again.Duplicate {
			t.Errorf("%s: the repeat is %+v", name, again)
		}
		if len(fresh) != 1 || fresh[0].Duplicate || len(fresh[0].Deliveries) != 1 {
			t.Errorf("%s: what is new is accepted as %+v", name, fresh)
		}
		var failures int
		must(t, b.sql.Get(&failures, "SELECT last_value FROM failures"))
		equal(t, name+": updates tried", failures, 2)
		must(t, s.Close())
	}
}

func TestAcceptForOneSubscription(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "*")
	only := b.subscribe("acme", "call.*")
	a, err := b.AcceptFor(t.Context(), of("acme"), only.ID, event("acme", ""), false)
	must(t, err)
	if len(a.Deliveries) != 1 || a.Deliveries[0].SubscriptionID != only.ID {
		t.Errorf("deliveries: %+v", a.Deliveries)
	}
	for name, err := range map[string]error{
		"another tenant's event": second(b.AcceptFor(t.Context(), root(), only.ID, event("other", ""), false)),
		"no such subscription":   second(b.AcceptFor(t.Context(), root(), "sub_none", event("acme", ""), false)),
		"another tenant's key":   second(b.AcceptFor(t.Context(), of("other"), only.ID, event("acme", ""), false)),
	} {
		refused(t, name, err, switchboard.CodeNotFound, "")
	}
	var events int
	must(t, b.sql.Get(&events, "SELECT count(*) FROM events"))
	equal(t, "events stored", events, 1)
}

func second[T any](_ T, err error) error { return err }

func third[A, B any](_ A, _ B, err error) error { return err }

// TestAcceptAndDelete runs both at the same time: in either order no delivery stays open.
func TestAcceptAndDelete(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 20 {
		sub := b.subscribe("acme", "*")
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if _, err := b.Accept(t.Context(), root(), []switchboard.Event{event("acme", "")}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Go(func() {
			if err := b.DeleteSubscription(t.Context(), root(), sub.ID, "leaving"); err != nil {
				t.Error(err)
			}
		})
		group.Wait()
	}
	var open int
	must(t, b.sql.Get(&open, "SELECT count(*) FROM deliveries WHERE completed_at IS NULL"))
	equal(t, "open deliveries of deleted subscriptions", open, 0)
}

// TestConcurrentMix runs everything that locks rows against everything else, on the same few rows.
func TestConcurrentMix(t *testing.T) {
	t.Parallel()
	b := setup(t)
	subs := []switchboard.Subscription{b.subscribe("acme", "*"), b.subscribe("acme", "*"), b.subscribe("acme", "*")}
	other := b.open(ring)
	seed := b.accept(event("acme", "seed"))
	var group sync.WaitGroup
	ok := func(err error) {
		if code := switchboard.CodeOf(err); code != "" && code != switchboard.CodeConflict && code != switchboard.CodeNotFound {
			t.Error(err)
		}
	}
	for i := range 8 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for range 40 {
				d := seed.Deliveries[random.IntN(3)]
				switch random.IntN(11) {
				case 0, 1:
					var batch []switchboard.Event
					for range 5 {
						batch = append(batch, event("acme", fmt.Sprint("evt-", random.IntN(20))))
					}
					_, err := other.Accept(t.Context(), root(), batch)
					ok(err)
				case 2, 3:
					_, err := b.Record(t.Context(), switchboard.Record{Attempt: b.attempt(d, 1+random.IntN(50), 503), Decision: switchboard.Decision{State: switchboard.StateRetrying, Reason: "http_503", Wait: time.Second}, TemporalRunID: "r", Generation: 1 + random.IntN(3)})
					ok(err)
				case 4:
					_, _, err := b.Retry(t.Context(), root(), d.ID, "")
					ok(err)
				case 5:
					ok(second(other.Cancel(t.Context(), root(), d.ID, "")))
				case 6:
					ok(second(other.ClaimDispatches(t.Context(), 10, time.Second)))
				case 7:
					sub := subs[random.IntN(3)]
					ok(second(other.RotateSecret(t.Context(), root(), sub.ID, signing.NewSecret(signing.Standard), switchboard.Rotation{Grace: time.Hour})))
				case 8:
					reversed := slices.Clone(seed.Deliveries)
					slices.Reverse(reversed)
					ok(b.MarkDispatched(t.Context(), reversed))
				case 9:
					ok(other.DispatchNow(t.Context(), idsOf(seed.Deliveries)))
				case 10:
					ok(second(other.ExpireHolds(t.Context())))
				}
			}
		})
	}
	group.Go(func() { ok(b.DeleteSubscription(t.Context(), root(), subs[2].ID, "")) })
	group.Wait()
	b.noDeadlocks()
}

// serverLog returns what the Postgres server has logged, for all databases.
func (b *bundle) serverLog() string {
	b.t.Helper()
	var dir string
	must(b.t, b.sql.Get(&dir, "SHOW data_directory"))
	log, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "postgres.log"))
	must(b.t, err)
	return string(log)
}

// noDeadlocks checks that Postgres ended no transaction in favour of another.
func (b *bundle) noDeadlocks() {
	b.t.Helper()
	var deadlocks int
	must(b.t, b.sql.Get(&deadlocks, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
	if deadlocks != 0 {
		_, log, _ := strings.Cut(b.serverLog(), "deadlock detected")
		b.t.Errorf("%d deadlocks; the server's log: %.8000s", deadlocks, log)
	}
}
