package webhook

import (
	"context"
	"time"
)

// race tries the candidates in order and returns the value of the first success. It starts the next
// try when one has failed, or when the last one has run for that delay. After a success it cancels
// the other tries, and passes any values that they still return to drop. Without a success it
// returns all errors. It ends when the candidates channel is closed and all tries are over; ctx
// must bring both about.
func race[C, T any](ctx context.Context, candidates <-chan C, delay time.Duration, try func(context.Context, C) (T, error), drop func(T)) (T, []error) {
	type result struct {
		value T
		err   error
	}
	results, over := make(chan result), make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer close(over)
	start := func(c C) {
		value, err := try(ctx, c)
		select {
		case results <- result{value, err}:
		case <-over:
			if err == nil {
				drop(value)
			}
		}
	}
	var (
		next    = candidates // nil while it is too early for another one
		early   <-chan time.Time
		running int
		errs    []error
	)
	for candidates != nil || running > 0 {
		select {
		case c, ok := <-next:
			if !ok {
				candidates, next = nil, nil
				continue
			}
			running++
			next, early = nil, time.After(delay)
			go start(c)
		case <-early:
			next = candidates
		case r := <-results:
			running--
			if r.err == nil {
				return r.value, nil
			}
			errs = append(errs, r.err)
			next = candidates
		}
	}
	var none T
	return none, errs
}
