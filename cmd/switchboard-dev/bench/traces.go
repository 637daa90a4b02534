package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
)

// Kinds of rounds with --only traces.
const (
	kindUntraced = "untraced"
	kindTraced   = "traced"
)

const (
	// traceRatio is the share of posts whose traces are sampled.
	traceRatio = "0.01"
	// targetTraces is how much more CPU a delivery may take with them, in per cent.
	targetTraces = 3.0
)

// traces is what the rounds of both kinds are compared by, in addition to the rounds' own results.
type traces struct {
	Exports int64 `json:"exports"` // that a collector received in the traced rounds
}

// measureTraces alternates rounds without traces and rounds with a hundredth of them sampled, on
// the same databases. It restarts the process for each and makes a warm-up round, so that both have
// the same age.
func (b *bench) measureTraces(ctx context.Context) error {
	var exports atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		exports.Add(1)
	}))
	defer collector.Close()
	tracing := map[string][]string{kindTraced: {
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=" + traceRatio,
	}}
	for number := range b.Rounds {
		kinds := []string{kindUntraced, kindTraced}
		if number%2 == 1 { // so that neither kind is always the first
			kinds[0], kinds[1] = kinds[1], kinds[0]
		}
		for _, kind := range kinds {
			if err := b.stack.serve.Stop(); err != nil {
				return err
			}
			b.stack.more = tracing[kind]
			if err := b.stack.startServe(ctx); err != nil {
				return err
			}
			for _, counted := range []int{0, number + 1} {
				if err := b.measureRound(ctx, kind, counted); err != nil {
					return err
				}
			}
		}
	}
	b.report.Traces = &traces{Exports: exports.Load()}
	if b.report.Traces.Exports == 0 {
		return fmt.Errorf("no span reached the collector in %d rounds", b.Rounds)
	}
	return nil
}

// traceLines compares the CPU of a delivery in the whole stack, and in Switchboard alone.
func (r *report) traceLines() []line {
	all := func(one round) float64 { return one.CPUAll }
	serve := func(one round) float64 { return one.CPU[processServe] }
	more := func(value func(round) float64) float64 {
		return 100 * (median(r.of(kindTraced, value))/median(r.of(kindUntraced, value)) - 1)
	}
	return []line{
		info(fmt.Sprintf("CPU ms per delivery, all processes, without and with 1 %% traced (medians of %d)", len(r.of(kindTraced, all))), "%.2f  %.2f", median(r.of(kindUntraced, all)), median(r.of(kindTraced, all))),
		atMost("  more, %", more(all), targetTraces, "%.1f"),
		info("  switchboard serve alone, without and with", "%.2f  %.2f", median(r.of(kindUntraced, serve)), median(r.of(kindTraced, serve))),
		info("    more, %", "%.1f", more(serve)),
	}
}
