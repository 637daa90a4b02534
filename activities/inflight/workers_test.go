package inflight

import (
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// TestWorkersDivideMaxInFlight: together they have all of it, and never more.
func TestWorkersDivideMaxInFlight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		maxInFlight int
		shares      []int // of each worker
	}{
		{16, []int{16}}, {16, []int{8, 8}}, {5, []int{3, 2}}, {4, []int{2, 1, 1}}, {1, []int{1, 0}}, {2, []int{1, 1, 0}}, {100, []int{34, 33, 33}},
	} {
		for rank, want := range c.shares {
			l, now := NewLimiter(500, 500), start()
			l.SetWorkers(len(c.shares), rank, now.Add(time.Second))
			r, taken := requestOf("acme", "sub_1", c.maxInFlight), 0
			if room := l.Room(r, now); room != want {
				t.Errorf("%d for worker %d of %d: room for %d, want %d", c.maxInFlight, rank, len(c.shares), room, want)
			}
			for l.Take(r, now).Taken() {
				taken++
			}
			if taken != want {
				t.Errorf("%d for worker %d of %d: %d, want %d", c.maxInFlight, rank, len(c.shares), taken, want)
			}
		}
	}
}

// TestWorkerThatIsNotHeardOfSendsNothing: the others have divided its share.
func TestWorkerThatIsNotHeardOfSendsNothing(t *testing.T) {
	t.Parallel()
	l, now, r := NewLimiter(10, 10), start(), requestOf("acme", "sub_1", 16)
	l.SetWorkers(1, 0, now.Add(time.Second))
	if !l.Take(r, now.Add(time.Second)).Taken() {
		t.Error("no slot before the others take it for dead")
	}
	now = now.Add(time.Second + time.Millisecond)
	if s := l.Take(r, now); s.Taken() || s.Full || !s.RetryAt.After(now) {
		t.Errorf("%+v, want a later date", s)
	}
	if room := l.Room(r, now); room != 0 {
		t.Errorf("room for %d", room)
	}
}

// TestWorkerSaysWhenItIsWithinItsShare: a new worker waits for that.
func TestWorkerSaysWhenItIsWithinItsShare(t *testing.T) {
	t.Parallel()
	l, now, r := NewLimiter(20, 20), start(), requestOf("acme", "sub_1", 4)
	until := now.Add(time.Hour)
	var slots []*Slot
	for range 4 {
		slots = append(slots, l.Take(r, now))
	}
	if l.SetWorkers(2, 0, until) {
		t.Error("four are in flight, and it says that no more than two are")
	}
	if s := l.Take(r, now); !s.Full {
		t.Error("another one began")
	}
	slots[0].Release(now, 0)
	slots[1].Release(now, 0)
	if !l.SetWorkers(2, 0, until) {
		t.Error("two are in flight, and it says that more are")
	}
}

// TestSlotsAreKeptForReleasedDeliveries: they are kept until the deliveries come, or for a while.
func TestSlotsAreKeptForReleasedDeliveries(t *testing.T) {
	t.Parallel()
	l, now, r := NewLimiter(10, 10), start(), requestOf("acme", "sub_1", 2)
	l.Expect([]switchboard.Delivery{{ID: "dlv_1", SubscriptionID: "sub_1", NextAttemptAt: now}, {ID: "dlv_2", SubscriptionID: "sub_1", NextAttemptAt: now}})
	take := func(id string) *Slot {
		r.DeliveryID = id
		return l.Take(r, now)
	}
	if room := l.Room(r, now); room != 0 {
		t.Errorf("room for %d beside those that are expected", room)
	}
	if !take("dlv_other").Full {
		t.Error("another delivery took a slot that is kept")
	}
	if !take("dlv_1").Taken() {
		t.Error("a delivery did not get the slot that is kept for it")
	}
	now = now.Add(expectedFor + time.Millisecond)
	if !take("dlv_other").Taken() {
		t.Error("a slot is kept for ever for a delivery that went elsewhere")
	}
}

func TestWaitingSubscriptions(t *testing.T) {
	t.Parallel()
	l := NewLimiter(10, 10)
	l.SetWaiting([]string{"sub_1"}, start())
	l.AddWaiting("sub_2")
	if !l.IsWaiting("sub_1") || !l.IsWaiting("sub_2") || l.IsWaiting("sub_3") {
		t.Error("not those that were named")
	}
	l.SetWaiting(nil, start())
	if l.IsWaiting("sub_1") || l.IsWaiting("sub_2") {
		t.Error("one waits that was not named again")
	}
}

// TestExpectedSlotIsForgotten: if another process has sent a delivery that this process released,
// its subscription's queue does not stay in memory.
func TestExpectedSlotIsForgotten(t *testing.T) {
	t.Parallel()
	l, now := NewLimiter(10, 10), start()
	l.Expect([]switchboard.Delivery{{ID: "dlv_1", SubscriptionID: "sub_1", NextAttemptAt: now}})
	for _, c := range []struct {
		age   time.Duration
		known int
	}{{expectedFor, 1}, {expectedFor + time.Millisecond, 0}} {
		if l.SetWaiting(nil, now.Add(c.age)); len(l.queues) != c.known {
			t.Errorf("%d queues are known after %s, want %d", len(l.queues), c.age, c.known)
		}
	}
}
