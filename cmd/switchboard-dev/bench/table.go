package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// The targets, and where they come from.
const (
	targetFloorShare = 0.8     // of the throughput of bare Temporal
	convoyPerSecond  = 164     // a peer's throughput on two cores
	targetConvoy     = 1.5     // times the peer's
	targetCPU        = 8.0     // ms per delivery, in all processes
	targetArrivalP50 = 12.0    // ms from the POST to the receiver
	targetArrivalP99 = 50.0    // ms
	targetAnswerP50  = 5.0     // ms from the POST to its 202
	targetMemory     = 150.0   // MiB of switchboard serve
	targetRate       = 50      // events per second, for the latencies
	targetBackoff    = 10_000  // deliveries, for the memory
	targetRendering  = 5.0     // per cent of a delivery's CPU, for params with 20 leaves
	noTarget         = "-"     // for a line that is only information
	notComparable    = "other" // for a line that was measured under other conditions than its target
)

// line is one line of the table.
type line struct {
	what, value, target, reached string
}

// atLeast and atMost are lines with a target.
func atLeast(what string, value, target float64, format string) line {
	return line{what, fmt.Sprintf(format, value), "≥ " + fmt.Sprintf(format, target), yesNo(value >= target)}
}

func atMost(what string, value, target float64, format string) line {
	return line{what, fmt.Sprintf(format, value), "≤ " + fmt.Sprintf(format, target), yesNo(value <= target)}
}

func info(what, format string, args ...any) line {
	return line{what, fmt.Sprintf(format, args...), noTarget, ""}
}

// unless marks a line whose target does not apply to the measurement.
func (l line) unless(other bool) line {
	if other {
		l.reached = notComparable
	}
	return l
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "NO"
}

// print writes the table.
func (r *report) print(out io.Writer) error {
	m := r.Machine
	fmt.Fprintf(out, "\nSwitchboard %s on %d cores, %s, %s, Temporal server %s, SDK %s, concurrency %d\n\n",
		r.Version, m.Cores, m.Platform, m.Go, m.Temporal, m.SDK, r.Concurrency)
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHAT\tMEASURED\tTARGET\tREACHED")
	for _, l := range r.lines() {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", l.what, l.value, l.target, l.reached)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for row := range strings.Lines(text.String()) {
		fmt.Fprintln(out, strings.TrimRight(row, " \n"))
	}
	return nil
}

func (r *report) lines() []line {
	lines := append(r.throughputLines(), r.cpuLines()...)
	if r.Latency != nil {
		lines = append(lines, r.Latency.lines()...)
	}
	if r.Backoff != nil {
		lines = append(lines, r.Backoff.lines()...)
	}
	if r.Rendering != nil {
		lines = append(lines, r.renderingLines()...)
	}
	if r.Limits != nil {
		lines = append(lines, r.Limits.lines()...)
	}
	if r.History != nil {
		lines = append(lines, r.History.lines()...)
	}
	if r.Lists != nil {
		lines = append(lines, r.Lists.lines()...)
	}
	if r.Isolation != nil {
		lines = append(lines, r.Isolation.lines()...)
	}
	if r.Parked != nil {
		lines = append(lines, r.Parked.lines()...)
	}
	if r.Traces != nil {
		lines = append(lines, r.traceLines()...)
	}
	return lines
}

func (r *report) throughputLines() []line {
	var lines []line
	perSecond := func(one round) float64 { return one.PerSecond }
	drained := func(one round) float64 { return one.Drained - one.Seconds }
	floor, ours := r.of(kindFloor, perSecond), r.of(kindOurs, perSecond)
	if len(floor) > 0 {
		lines = append(lines,
			info(fmt.Sprintf("floor, workflows/s (median of %d)", len(floor)), "%.0f", median(floor)),
			info("  seconds from the last until the engine is idle", "%.0f", median(r.of(kindFloor, drained))))
	}
	if len(ours) > 0 {
		var duplicates, superfluous int
		for _, one := range r.Rounds {
			duplicates, superfluous = duplicates+one.Duplicates, superfluous+one.Superfluous
		}
		lines = append(lines,
			atLeast(fmt.Sprintf("deliveries/s (median of %d)", len(ours)), median(ours), targetConvoy*convoyPerSecond, "%.1f"),
			info("  seconds from the last until the engine is idle", "%.0f", median(r.of(kindOurs, drained))),
			info("  events accepted/s", "%.0f", median(r.of(kindOurs, func(one round) float64 { return float64(one.Deliveries) / one.Accepted }))),
			info("  duplicate requests in all rounds", "%d", duplicates),
			info("  superfluous workflows in all rounds", "%d", superfluous))
	}
	if shares := r.shares(perSecond); len(shares) > 0 {
		lines = append(lines,
			atLeast("deliveries/s as a share of the floor's (median of rounds)", 100*median(shares), 100*targetFloorShare, "%.1f %%"),
			info("  of each round, %", "%s", percentages(shares)))
	}
	return lines
}

func (r *report) cpuLines() []line {
	var lines []line
	all := func(one round) float64 { return one.CPUAll }
	for _, kind := range []string{kindFloor, kindOurs} {
		values := r.of(kind, all)
		if len(values) == 0 {
			continue
		}
		total := atMost("CPU ms per delivery, all processes, drained", median(values), targetCPU, "%.2f")
		if kind == kindFloor {
			total = info("floor, CPU ms per workflow, all processes, drained", "%.2f", median(values))
		}
		lines = append(lines, total)
		for _, process := range []string{processServe, processFloor, processTemporal, processPostgres, processSelf} {
			share := median(r.of(kind, func(one round) float64 { return one.CPU[process] }))
			if share > 0 {
				lines = append(lines, info("  "+process, "%.2f", share))
			}
		}
	}
	if shares := r.shares(all); len(shares) > 0 {
		lines = append(lines, info("  as a share of the floor's (median of rounds)", "%.0f %%", 100*median(shares)))
	}
	if others := r.others(); len(others) > 0 {
		lines = append(lines, info("cores that everything else on the machine used, at most", "%.2f", slices.Max(others)))
	}
	if len(r.IdleCPU) > 0 {
		sum := 0.0
		for _, ms := range r.IdleCPU {
			sum += ms
		}
		lines = append(lines, info("idle stack, CPU ms a second (not subtracted)", "%.0f", sum))
	}
	return lines
}

// renderingLines compares with the CPU of a whole delivery, if that was measured.
func (r *report) renderingLines() []line {
	var lines []line
	for _, shape := range []string{shapeData, shapeParams, shapeXML} {
		lines = append(lines, info("rendering "+shape+", CPU µs", "%.1f", r.Rendering.Microseconds[shape]))
	}
	if ours := r.of(kindOurs, func(one round) float64 { return one.CPUAll }); len(ours) > 0 {
		share := r.Rendering.Microseconds[shapeParams] / 1000 / median(ours)
		lines = append(lines, atMost("  20 leaves as a share of a delivery's CPU", 100*share, targetRendering, "%.2f %%"))
	}
	return lines
}

func (l *limits) lines() []line {
	return []line{
		info("time limit of an attempt at the least load, s", "%.2f", float64(l.Idle)/1000),
		info(fmt.Sprintf("  at a load of %.2f", l.LoadMost), "%.2f", float64(l.Full)/1000),
		info(fmt.Sprintf("  of %d attempts, farthest from the line, ms", l.Deliveries), "%d", l.Deviation),
	}
}

func (l *latency) lines() []line {
	other := l.Rate != targetRate
	at := fmt.Sprintf(" at %d/s, ms, ", l.Rate)
	sum := 0.0
	for _, ms := range l.CPU {
		sum += ms
	}
	return []line{
		atMost("POST to receiver"+at+"p50", l.Arrival.P50, targetArrivalP50, "%.2f").unless(other),
		info("  p95", "%.1f", l.Arrival.P95),
		atMost("  p99", l.Arrival.P99, targetArrivalP99, "%.2f").unless(other),
		info("  max", "%.1f", l.Arrival.Max),
		atMost("POST to 202"+at+"p50", l.Answer.P50, targetAnswerP50, "%.2f").unless(other),
		info("  p95", "%.1f", l.Answer.P95),
		info("  p99", "%.1f", l.Answer.P99),
		info(fmt.Sprintf("CPU ms per delivery at %d/s, all processes", l.Rate), "%.1f", sum),
	}
}

func (m *backoff) lines() []line {
	serve := m.AtRest[processServe]
	other := m.Deliveries < targetBackoff
	lines := []line{
		atMost(fmt.Sprintf("switchboard serve with %d in backoff, RSS MiB", m.Deliveries), mebibytes(serve.RSS), targetMemory, "%.1f").unless(other),
		info("  PSS", "%.0f", mebibytes(serve.PSS)),
		atMost("  peak while they failed", mebibytes(serve.Peak), targetMemory, "%.1f").unless(other),
		info("  peak before that", "%.0f", mebibytes(m.PeakBefore)),
	}
	for _, process := range []string{processTemporal, processPostgres} {
		held := m.AtRest[process]
		lines = append(lines, info(process+" then, PSS MiB", "%.0f", mebibytes(held.PSS)))
	}
	return lines
}
