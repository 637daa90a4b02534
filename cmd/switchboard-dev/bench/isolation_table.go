package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The limits from the issue: how bad endpoints of others may affect healthy deliveries.
const (
	targetOnsetP99  = 3.0  // times the p99 without them, in the first time
	targetLaterP99  = 1.2  // times that p99, afterwards
	targetDeadShare = 15.0 // per cent of a delivered event's CPU
	targetTabs      = 5.0  // per cent of one core, for fifty tabs of the overview
)

func (i *isolation) lines() []line {
	p99 := i.median(func(w window) float64 { return w.Arrival.P99 })
	delivered := (i.median(func(w window) float64 { return w.CPU.total() }) - i.Idle.total()) / float64(i.Rate)
	lines := []line{
		info(fmt.Sprintf("POST to receiver at %d/s without bad traffic, ms, p50 (median of %d)", i.Rate, len(i.Without)), "%.1f",
			i.median(func(w window) float64 { return w.Arrival.P50 })),
		info("  p95", "%.1f", i.median(func(w window) float64 { return w.Arrival.P95 })),
		info("  p99", "%.1f", p99),
		info("  p99 of each window", "%s", i.each(func(w window) float64 { return w.Arrival.P99 })),
		info("  POST to 202, p99", "%.1f", i.median(func(w window) float64 { return w.Answer.P99 })),
		info("  CPU ms of a delivered event", "%.1f", delivered),
		info("  cores that everything else on the machine used, at most", "%.2f", i.others()),
	}
	for _, s := range i.Scenarios {
		lines = append(lines, s.lines(p99)...)
		if s.Tabs > 0 {
			used := func(w window) float64 { return w.CPU[processServe] + w.CPU[processPostgres] }
			lines = append(lines, info("  polls that were answered", "%d", s.Polls), atMost("  CPU of Switchboard and Postgres for them, share of one core", (used(s.Later)-i.median(used))/10, targetTabs, "%.1f %%"))
		}
		if s.dead && s.BadRate > 0 {
			extra := (s.Later.CPU.total() - i.median(func(w window) float64 { return w.CPU.total() })) / s.BadRate
			lines = append(lines,
				info("  CPU ms of an event for one of them, later", "%.2f", extra),
				atMost("    as a share of a delivered event's", 100*extra/delivered, targetDeadShare, "%.1f %%"))
		}
	}
	return lines
}

func (s besideBad) lines(p99 float64) []line {
	missing := func(w window) int { return w.NotAccepted + w.NotArrived }
	of := func(w window) string {
		return fmt.Sprintf("%.1f  %.1f  %.1f", w.Arrival.P50, w.Arrival.P95, w.Arrival.P99)
	}
	against := func(w window, most float64) line {
		const what, format = "  p99 against without", "%.2f"
		if s.control {
			return info(what, format, w.Arrival.P99/max(p99, 0.1))
		}
		return atMost(what, w.Arrival.P99/max(p99, 0.1), most, format)
	}
	lines := []line{
		info(fmt.Sprintf("(%s) %s: p50 p95 p99 at first", s.Scenario, s.What), "%s", of(s.Onset)),
		against(s.Onset, targetOnsetP99),
		info("  p50 p95 p99 later", "%s", of(s.Later)),
		against(s.Later, targetLaterP99),
		info("  POST to 202, p99, at first and later", "%.1f  %.1f", s.Onset.Answer.P99, s.Later.Answer.P99),
		atMost("  healthy events not accepted or not arrived", float64(missing(s.Onset)+missing(s.Later)), 0, "%.0f"),
		atMost("  overdue at the end", float64(s.Overdue), 0, "%.0f"),
		info("  its open deliveries at the end", "%s", counts(s.States)),
	}
	if s.BadFailed > 0 {
		lines = append(lines, info("  posts for bad endpoints that failed", "%d", s.BadFailed))
	}
	if !s.Drained {
		lines = append(lines, info("  not drained after its subscriptions were deleted", "%.0f s", s.DrainS))
	}
	return lines
}

// median returns the median of the windows without bad traffic.
func (i *isolation) median(value func(window) float64) float64 { return median(i.values(value)) }

func (i *isolation) each(value func(window) float64) string {
	var words []string
	for _, v := range i.values(value) {
		words = append(words, fmt.Sprintf("%.0f", v))
	}
	return strings.Join(words, " ")
}

func (i *isolation) values(value func(window) float64) []float64 {
	var values []float64
	for _, w := range i.Without {
		values = append(values, value(w))
	}
	return values
}

// others returns the maximum load by everything else on the machine.
func (i *isolation) others() float64 {
	most := 0.0
	for _, w := range i.Without {
		most = max(most, w.Others)
	}
	for _, s := range i.Scenarios {
		most = max(most, s.Onset.Others, s.Later.Others)
	}
	return most
}

// counts lists how many there are of each kind.
func counts(of map[string]int) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		words = append(words, fmt.Sprintf("%d %s", of[name], name))
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
