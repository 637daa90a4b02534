package faults

import (
	"context"
	"errors"
	"time"
)

// delayOfTemporal applies to each direction.
const delayOfTemporal = 200 * time.Millisecond

func cutTemporal(ctx context.Context, r *run) error {
	return r.through(ctx, (*proxy).cut, r.stack.toTemporal)
}

// freezeTemporal freezes the process, which keeps its connections, also those to Postgres.
func freezeTemporal(ctx context.Context, r *run) error {
	if err := r.stack.temporal.freeze(); err != nil {
		return err
	}
	return errors.Join(r.hold(ctx), r.stack.temporal.thaw())
}

func slowTemporal(ctx context.Context, r *run) error {
	return r.through(ctx, func(p *proxy) { p.slow(delayOfTemporal) }, r.stack.toTemporal)
}
