package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"switchboard"
)

const (
	// relayBatch is how many deliveries a relay claims at a time.
	relayBatch = 200
	// relayPool is how many of them are under way at a time.
	relayPool = 32
	// relayLease is for how long those claimed are this relay's: longer than a start
	// may take, short enough that a dead relay's claims are soon another's.
	relayLease = 10 * time.Second
	// relayPoll finds what no notification told of: starts that failed, leases
	// that ran out, retries of the rare case that an earlier run was still open.
	relayPoll = time.Second
)

// relay tells Temporal of deliveries that nobody has told it of. It starts their
// workflows where the API died or was too busy, Temporal was away, an operator set a
// final delivery going again, or the reconciler found one without a workflow; and it
// ends those of deliveries that were cancelled with their subscription, or while
// Temporal was away.
type relay struct {
	engine teller
	outbox Outbox
	log    *slog.Logger
	nudged chan struct{}
}

// teller is what the relay needs of the engine.
type teller interface {
	// tell lets Temporal know of a delivery; false: it is to be tried again.
	tell(ctx context.Context, d switchboard.Delivery) (bool, error)
}

func newRelay(e teller, o Outbox, log *slog.Logger) *relay {
	return &relay{engine: e, outbox: o, log: log, nudged: make(chan struct{}, 1)}
}

// nudge lets the relay look at once.
func (r *relay) nudge() {
	select {
	case r.nudged <- struct{}{}:
	default: // one is waiting already
	}
}

// run relays until ctx ends.
func (r *relay) run(ctx context.Context) {
	poll := time.NewTicker(relayPoll)
	defer poll.Stop()
	for {
		claimed, err := r.pass(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			// Postgres or Temporal is away: a nudge would not help, the poll waits.
			r.log.WarnContext(ctx, "relay waits", "error", err)
			wait(ctx, poll.C, nil)
		case claimed < relayBatch:
			wait(ctx, poll.C, r.nudged)
		}
	}
}

func wait(ctx context.Context, tick <-chan time.Time, nudged <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-tick:
	case <-nudged:
	}
}

// pass tells Temporal of one batch, and returns how many it had claimed. It stops
// when Temporal does not answer: what is left is claimed again when its lease ends.
func (r *relay) pass(ctx context.Context) (int, error) {
	due, err := r.outbox.ClaimUntold(ctx, relayBatch, relayLease)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	var mu sync.Mutex
	var told []switchboard.Delivery
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(relayPool)
	for _, d := range due {
		group.Go(func() error {
			startCtx, cancel := context.WithTimeout(groupCtx, startTimeout)
			defer cancel()
			ok, err := r.engine.tell(startCtx, d)
			if refused(err) { // this one alone: it is tried again when its lease ends
				r.log.WarnContext(ctx, "Temporal refuses to be told", "delivery", d.ID, "state", d.State, "error", err)
				return nil
			}
			if ok {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, d)
			}
			return err
		})
	}
	startErr := group.Wait()
	if err := r.outbox.Told(ctx, told); err != nil {
		return len(due), err
	}
	return len(due), startErr
}
