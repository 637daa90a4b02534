package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Kinds of rounds.
const (
	kindFloor = "floor"
	kindOurs  = "ours"
)

// deliverWorkflow is the type of a delivery's workflow.
const deliverWorkflow = "Deliver"

const (
	// roundTimeout limits a round.
	roundTimeout = 10 * time.Minute
	// idleSpan is how long the idle stack is measured.
	idleSpan = 3 * time.Second
)

// round is the result of one round.
type round struct {
	Kind       string             `json:"kind"`
	Deliveries int                `json:"deliveries"`
	Seconds    float64            `json:"seconds"`             // from the first start to the last arrival
	Drained    float64            `json:"drained_seconds"`     // until the engine was idle
	Accepted   float64            `json:"accepted_seconds"`    // until the last 202; 0: for the floor
	PerSecond  float64            `json:"per_second"`          // by Seconds
	CPU        map[string]float64 `json:"cpu_ms_per_delivery"` // by process, until the engine was idle
	CPUAll     float64            `json:"cpu_ms_per_delivery_all"`
	Others     float64            `json:"others_cores"` // what everything else on the machine used in that time
	Duplicates int                `json:"duplicates"`   // requests in excess of one per delivery

	// Superfluous counts workflows in excess of one per delivery. They were started again after the
	// delivery had ended; they send nothing but use CPU.
	Superfluous int `json:"superfluous_workflows"`
}

// measureRounds alternates the two kinds, after a warm-up round of each. If both are measured, a
// round of the floor also ends the run, so that each of our rounds has one before and one after it.
func (b *bench) measureRounds(ctx context.Context) error {
	kinds := slices.DeleteFunc([]string{kindFloor, kindOurs}, func(kind string) bool { return !b.does(kind) })
	for i := range b.Rounds + 1 {
		for _, kind := range kinds {
			if err := b.measureRound(ctx, kind, i); err != nil {
				return err
			}
		}
		if i == 0 {
			if err := b.watchIdle(ctx); err != nil {
				return err
			}
		}
	}
	if len(kinds) == 1 {
		return nil
	}
	return b.measureRound(ctx, kindFloor, b.Rounds+1)
}

// measureRound records the result of the round, unless it is a warm-up round, which has the number
// 0.
func (b *bench) measureRound(ctx context.Context, kind string, number int) error {
	r, err := b.round(ctx, kind, number)
	if err != nil {
		return fmt.Errorf("round %d of %s: %w", number, kind, err)
	}
	b.progress("round %d of %s: %.0f/s, %.1f ms CPU per delivery, %.1f s until drained; others used %.2f cores", number, kind, r.PerSecond, r.CPUAll, r.Drained, r.Others)
	if number > 0 {
		b.report.Rounds = append(b.report.Rounds, r)
	}
	return nil
}

// watchIdle records what the stack uses when there is nothing to do.
func (b *bench) watchIdle(ctx context.Context) error {
	before, err := b.stack.used()
	if err != nil {
		return err
	}
	if err := pause(ctx, idleSpan); err != nil {
		return err
	}
	after, err := b.stack.used()
	if err != nil {
		return err
	}
	u := after.since(before)
	u.takeOthers()
	b.report.IdleCPU = perUnit(u, idleSpan.Seconds())
	return nil
}

func (b *bench) round(ctx context.Context, kind string, number int) (round, error) {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	workflowType := deliverWorkflow
	if kind == kindFloor {
		workflowType = floorWorkflow
	}
	closed, err := b.stack.closed(ctx, workflowType)
	if err != nil {
		return round{}, err
	}
	before, err := b.stack.used()
	if err != nil {
		return round{}, err
	}
	var r round
	start := time.Now()
	if kind == kindFloor {
		r, err = b.floorRound(ctx, number)
	} else {
		r, err = b.ourRound(ctx)
	}
	if err != nil {
		return round{}, err
	}
	wanted := closed + int64(b.Deliveries)
	if closed, err = b.stack.drain(ctx, workflowType, wanted); err != nil {
		return round{}, err
	}
	r.Superfluous = int(closed - wanted)
	r.Drained = time.Since(start).Seconds()
	after, err := b.stack.used()
	if err != nil {
		return round{}, err
	}
	r.Kind, r.Deliveries = kind, b.Deliveries
	r.PerSecond = float64(b.Deliveries) / r.Seconds
	u := after.since(before)
	r.Others = u.takeOthers().Seconds() / r.Drained
	delete(u, map[string]string{kindFloor: processServe, kindOurs: processFloor}[kind]) // idle in the meantime
	r.CPU, r.CPUAll = perUnit(u, float64(b.Deliveries)), milliseconds(u.total())/float64(b.Deliveries)
	return r, nil
}

func (b *bench) floorRound(ctx context.Context, number int) (round, error) {
	var times floorRound
	line := fmt.Sprintf("run %d-%d %d %d", time.Now().UnixMilli(), number, b.Deliveries, b.Concurrency)
	if err := b.stack.floor.Ask(ctx, line, &times); err != nil {
		return round{}, err
	}
	return round{Seconds: times.Last.Sub(times.First).Seconds()}, nil
}

func (b *bench) ourRound(ctx context.Context) (round, error) {
	receiver := b.stack.receiver
	receiver.expect(b.Deliveries)
	all, err := b.stack.poster.burst(ctx, tenantName, b.Deliveries, b.Concurrency)
	if err != nil {
		return round{}, err
	}
	if err := receiver.wait(ctx); err != nil {
		return round{}, err
	}
	arrivals, duplicates, err := receiver.match(all)
	if err != nil {
		return round{}, err
	}
	first, accepted := all[0].at, time.Time{}
	for _, p := range all {
		first, accepted = earlier(first, p.at), later(accepted, p.at.Add(p.answer))
	}
	last := slices.MaxFunc(arrivals, time.Time.Compare)
	return round{Seconds: last.Sub(first).Seconds(), Accepted: accepted.Sub(first).Seconds(), Duplicates: duplicates}, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
