package faults

import (
	"context"
	"errors"
	"time"
)

// terminateAll ends every connection except its own.
const terminateAll = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"

// terminations is how often connections are ended, at intervals of betweenTerminations.
const (
	terminations        = 5
	betweenTerminations = time.Second
)

// delayOfPostgres applies to each direction.
const delayOfPostgres = 100 * time.Millisecond

func stopPostgres(ctx context.Context, r *run) error {
	return errors.Join(r.stack.postgres.takeDown(), r.hold(ctx), r.stack.postgres.bringUp())
}

func killBackends(ctx context.Context, r *run) error {
	for range terminations {
		if err := errors.Join(r.stack.exec(ctx, terminateAll), pause(ctx, betweenTerminations)); err != nil {
			return err
		}
	}
	return nil
}

func hangPostgres(ctx context.Context, r *run) error {
	return r.through(ctx, (*proxy).hang, r.stack.toStore, r.stack.toTemporalStore)
}

func slowPostgres(ctx context.Context, r *run) error {
	return r.through(ctx, func(p *proxy) { p.slow(delayOfPostgres) }, r.stack.toStore, r.stack.toTemporalStore)
}

// through makes proxies misbehave for the duration of a fault.
func (r *run) through(ctx context.Context, misbehave func(*proxy), proxies ...*proxy) error {
	for _, p := range proxies {
		misbehave(p)
		defer p.restore()
	}
	return r.hold(ctx)
}

// switchLog makes Postgres begin the next file of its WAL.
const switchLog = "SELECT pg_switch_wal()"

// fillDisk fills the disk with Postgres' data, and makes Postgres begin new WAL files. Postgres
// crashes and cannot finish its recovery, and its supervisor tries until it can.
func fillDisk(ctx context.Context, r *run) error {
	now, err := r.stack.postgres.running()
	if err != nil {
		return err
	}
	full := r.stack.disk.fill(now.PID())
	var held error
	if full == nil {
		for r.stack.exec(ctx, switchLog) == nil { // until it has crashed
		}
		held = r.hold(ctx)
	}
	if now, err = r.stack.postgres.running(); err == nil {
		err = r.stack.disk.empty(now.PID())
	} else {
		err = r.stack.disk.empty(0)
	}
	return errors.Join(full, held, err, r.stack.postgres.untilRuns(ctx))
}
