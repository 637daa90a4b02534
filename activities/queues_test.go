package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

// fakeQueues is a store with deliveries that wait in order, and the engine that starts them.
type fakeQueues struct {
	mu       sync.Mutex
	waiting  map[string][]string // deliveries, by subscription
	interval time.Duration       // between two turns
	beats    []int               // the workers counted at each heartbeat
	live     int
	away     bool
	left     bool
	hangs    bool // it does not answer releases
	started  map[string]time.Time
}

func (f *fakeQueues) Heartbeat(_ context.Context, _ string, counted int, _ switchboard.WorkerFacts) (switchboard.Workers, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return switchboard.Workers{}, errors.New("Postgres is away")
	}
	f.beats = append(f.beats, counted)
	w := switchboard.Workers{Live: f.live, Counted: true}
	for id, deliveries := range f.waiting {
		if len(deliveries) > 0 {
			w.Queued = append(w.Queued, id)
		}
	}
	return w, nil
}

func (f *fakeQueues) Leave(context.Context, string) error {
	f.left = true
	return nil
}

func (f *fakeQueues) ReleaseNext(ctx context.Context, id string, _ time.Duration, room func(switchboard.Subscription, switchboard.Health) int) ([]switchboard.Delivery, error) {
	if f.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var released []switchboard.Delivery
	for range min(len(f.waiting[id]), room(switchboard.Subscription{ID: id, MaxInFlight: 2}, switchboard.Health{})) {
		released = append(released, switchboard.Delivery{
			ID: f.waiting[id][0], SubscriptionID: id, NextAttemptAt: time.Now().Add(time.Duration(len(released)) * f.interval),
		})
		f.waiting[id] = f.waiting[id][1:]
	}
	return released, nil
}

func (f *fakeQueues) start(_ context.Context, deliveries []switchboard.Delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range deliveries {
		f.started[d.ID] = time.Now()
	}
}

func (f *fakeQueues) startedSoFar() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for id := range f.started {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// set changes the store's answers.
func (f *fakeQueues) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// run lets queues of the store run while test runs, in virtual time.
func (f *fakeQueues) run(t *testing.T, test func(*activities.Queues)) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		f.started, f.live = map[string]time.Time{}, 1
		q := activities.NewQueues(activities.QueuesConfig{
			Store: f, Limiter: inflight.NewLimiter(10, 10), Start: f.start, WorkerID: "me",
			Outages: &activities.Outages{Log: slog.New(slog.DiscardHandler)}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		})
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			q.Run(ctx)
			close(ended)
		}()
		synctest.Wait()
		test(q)
		stop()
		<-ended
		if !f.left {
			t.Error("the others do not hear that this worker has ended")
		}
	})
}

// TestQueuesReleaseWhenARequestHasEnded: as many as this process can send.
func TestQueuesReleaseWhenARequestHasEnded(t *testing.T) {
	t.Parallel()
	f := &fakeQueues{waiting: map[string][]string{"sub_1": {"dlv_1", "dlv_2", "dlv_3"}, "sub_2": {"dlv_4"}}}
	f.run(t, func(q *activities.Queues) {
		q.Ended("sub_1")
		synctest.Wait()
		if got := f.startedSoFar(); !slices.Equal(got, []string{"dlv_1", "dlv_2"}) {
			t.Errorf("started %v, want two of that subscription", got)
		}
		q.Ended("sub_1")
		synctest.Wait()
		if got := f.startedSoFar(); len(got) != 2 {
			t.Errorf("started %v, while those before have not begun", got)
		}
	})
}

// TestQueuesAreReleasedEverySecond: nothing waits for a dead worker.
func TestQueuesAreReleasedEverySecond(t *testing.T) {
	t.Parallel()
	f := &fakeQueues{waiting: map[string][]string{"sub_1": {"dlv_1"}, "sub_2": {"dlv_2"}}}
	f.run(t, func(*activities.Queues) {
		time.Sleep(switchboard.WorkerHeartbeat + time.Millisecond)
		synctest.Wait()
		if got := f.startedSoFar(); !slices.Equal(got, []string{"dlv_1", "dlv_2"}) {
			t.Errorf("started %v, want both", got)
		}
	})
}

// TestQueuesStartAtTheTurn: each delivery is started at its own turn.
func TestQueuesStartAtTheTurn(t *testing.T) {
	t.Parallel()
	f := &fakeQueues{waiting: map[string][]string{"sub_1": {"dlv_1", "dlv_2"}}, interval: 300 * time.Millisecond}
	f.run(t, func(q *activities.Queues) {
		began := time.Now()
		q.Ended("sub_1")
		time.Sleep(400 * time.Millisecond)
		synctest.Wait()
		if first, second := f.started["dlv_1"].Sub(began), f.started["dlv_2"].Sub(began); first != 0 || second != 300*time.Millisecond {
			t.Errorf("started after %s and %s, want 0s and 300ms", first, second)
		}
	})
}

// TestWorkerCountsTheOthers: once its requests in flight are within its share.
func TestWorkerCountsTheOthers(t *testing.T) {
	t.Parallel()
	f := &fakeQueues{}
	f.run(t, func(q *activities.Queues) {
		two := &switchboard.Subscription{ID: "sub_1", MaxInFlight: 2}
		slots := []*inflight.Slot{}
		for range 2 {
			slots = append(slots, q.Limiter.Take(inflight.Request{Subscription: two}, time.Now()))
		}
		time.Sleep(2*switchboard.WorkerHeartbeat + time.Millisecond)
		f.set(func() { f.live = 2 })
		time.Sleep(2 * switchboard.WorkerHeartbeat)
		slots[0].Release(time.Now(), time.Millisecond)
		time.Sleep(2 * switchboard.WorkerHeartbeat)
		synctest.Wait()
		if want := []int{0, 1, 1, 1, 1, 2}; !slices.Equal(f.beats, want) {
			t.Errorf("counted %v, want %v", f.beats, want)
		}
	})
}

// TestReleaseThatTakesLong: a release that takes long, for example behind a lock, does not delay
// the heartbeat. Otherwise the others would consider the worker dead, and it would send nothing to
// any endpoint.
func TestReleaseThatTakesLong(t *testing.T) {
	t.Parallel()
	f := &fakeQueues{waiting: map[string][]string{"sub_1": {"dlv_1"}}, hangs: true}
	f.run(t, func(q *activities.Queues) {
		time.Sleep(2*switchboard.WorkerExpiry + time.Millisecond)
		synctest.Wait()
		if want := int(2 * switchboard.WorkerExpiry / switchboard.WorkerHeartbeat); len(f.beats) != want {
			t.Errorf("%d heartbeats, want %d", len(f.beats), want)
		}
		if other := (inflight.Request{Subscription: &switchboard.Subscription{ID: "sub_2", MaxInFlight: 2}}); !q.Limiter.Take(other, time.Now()).Taken() {
			t.Error("sends nothing to another endpoint")
		}
	})
}

// TestWorkerThatCannotSayThatItLivesSendsNothing: it stops before the others divide its share.
func TestWorkerThatCannotSayThatItLivesSendsNothing(t *testing.T) {
	t.Parallel()
	f := &fakeQueues{}
	f.run(t, func(q *activities.Queues) {
		one := inflight.Request{Subscription: &switchboard.Subscription{ID: "sub_1", MaxInFlight: 2}}
		time.Sleep(switchboard.WorkerHeartbeat + time.Millisecond)
		f.set(func() { f.away = true })
		time.Sleep(switchboard.WorkerExpiry - switchboard.WorkerMargin - 2*time.Millisecond)
		if !q.Limiter.Take(one, time.Now()).Taken() {
			t.Error("sends nothing while the others count it")
		}
		time.Sleep(3 * time.Millisecond)
		if q.Limiter.Take(one, time.Now()).Taken() {
			t.Error("sends although the others may take it for dead")
		}
	})
}
