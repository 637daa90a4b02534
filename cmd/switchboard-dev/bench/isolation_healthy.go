package bench

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// healthy posts healthy events at a steady pace for those times, one directly after the other, and
// returns the result of each. It calls between, unless that is nil, at the end of each.
func (b *bench) healthy(ctx context.Context, between func(), lengths ...time.Duration) ([]window, error) {
	total := 0
	for _, length := range lengths {
		total += eventsIn(length)
	}
	b.stack.receiver.expect(total)
	series := make(chan []posted, 1)
	go func() { series <- b.stack.poster.steady(ctx, isolationTenant, total, isolationRate) }()
	windows := make([]window, len(lengths))
	for i, length := range lengths {
		if err := b.watchUse(ctx, length, &windows[i]); err != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		if between != nil {
			between()
		}
	}
	all := <-series
	waiting, cancel := context.WithTimeout(ctx, arrivalTimeout)
	defer cancel()
	if err := b.stack.receiver.wait(waiting); err != nil && ctx.Err() != nil {
		return nil, err // otherwise the windows say how many did not arrive
	}
	now := time.Now()
	for i, length := range lengths {
		n := eventsIn(length)
		b.stack.receiver.note(all[:n], now, &windows[i])
		all = all[n:]
	}
	return windows, nil
}

func eventsIn(length time.Duration) int { return int(length.Seconds() * isolationRate) }

// watchUse measures the CPU that the stack uses for that long.
func (b *bench) watchUse(ctx context.Context, length time.Duration, w *window) error {
	before, err := b.stack.used()
	if err != nil {
		return err
	}
	if err := pause(ctx, length); err != nil {
		return err
	}
	after, err := b.stack.used()
	if err != nil {
		return err
	}
	u := after.since(before)
	w.Others = u.takeOthers().Seconds() / length.Seconds()
	w.CPU = perUnit(u, length.Seconds())
	return nil
}

// steady posts count events at a steady rate per second, whether or not the earlier ones have been
// answered. An event that is not accepted has no delivery.
func (p *poster) steady(ctx context.Context, tenant string, count, rate int) []posted {
	all := make([]posted, count)
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	var group errgroup.Group
	for i := range all {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return all
		}
		group.Go(func() error {
			start := time.Now()
			one, err := p.post(ctx, p.api, tenant)
			if err != nil {
				one = posted{at: start, answer: time.Since(start)}
			}
			all[i] = one
			return nil
		})
	}
	_ = group.Wait() // none of them fails
	return all
}

// note adds what the receiver knows about the events, and how they were accepted.
func (r *receiver) note(all []posted, now time.Time, w *window) {
	r.mu.Lock()
	defer r.mu.Unlock()
	answers, arrivals := make([]time.Duration, len(all)), make([]time.Duration, len(all))
	for i, p := range all {
		at, arrived := r.arrivals[p.delivery]
		switch {
		case p.delivery == "":
			w.NotAccepted++
			at = now
		case !arrived:
			w.NotArrived++
			at = now
		}
		answers[i], arrivals[i] = p.answer, at.Sub(p.at)
	}
	for slice := range slices.Chunk(arrivals, eventsIn(sliceLength)) {
		w.Slices = append(w.Slices, spreadOf(slice))
	}
	w.Events, w.Answer, w.Arrival, w.Duplicates = len(all), spreadOf(answers), spreadOf(arrivals), r.duplicates
}
