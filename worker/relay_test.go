package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/serviceerror"

	"github.com/seed-49a43567/switchboard"
)

// fakeDispatcher notes dispatches, and fails or refuses some of them.
type fakeDispatcher struct {
	mu         sync.Mutex
	dispatched []string
	refuse     map[string]error // by delivery: an error, or nil for "try again"
}

func (f *fakeDispatcher) dispatch(_ context.Context, d switchboard.Delivery) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err, refused := f.refuse[d.ID]; refused {
		return false, err
	}
	f.dispatched = append(f.dispatched, d.ID)
	return true, nil
}

func named(ids ...string) []switchboard.Delivery {
	deliveries := make([]switchboard.Delivery, len(ids))
	for i, id := range ids {
		deliveries[i].ID = id
	}
	return deliveries
}

func sorted(ids []string) []string { return slices.Sorted(slices.Values(ids)) }

// TestRelayPass: successful dispatches are marked, whatever the result of the others.
func TestRelayPass(t *testing.T) {
	t.Parallel()
	away := errors.New("Temporal is away")
	for name, c := range map[string]struct {
		refuse map[string]error
		marked []string
		err    error
	}{
		"all":                      {nil, []string{"a", "b", "c"}, nil},
		"one is to be tried again": {map[string]error{"b": nil}, []string{"a", "c"}, nil},
		"one is refused, for ever": {map[string]error{"b": serviceerror.NewFailedPrecondition("no")}, []string{"a", "c"}, nil},
		"one fails":                {map[string]error{"b": away}, []string{"a", "c"}, nil},
		"Temporal is away":         {map[string]error{"a": away, "b": away, "c": away}, nil, away},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := &fakeOutbox{due: named("a", "b", "c")}
			claimed, err := newRelay(&fakeDispatcher{refuse: c.refuse}, box, nil, slog.New(slog.DiscardHandler)).pass(t.Context(), relayBatch)
			if claimed != 3 || !errors.Is(err, c.err) {
				t.Errorf("claimed %d, %v; want 3, %v", claimed, err, c.err)
			}
			if diff := cmp.Diff(c.marked, sorted(box.started)); diff != "" {
				t.Errorf("marked (-want +got):\n%s", diff)
			}
		})
	}
}

// slow is a Temporal that makes some starts wait until their time is over.
type slow struct {
	fakeDispatcher
	hangs func(id string) bool
	tried int
}

func (f *slow) dispatch(ctx context.Context, d switchboard.Delivery) (bool, error) {
	f.mu.Lock()
	f.tried++
	f.mu.Unlock()
	if f.hangs(d.ID) {
		<-ctx.Done()
		return false, ctx.Err()
	}
	return f.fakeDispatcher.dispatch(ctx, d)
}

// TestRelayPassBesideSlowStarts: a start that takes too long ends alone, and a Temporal that hangs
// is not asked for each delivery of a batch.
func TestRelayPassBesideSlowStarts(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range relayBatch {
		ids = append(ids, fmt.Sprintf("dlv_%03d", i))
	}
	for name, c := range map[string]struct {
		hangs  func(id string) bool
		marked int
		tried  int // at most
		took   time.Duration
		err    error
	}{
		"the first":          {func(id string) bool { return id == "dlv_000" }, relayBatch - 1, relayBatch, startTimeout, nil},
		"the last":           {func(id string) bool { return id == "dlv_199" }, relayBatch - 1, relayBatch, startTimeout, nil},
		"every fiftieth":     {func(id string) bool { return id[5:] == "00" || id[5:] == "50" }, relayBatch - 4, relayBatch, startTimeout, nil},
		"a seventh at once":  {func(id string) bool { return id < "dlv_007" }, relayBatch - 7, relayBatch, startTimeout, nil},
		"all: a whole stall": {func(string) bool { return true }, 0, relayPool + relayMaxFailures, 2 * startTimeout, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				box, f := &fakeOutbox{due: named(ids...)}, &slow{hangs: c.hangs}
				began := time.Now()
				claimed, err := newRelay(f, box, nil, slog.New(slog.DiscardHandler)).pass(t.Context(), relayBatch)
				if claimed != relayBatch || !errors.Is(err, c.err) || c.err == nil && err != nil {
					t.Errorf("claimed %d, %v; want %d, %v", claimed, err, relayBatch, c.err)
				}
				if took := time.Since(began); len(box.started) != c.marked || f.tried > c.tried || took > c.took {
					t.Errorf("marked %d of %d tried in %s; want %d of at most %d in %s", len(box.started), f.tried, took, c.marked, c.tried, c.took)
				}
			})
		})
	}
}

// TestRelayRun: a signal starts a pass at once, a full batch is followed by the next, and
// deliveries that were found by another pass soon after. While Postgres is unavailable only the
// poll asks again.
func TestRelayRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, f := &fakeOutbox{}, &fakeDispatcher{}
		r := newRelay(f, box, nil, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); r.run(ctx) }()
		passes := func(what string, want int) {
			t.Helper()
			synctest.Wait()
			box.mu.Lock()
			defer box.mu.Unlock()
			if box.claims != want {
				t.Errorf("%s: %d claims, want %d", what, box.claims, want)
			}
			box.claims = 0
		}
		passes("at the start", 1)
		put := func(n int, away error) {
			box.mu.Lock()
			defer box.mu.Unlock()
			box.due, box.away = make([]switchboard.Delivery, n), away
		}
		put(2*relayBatch+1, nil)
		r.wake()
		passes("woken, three batches", 3)
		if len(f.dispatched) != 2*relayBatch+1 {
			t.Errorf("dispatched %d", len(f.dispatched))
		}
		time.Sleep(relaySoon)
		passes("soon after it has found something", 1)
		time.Sleep(relayPoll - relaySoon)
		passes("the poll", 1)
		put(0, errors.New("Postgres is away"))
		r.wake()
		passes("woken, and Postgres is away", 1)
		r.wake()
		passes("woken again", 0)
		time.Sleep(relayPoll)
		passes("the poll again", 1)
		stop()
		<-ended
	})
}

// TestRelayClaimsFewerWhereStartsAreSlow: it claims all again when they are not.
func TestRelayClaimsFewerWhereStartsAreSlow(t *testing.T) {
	t.Parallel()
	limit := relayBatch
	var limits []int
	for _, took := range []time.Duration{time.Second, time.Second, time.Second, time.Second, relayPassTime, 0, 0, 0} {
		limit = nextLimit(limit, took)
		limits = append(limits, limit)
	}
	if want := []int{100, 50, relayPool, relayPool, 64, 128, relayBatch, relayBatch}; !slices.Equal(limits, want) {
		t.Errorf("%v, want %v", limits, want)
	}
}
