package activities

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

// QueueStore is what Queues need of the store.
type QueueStore interface {
	// Heartbeat records that the worker lives and counts that many workers, with more facts about
	// it, and returns the facts about the others.
	Heartbeat(ctx context.Context, workerID string, counted int, facts switchboard.WorkerFacts) (switchboard.Workers, error)
	// Leave records that the worker has ended.
	Leave(ctx context.Context, workerID string) error
	// ReleaseNext releases the oldest deliveries of the subscription that wait for their turn, as
	// many as room says and as the rate limit allows in that time. Each is due at its turn.
	ReleaseNext(ctx context.Context, subscriptionID string, ahead time.Duration, room func(switchboard.Subscription, switchboard.Health) int) ([]switchboard.Delivery, error)
}

const (
	// queuePool is how many subscriptions' deliveries are released at the same time.
	queuePool = 4
	// turnsAhead is how far ahead turns of a rate limit are taken: longer than the time between two
	// checks of the queue.
	turnsAhead = switchboard.WorkerHeartbeat * 3 / 2
)

// QueuesConfig has the parts of [Queues]. Every field is required.
type QueuesConfig struct {
	Store    QueueStore
	Limiter  *inflight.Limiter
	Start    func(ctx context.Context, deliveries []switchboard.Delivery) // starts their workflows
	WorkerID string                                                       // names this process
	Outages  *Outages
	Log      *slog.Logger
	Now      func() time.Time
}

// Queues releases deliveries that wait for their turn under a rate_limit or max_in_flight, as many
// as this process can send: when a request of their subscription has ended, and every second, so
// that no delivery has to wait for a worker that died or has nothing to send. By the same heartbeat
// the workers know their number, and divide max_in_flight.
type Queues struct {
	QueuesConfig

	counted int // the workers that this one counts

	mu      sync.Mutex
	due     map[string]bool // subscriptions whose next deliveries must be released
	pending chan struct{}   // has a signal while there are some
}

// NewQueues makes the queues of a process.
func NewQueues(c QueuesConfig) *Queues {
	return &Queues{QueuesConfig: c, due: map[string]bool{}, pending: make(chan struct{}, 1)}
}

// Ended tells the queues that a request of the subscription has ended.
func (q *Queues) Ended(subscriptionID string) { q.add(subscriptionID) }

// add marks subscriptions whose next deliveries must be released.
func (q *Queues) add(subscriptionIDs ...string) {
	if len(subscriptionIDs) == 0 {
		return
	}
	q.mu.Lock()
	for _, id := range subscriptionIDs {
		q.due[id] = true
	}
	q.mu.Unlock()
	select {
	case q.pending <- struct{}{}:
	default: // there is already a signal
	}
}

// Join records that this worker lives, and reports whether the others count it.
func (q *Queues) Join(ctx context.Context) (bool, error) {
	w, err := q.heartbeat(ctx)
	return w.Counted, err
}

// Run runs until ctx ends, and then records that this worker has ended.
func (q *Queues) Run(ctx context.Context) {
	var beating sync.WaitGroup
	beating.Go(func() { q.beat(ctx) })
	for {
		select {
		case <-ctx.Done():
			beating.Wait()
			q.leave(ctx)
			return
		case <-q.pending:
			q.release(ctx, q.takeDue())
		}
	}
}

// beat sends a heartbeat every second, and starts the release of deliveries that wait in Postgres.
// A release never delays it, however long it takes, because the others would consider this worker
// dead.
func (q *Queues) beat(ctx context.Context) {
	tick := time.NewTicker(switchboard.WorkerHeartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w, err := q.heartbeat(ctx)
			if q.Outages.Observe(ctx, Postgres, err) {
				q.Log.WarnContext(ctx, "heartbeat of this worker not stored", "error", err)
			}
			q.add(w.Queued...)
		}
	}
}

func (q *Queues) heartbeat(ctx context.Context) (switchboard.Workers, error) {
	ctx, cancel := context.WithTimeout(ctx, switchboard.WorkerExpiry-switchboard.WorkerMargin)
	defer cancel()
	began := q.Now()
	w, err := q.Store.Heartbeat(ctx, q.WorkerID, q.counted, q.facts())
	if err != nil {
		return w, err
	}
	if q.Limiter.SetWorkers(w.Live, w.Rank, began.Add(switchboard.WorkerExpiry-switchboard.WorkerMargin)) || w.Live < q.counted {
		q.counted = w.Live
	}
	q.Limiter.SetWaiting(w.Queued, began)
	return w, nil
}

// facts returns what people want to know of this worker.
func (q *Queues) facts() switchboard.WorkerFacts {
	fast, slow := q.Limiter.Usage(inflight.PoolFast), q.Limiter.Usage(inflight.PoolSlow)
	return switchboard.WorkerFacts{
		Version: switchboard.Version, Slots: fast.Limit, SlotsTaken: fast.Taken, SlowSlots: slow.Limit, SlowSlotsTaken: slow.Taken,
	}
}

func (q *Queues) leave(ctx context.Context) {
	ctx, cancel := storeContext(ctx)
	defer cancel()
	if err := q.Store.Leave(ctx, q.WorkerID); err != nil { // the others find out by themselves
		q.Log.DebugContext(ctx, "end of this worker not stored", "error", err)
	}
}

// takeDue returns the subscriptions whose next deliveries must be released.
func (q *Queues) takeDue() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	ids := make([]string, 0, len(q.due))
	for id := range q.due {
		ids = append(ids, id)
	}
	clear(q.due)
	return ids
}

func (q *Queues) release(ctx context.Context, subscriptionIDs []string) {
	pool := errgroup.Group{}
	pool.SetLimit(queuePool)
	for _, id := range subscriptionIDs {
		pool.Go(func() error { q.releaseNext(ctx, id); return nil })
	}
	_ = pool.Wait()
}

// releaseNext releases deliveries of one subscription. After a failure it tries again in a second.
func (q *Queues) releaseNext(ctx context.Context, subscriptionID string) {
	bounded, cancel := storeContext(ctx)
	defer cancel()
	released, err := q.Store.ReleaseNext(bounded, subscriptionID, turnsAhead, func(s switchboard.Subscription, h switchboard.Health) int {
		return q.Limiter.Room(inflight.Request{Subscription: &s, Slow: h.Slow}, q.Now())
	})
	if err != nil {
		if q.Outages.Observe(ctx, Postgres, err) {
			q.Log.WarnContext(ctx, "deliveries that wait for their turn not released", "subscription", subscriptionID, "error", err)
		}
		return
	}
	if len(released) > 0 {
		q.Limiter.Expect(released)
		go q.start(ctx, released)
	}
}

// start starts deliveries at their turns. If this process ends earlier, a relay starts them.
func (q *Queues) start(ctx context.Context, released []switchboard.Delivery) {
	for len(released) > 0 && ctx.Err() == nil {
		now, due := q.Now(), 0
		for due < len(released) && !released[due].NextAttemptAt.After(now) {
			due++
		}
		if due > 0 {
			q.Start(ctx, released[:due])
			released = released[due:]
			continue
		}
		timer := time.NewTimer(released[0].NextAttemptAt.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}
