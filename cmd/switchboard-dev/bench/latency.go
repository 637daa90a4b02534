package bench

import (
	"context"
	"fmt"
	"time"
)

// latency is the result at the steady pace.
type latency struct {
	Rate    int                `json:"rate"`
	Events  int                `json:"events"`
	Answer  spread             `json:"answer_ms"`  // from the POST to its 202
	Arrival spread             `json:"arrival_ms"` // from the POST to the receiver
	CPU     map[string]float64 `json:"cpu_ms_per_delivery"`
	Others  float64            `json:"others_cores"`
	Repeats int                `json:"duplicates"`
}

// measureLatency posts at a steady pace, after two seconds of warm-up.
func (b *bench) measureLatency(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout+time.Duration(b.RateSeconds)*time.Second)
	defer cancel()
	if _, err := b.paced(ctx, 2*b.Rate); err != nil {
		return fmt.Errorf("latency, warming up: %w", err)
	}
	l, err := b.paced(ctx, b.RateSeconds*b.Rate)
	if err != nil {
		return fmt.Errorf("latency: %w", err)
	}
	b.progress("latency at %d/s: 202 p50 %.1f ms, receiver p50 %.1f p99 %.1f ms; others used %.2f cores", l.Rate, l.Answer.P50, l.Arrival.P50, l.Arrival.P99, l.Others)
	b.report.Latency = &l
	return nil
}

func (b *bench) paced(ctx context.Context, count int) (latency, error) {
	closed, err := b.stack.closed(ctx, deliverWorkflow)
	if err != nil {
		return latency{}, err
	}
	before, err := b.stack.used()
	if err != nil {
		return latency{}, err
	}
	start := time.Now()
	b.stack.receiver.expect(count)
	all, err := b.stack.poster.pace(ctx, count, b.Rate)
	if err != nil {
		return latency{}, err
	}
	if err := b.stack.receiver.wait(ctx); err != nil {
		return latency{}, err
	}
	if _, err := b.stack.drain(ctx, deliverWorkflow, closed+int64(count)); err != nil {
		return latency{}, err
	}
	after, err := b.stack.used()
	if err != nil {
		return latency{}, err
	}
	arrivals, duplicates, err := b.stack.receiver.match(all)
	if err != nil {
		return latency{}, err
	}
	answer, arrival := make([]time.Duration, count), make([]time.Duration, count)
	for i, p := range all {
		answer[i], arrival[i] = p.answer, arrivals[i].Sub(p.at)
	}
	u := after.since(before)
	delete(u, processFloor)
	others := u.takeOthers().Seconds() / time.Since(start).Seconds()
	return latency{
		Rate: b.Rate, Events: count, Answer: spreadOf(answer), Arrival: spreadOf(arrival),
		CPU: perUnit(u, float64(count)), Others: others, Repeats: duplicates,
	}, nil
}
