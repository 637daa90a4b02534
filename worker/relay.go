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
	// relayBatch is how many deliveries a relay claims at a time, at most.
	relayBatch = 200
	// relayPool is how many of them are under way at a time.
	relayPool = 32
	// relayPassTime is how long a pass is to take: where starts are slow, fewer are claimed. What is
	// claimed is started, also if its operation is cancelled or its subscription paused meanwhile, and is
	// no other relay's.
	relayPassTime = 500 * time.Millisecond
	// relayLease is for how long the claimed deliveries are this relay's: longer than a start may
	// take, short enough that a dead relay's claims are soon another's.
	relayLease = 10 * time.Second
	// relayPoll finds what no notification came for: starts that failed, leases that ended, and
	// starts that found the workflow of an earlier generation still open.
	relayPoll = time.Second
	// relaySoon is the pause after a pass that found something. A release dates its deliveries
	// evenly: with longer pauses they would reach the receiver in bursts, beyond its max_in_flight.
	relaySoon = 50 * time.Millisecond
	// relayMaxFailures is how many starts in a row fail before Temporal counts as away: with
	// fewer, a single start that takes too long would end the pass.
	relayMaxFailures = 8
)

// relay dispatches rows of the outbox: it starts or cancels their workflows. It starts those of
// deliveries that the API could not start because it died, was too busy, or Temporal was away;
// that an operator retried; that an operation released; or whose workflow the reconciler did
// not find. It ends those of deliveries that an operator held, or that were cancelled with their
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
	// dispatch starts or cancels a delivery's workflow; false: it is to be tried again.
	dispatch(ctx context.Context, d switchboard.Delivery) (bool, error)
}

func newRelay(d dispatcher, o Outbox, outages *activities.Outages, log *slog.Logger) *relay {
	return &relay{dispatcher: d, outbox: o, outages: outages, log: log, woken: make(chan struct{}, 1)}
}

// wake lets the relay make a pass at once.
func (r *relay) wake() {
	select {
	case r.woken <- struct{}{}:
	default: // a signal is there already
	}
}

// run makes passes until ctx ends.
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

// nextLimit is how many deliveries the next pass claims, after one that has taken that long.
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

// pass dispatches so many deliveries, and returns how many deliveries it has claimed. A start that fails or
// takes too long does not stop the others; the pass ends when Temporal does not answer at all. What
// is left is claimed again when its lease ends.
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

// parents returns the traces that the deliveries are dispatched in. Where they cannot be read the
// deliveries are dispatched all the same.
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
	if refused(err) { // this one alone: it is tried again when its lease ends
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

// away is the error of a Temporal that does not answer: the pass has stopped, or nothing was
// dispatched.
func (p *relayPass) away() error {
	if p.stopped() || len(p.dispatched) == 0 {
		return p.err
	}
	return nil
}
