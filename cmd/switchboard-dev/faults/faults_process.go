package faults

import (
	"context"
	"errors"
	"time"
)

const (
	// betweenKills is the time from the return of one process to the kill of the next.
	betweenKills = 2 * time.Second
	// leases is longer than anything that a process owns in Switchboard or Temporal. A relay's
	// claim of dispatches lasts 10 s, a worker counts as dead after 5 s, and Temporal waits 10 s
	// for a first attempt and 45 s for a later one.
	leases = 50 * time.Second
)

func killAPIs(ctx context.Context, r *run) error { return killEach(ctx, r, r.stack.apis[:]) }

func killWorkers(ctx context.Context, r *run) error { return killEach(ctx, r, r.stack.workers[:]) }

// killEach kills one process after the other, each when the one before works again.
func killEach(ctx context.Context, r *run, parts []*service) error {
	for i, part := range parts {
		if i > 0 {
			if err := pause(ctx, betweenKills); err != nil {
				return err
			}
		}
		if err := part.kill(); err != nil {
			return err
		}
		if err := r.stack.untilReady(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func killTemporal(ctx context.Context, r *run) error {
	return errors.Join(r.stack.temporal.kill(), r.stack.temporal.untilRuns(ctx))
}

func killPostgres(ctx context.Context, r *run) error {
	return errors.Join(r.stack.postgres.kill(), r.stack.postgres.untilRuns(ctx))
}

func restartEach(ctx context.Context, r *run) error {
	for _, part := range r.stack.parts() {
		if err := errors.Join(part.takeDown(), part.bringUp()); err != nil {
			return err
		}
		if err := r.stack.untilReady(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// zombie freezes processes until others consider them dead, and then lets them continue what they
// had begun.
func zombie(ctx context.Context, r *run) (err error) {
	for _, part := range []*service{r.stack.apis[0], r.stack.workers[0]} {
		if err := part.freeze(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, part.thaw()) }()
	}
	return pause(ctx, leases)
}
