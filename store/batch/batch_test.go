package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errOutage = errors.New("the database is away")

// fakeDatabase collects the flushed items.
type fakeDatabase struct {
	mu      sync.Mutex
	batches [][]string
	refuse  func(items []string) error // nil: nothing is refused
	hold    chan struct{}              // a flush waits until it is closed; nil: it does not
}

func (f *fakeDatabase) flush(_ context.Context, items []string) ([]Result[string], error) {
	f.mu.Lock()
	f.batches = append(f.batches, slices.Clone(items))
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if f.refuse != nil {
		if err := f.refuse(items); err != nil {
			return nil, err
		}
	}
	results := make([]Result[string], len(items))
	for i, item := range items {
		results[i].Out = "did " + item
	}
	return results, nil
}

// batcher returns one that flushes one batch at a time to the database.
func (f *fakeDatabase) batcher(delay Delay) *Batcher[string, string] {
	return New(Config[string, string]{Delay: delay, Parallel: 1, Flush: f.flush,
		Size:   func(item string) int { return len(item) - 1 },
		Outage: func(err error) bool { return errors.Is(err, errOutage) }})
}

const noDelay = time.Nanosecond

// doTogether gives the items to the batcher in one batch, and returns the errors. It is called
// inside a synctest bubble.
func doTogether(t *testing.T, f *fakeDatabase, items ...string) map[string]error {
	t.Helper()
	b := f.batcher(Delay{Idle: noDelay, Max: noDelay})
	b.slots <- struct{}{} // so that items join
	var mu sync.Mutex
	errs := map[string]error{}
	var group sync.WaitGroup
	for _, item := range items {
		group.Go(func() {
			out, err := b.Do(t.Context(), item)
			if err == nil && out != "did "+item {
				t.Errorf("%s got the result %q", item, out)
			}
			mu.Lock()
			defer mu.Unlock()
			errs[item] = err
		})
	}
	synctest.Wait()
	<-b.slots
	group.Wait()
	b.Close()
	return errs
}

func TestOneItemThatFailsHurtsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDatabase{refuse: func(items []string) error {
			if slices.Contains(items, "bad") {
				return errors.New("cannot be stored")
			}
			return nil
		}}
		errs := doTogether(t, f, "a", "bad", "c")
		if errs["a"] != nil || errs["c"] != nil || errs["bad"] == nil {
			t.Errorf("errors: %v", errs)
		}
		if len(f.batches) != 4 || len(f.batches[0]) != 3 {
			t.Errorf("batches: %v", f.batches)
		}
	})
}

func TestAnOutageIsEveryItemsError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDatabase{refuse: func([]string) error { return errOutage }}
		errs := doTogether(t, f, "a", "b")
		if !errors.Is(errs["a"], errOutage) || !errors.Is(errs["b"], errOutage) || len(f.batches) != 1 {
			t.Errorf("errors %v, batches %v", errs, f.batches)
		}
	})
}

func TestAFullBatchIsFlushedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := (&fakeDatabase{}).batcher(Delay{Idle: time.Hour, Max: time.Hour})
		b.lastArrival = time.Now() // a batch that is not full waits for an hour
		began := time.Now()
		if _, err := b.Do(t.Context(), strings.Repeat("x", MaxSize)); err != nil {
			t.Error(err)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("it waited for %s", waited)
		}
		b.Close()
	})
}

// TestABatchWaitsWhileMoreCome: items that come at these times, in ms, are flushed in these
// batches.
func TestABatchWaitsWhileMoreCome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at   []int
		want [][]string
	}{
		"one by one, none waits": {
			[]int{10, 30, 50},
			[][]string{{"10 at 10"}, {"30 at 30"}, {"50 at 50"}},
		},
		"two soon after one": {
			[]int{10, 12, 14},
			[][]string{{"10 at 10"}, {"12 at 20", "14 at 20"}},
		},
		"many, until the next is late": {
			[]int{10, 12, 15, 20, 25, 33},
			[][]string{{"10 at 10"}, {"12 at 31", "15 at 31", "20 at 31", "25 at 31"}, {"33 at 39"}},
		},
		"many without end, until the maximum is over": {
			[]int{10, 12, 15, 20, 25, 30, 35, 40, 45},
			[][]string{{"10 at 10"}, {"12 at 42", "15 at 42", "20 at 42", "25 at 42", "30 at 42", "35 at 42", "40 at 42"}, {"45 at 51"}},
		},
		"the first after many waits, and then none does": {
			[]int{10, 12, 14, 40, 60},
			[][]string{{"10 at 10"}, {"12 at 20", "14 at 20"}, {"40 at 46"}, {"60 at 60"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				since := func() int { return int(time.Since(begin).Milliseconds()) }
				var flushed [][]string
				b := New(Config[string, string]{Delay: Delay{Idle: 6 * time.Millisecond, Max: 30 * time.Millisecond}, Parallel: 2,
					Flush: func(_ context.Context, items []string) ([]Result[string], error) {
						at := fmt.Sprintf(" at %d", since())
						var batch []string
						for _, item := range items {
							batch = append(batch, item+at)
						}
						flushed = append(flushed, batch)
						return make([]Result[string], len(items)), nil
					}})
				var group sync.WaitGroup
				for _, at := range c.at {
					time.Sleep(time.Duration(at-since()) * time.Millisecond)
					synctest.Wait() // everything that is due is done before the next item comes
					group.Go(func() { _, _ = b.Do(t.Context(), fmt.Sprint(at)) })
				}
				group.Wait()
				if got := fmt.Sprint(flushed); got != fmt.Sprint(c.want) {
					t.Errorf("got  %s\nwant %v", got, c.want)
				}
			})
		})
	}
}

// TestACallerMayLeave: neither the others nor its own item are affected.
func TestACallerMayLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDatabase{hold: make(chan struct{})}
		b := f.batcher(Delay{Idle: noDelay, Max: noDelay})
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := b.Do(ctx, "a")
			left <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("left with %v", err)
		}
		if _, err := b.Do(ctx, "b"); !errors.Is(err, context.Canceled) {
			t.Errorf("joined with %v", err)
		}
		close(f.hold)
		if out, err := b.Do(t.Context(), "c"); err != nil || out != "did c" {
			t.Errorf("the next: %q, %v", out, err)
		}
		b.Close()
		if _, err := b.Do(t.Context(), "d"); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if all := slices.Concat(f.batches...); !slices.Equal(all, []string{"a", "c"}) {
			t.Errorf("flushed %v", all)
		}
	})
}
