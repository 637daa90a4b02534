package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
)

const (
	// relayBatch is how many deliveries a relay claims at once, at most.
	relayBatch = 200
	// relayPool is how many of them are dispatched at the same time.
	relayPool = 32
	// relayPassTime is how long a pass should take: if starts are slow, fewer deliveries are
	// claimed. A claimed delivery is started even if its operation is cancelled or its subscription
	// paused in the meantime, and no other relay gets it.
	relayPassTime = 500 * time.Millisecond
	// relayLease is how long a claim lasts: longer than a start may take, but short enough that the
	// claims of a dead relay are soon another's.
	relayLease = 10 * time.Second
	// relayPoll finds deliveries without a notification: starts that failed, leases that ended, and
	// starts that found the workflow of an earlier generation still open.
	relayPoll = time.Second
	// relaySoon is the pause after a pass that found deliveries. A release spreads its deliveries
	// evenly; with longer pauses they would reach the receiver in bursts, beyond its max_in_flight.
	relaySoon = 50 * time.Millisecond
	// relayMaxFailures is how many starts in a row must fail before Temporal counts as away. With
	// fewer, a single slow start would end the pass.
	relayMaxFailures = 8
)

// relay dispatches the rows of the outbox: it starts or ends their workflows. It starts deliveries
// that the API could not start because it died, was too busy, or Temporal was away; that an
// operator retried; that an operation released; or whose workflow the reconciler did not find. It
// ends the workflows of deliveries that an operator held, or that were cancelled with their
// subscription, or while Temporal was away.
type relay struct {
	dispatcher dispatcher
	outbox     Outbox
	outages    *activities.Outages
	log        *slog.Logger
	traces     bool // dispatches are traced
	woken      chan struct{}
}

// dispatcher is what the relay needs of the engine.
type dispatcher interface {
	// dispatch starts or ends a delivery's workflow; false: it has to be tried again.
	dispatch(ctx context.Context, d switchboard.Delivery) (bool, error)
}

func newRelay(d dispatcher, o Outbox, outages *activities.Outages, log *slog.Logger) *relay {
	return &relay{dispatcher: d, outbox: o, outages: outages, log: log, woken: make(chan struct{}, 1)}
}

// wake makes the relay run a pass at once.
func (r *relay) wake() {
	select {
	case r.woken <- struct{}{}:
	default: // there is already a signal
	}
}

// run runs passes until ctx ends.
func (r *relay) run(ctx context.Context) {
	poll := time.NewTicker(relayPoll)
	defer poll.Stop()
	soon := time.NewTicker(relaySoon)
	defer soon.Stop()
	for limit := relayBatch; ; {
		began, asked := time.Now(), limit
		claimed, err := r.pass(ctx, asked)
		limit = nextLimit(limit, time.Since(began))
		switch {
		case ctx.Err() != nil:
			return
		case err != nil: // Postgres or Temporal is away: a signal would not help
			wait(ctx, poll.C, nil)
		case claimed == 0:
			wait(ctx, poll.C, r.woken)
		case claimed < asked:
			wait(ctx, soon.C, r.woken)
		}
	}
}

// nextLimit is how many deliveries the next pass claims, after a pass that took this long.
func nextLimit(limit int, took time.Duration) int {
	if took > relayPassTime {
		return max(limit/2, relayPool)
	}
	return min(2*limit, relayBatch)
}

// wait returns with the next tick, with a signal, or when ctx ends.
func wait(ctx context.Context, tick <-chan time.Time, signal <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-tick:
	case <-signal:
	}
}

// pass dispatches at most this many deliveries, and returns how many it has claimed. A start that
// fails or takes too long does not stop the others; the pass ends if Temporal does not answer at
// all. The rest is claimed again when the lease ends.
func (r *relay) pass(ctx context.Context, limit int) (int, error) {
	due, err := r.outbox.ClaimDispatches(ctx, limit, relayLease)
	if r.observe(ctx, activities.Postgres, err); err != nil || len(due) == 0 {
		return 0, err
	}
	p := relayPass{relay: r, parents: r.parents(ctx, due)}
	var group errgroup.Group
	group.SetLimit(relayPool)
	for _, d := range due {
		group.Go(func() error { p.dispatch(ctx, d); return nil })
	}
	_ = group.Wait() // p holds the error
	err = r.outbox.MarkDispatched(ctx, p.dispatched)
	r.observe(ctx, activities.Postgres, err)
	return len(due), errors.Join(err, p.away())
}

// parents returns the traces to which the dispatches belong. If they cannot be read, the deliveries
// are dispatched without.
func (r *relay) parents(ctx context.Context, due []switchboard.Delivery) map[string]string {
	if !r.traces {
		return nil
	}
	found, err := r.outbox.TraceParents(ctx, due)
	r.observe(ctx, activities.Postgres, err)
	return found
}

func (r *relay) observe(ctx context.Context, dependency string, err error) {
	if ctx.Err() == nil && r.outages.Observe(ctx, dependency, err) {
		r.log.WarnContext(ctx, "relay waits", "dependency", dependency, "error", err)
	}
}

// relayPass is the result of one pass.
type relayPass struct {
	*relay

	parents map[string]string // the traces of the deliveries, by their ids

	mu         sync.Mutex
	dispatched []switchboard.Delivery
	err        error // of the last failure
	failures   int   // in a row
}

// dispatch dispatches one delivery, unless the pass has stopped.
func (p *relayPass) dispatch(ctx context.Context, d switchboard.Delivery) {
	if p.stopped() {
		return
	}
	startCtx, cancel := context.WithTimeout(activities.InTrace(ctx, p.parents[d.ID]), startTimeout)
	defer cancel()
	ok, err := p.dispatcher.dispatch(startCtx, d)
	if refused(err) { // only this one: it is tried again when its lease ends
		p.log.WarnContext(ctx, "Temporal refuses the dispatch", "delivery", d.ID, "state", d.State, "error", err)
		return
	}
	p.observe(ctx, activities.Temporal, err)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.err = err
		p.failures++
		return
	}
	p.failures = 0
	if ok {
		p.dispatched = append(p.dispatched, d)
	}
}

func (p *relayPass) stopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failures >= relayMaxFailures
}

// away returns the error if Temporal does not answer. The pass has then stopped, or nothing was
// dispatched.
func (p *relayPass) away() error {
	if p.stopped() || len(p.dispatched) == 0 {
		return p.err
	}
	return nil
}
