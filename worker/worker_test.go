package worker

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

// joining is a store that answers the heartbeats of a worker that joins.
type joining struct {
	activities.QueueStore

	since   time.Time
	counts  time.Duration // when the others count the worker; 0: they never do
	returns time.Duration // when Postgres is available again
}

func (j *joining) Heartbeat(context.Context, string, int, switchboard.WorkerFacts) (switchboard.Workers, error) {
	passed := time.Since(j.since)
	if passed < j.returns {
		return switchboard.Workers{}, errors.New("Postgres is away")
	}
	return switchboard.Workers{Live: 2, Rank: 1, Counted: j.counts > 0 && passed >= j.counts}, nil
}

// TestJoin: a worker begins when the others count it, and does not wait without end for their
// hanging requests.
func TestJoin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		store joining
		want  time.Duration
	}{
		"at once":                     {joining{counts: time.Nanosecond}, 250 * time.Millisecond},
		"with a later heartbeat":      {joining{counts: 900 * time.Millisecond}, time.Second},
		"requests of another hang":    {joining{}, joinTimeout},
		"Postgres is away for a time": {joining{returns: time.Minute}, time.Minute + joinTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log := slog.New(slog.DiscardHandler)
				began := time.Now()
				store := c.store
				store.since = began
				queues := activities.NewQueues(activities.QueuesConfig{Store: &store, Limiter: inflight.NewLimiter(8, 8), Now: time.Now})
				untilJoined(t.Context(), Config{Queues: queues, Outages: &activities.Outages{Log: log}, Log: log})
				if waited := time.Since(began); waited < c.want-250*time.Millisecond || waited > c.want+250*time.Millisecond {
					t.Errorf("it waited for %s; want %s", waited, c.want)
				}
			})
		})
	}
}

// TestStopWaitsForPostgres: outcomes are recorded before the process ends, if that is soon.
func TestStopWaitsForPostgres(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		recorded, want time.Duration // after the stop
		lost           bool
	}{
		"at once":                  {0, 0, false},
		"Postgres is back soon":    {3 * time.Second, 3 * time.Second, false},
		"Postgres does not return": {time.Hour, stopTimeout, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				buffer, sent := inflight.NewBuffer(), switchboard.Record{Attempt: switchboard.Attempt{ID: "att_1", DeliveryID: "dlv_1"}}
				if c.recorded > 0 {
					buffer.Put(sent)
					time.AfterFunc(c.recorded, func() { buffer.Remove(sent) })
				}
				began := time.Now()
				untilRecorded(t.Context(), Config{Deliveries: &activities.Deliveries{Unrecorded: buffer}, Log: slog.New(slog.NewTextHandler(&log, nil))}, began.Add(stopTimeout))
				if waited := time.Since(began); waited < c.want || waited > c.want+200*time.Millisecond || strings.Contains(log.String(), "dlv_1") != c.lost {
					t.Errorf("it waited for %s and logged %q; want %s", waited, log.String(), c.want)
				}
			})
		})
	}
}

// A process that stops while it waits for Temporal reports no error.
func TestStopWhileTemporalIsAwayIsNoError(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	c, err := client.NewLazyClient(client.Options{HostPort: "127.0.0.1:1", Logger: sdklog.NewStructuredLogger(log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := Run(ctx, Config{Client: c, Namespace: client.DefaultNamespace, Log: log}); err != nil {
		t.Errorf("ended with %v", err)
	}
}
