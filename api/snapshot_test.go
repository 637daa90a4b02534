package api

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// TestSnapshots: which callers share an answer, and when a new one is made.
func TestSnapshots(t *testing.T) {
	t.Parallel()
	kept, err := newSnapshots[int](time.Minute, time.Minute)
	must(t, err)
	now, made := created, 0
	kept.now = func() time.Time { return now }
	admin, viewer := switchboard.Caller{Role: switchboard.RoleAdmin}, switchboard.Caller{Role: switchboard.RoleViewer}
	acme, globex := switchboard.Caller{Role: switchboard.RoleViewer, Tenant: "acme"}, switchboard.Caller{Role: switchboard.RoleViewer, Tenant: "globex"}
	for i, c := range []struct {
		name   string
		caller switchboard.Caller
		tenant string
		after  time.Duration
		fails  bool
		want   int // number of the answer
	}{
		{"the first", admin, "", 0, false, 1},
		{"another caller who sees as much", viewer, "", 0, false, 1},
		{"one who does not see the operators' tenant", switchboard.Caller{Role: switchboard.RoleIntegrator}, "", 0, false, 2},
		{"a tenant", admin, "acme", 0, false, 3},
		{"that tenant's key", acme, "acme", 0, false, 4},
		{"another tenant's key", globex, "globex", 0, false, 5},
		{"again", acme, "acme", 59 * time.Second, false, 4},
		{"it is too old", acme, "acme", time.Second, true, 6},
		{"a failure is not kept", acme, "acme", 0, false, 7},
		{"nor are the others as new", globex, "globex", 0, false, 8},
	} {
		now = now.Add(c.after)
		got, err := kept.get(t.Context(), scopeOf(c.caller, c.tenant), func(context.Context) (int, error) {
			if made++; c.fails {
				return made, errors.New("away")
			}
			return made, nil
		})
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%d, %s: got answer %d (%v), want %d", i, c.name, got, err, c.want)
		}
	}
}

// TestSnapshotsAreKept: slower answers are kept for longer, within limits.
func TestSnapshotsAreKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ took, kept time.Duration }{
		{0, 2 * time.Second},
		{100 * time.Millisecond, 2 * time.Second},
		{200 * time.Millisecond, 4 * time.Second},
		{time.Second, 15 * time.Second},
	} {
		snapshots, err := newSnapshots[int](2*time.Second, 15*time.Second)
		must(t, err)
		now, made := created, 0
		snapshots.now = func() time.Time { return now }
		for _, step := range []struct {
			at   time.Duration
			want int
		}{{0, 1}, {c.kept - 1, 1}, {c.kept, 2}} {
			now = created.Add(step.at)
			got, err := snapshots.get(t.Context(), "acme", func(context.Context) (int, error) {
				made++
				now = now.Add(c.took)
				return made, nil
			})
			if must(t, err); got != step.want {
				t.Errorf("took %s: answer %d after %s, want %d", c.took, got, step.at, step.want)
			}
		}
	}
}

// TestSnapshotsAreMadeOnce: for any number of concurrent callers, even if the first one leaves.
func TestSnapshotsAreMadeOnce(t *testing.T) {
	t.Parallel()
	kept, err := newSnapshots[int](time.Minute, time.Minute)
	must(t, err)
	begun, finish := make(chan struct{}), make(chan struct{})
	answer := func(ctx context.Context) (int, error) {
		close(begun) // a second call panics
		<-finish
		return 7, ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	var first, others sync.WaitGroup
	first.Go(func() {
		if _, err := kept.get(ctx, "acme", answer); !errors.Is(err, context.Canceled) {
			t.Errorf("the one who has gone: %v", err)
		}
	})
	<-begun
	for range 5 {
		others.Go(func() {
			if got, err := kept.get(t.Context(), "acme", answer); got != 7 || err != nil {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
	cancel()
	first.Wait()
	close(finish)
	others.Wait()
}

// TestSnapshotMadeMeanwhile: a caller who finds the answer too old, while another has just got a
// new one, gets that one.
func TestSnapshotMadeMeanwhile(t *testing.T) {
	t.Parallel()
	snapshots, err := newSnapshots[int](time.Minute, time.Minute)
	must(t, err)
	now, made := created, 0
	snapshots.now = func() time.Time { return now }
	get := func() int {
		got, err := snapshots.get(t.Context(), "acme", func(context.Context) (int, error) { made++; return made, nil })
		must(t, err)
		return got
	}
	get()
	now = now.Add(time.Minute)
	snapshots.now = func() time.Time { // the first look is interrupted by another's
		snapshots.now = func() time.Time { return now }
		get()
		return now
	}
	if got := get(); got != 2 || made != 2 {
		t.Errorf("got answer %d of %d, want the second of two", got, made)
	}
}
