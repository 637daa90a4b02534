package bench

import "fmt"

// The limits from the issue: what parked deliveries may cost.
const (
	targetParkedMemory = 10.0 // additional MiB in serve
	targetParkedIdle   = 1.1  // times the CPU at rest without them: "as with none", within the difference of two measurements of two minutes
	targetReleaseRate  = 5.0  // per cent off the rate
	targetParkedPlaces = 200  // places off the order of acceptance: what is dispatched in a second
	targetParked       = 100_000
)

func (p *parked) lines() []line {
	other := p.Deliveries < targetParked
	at := fmt.Sprintf(" with %d parked", p.Deliveries)
	lines := []line{
		info("parked at acceptance, CPU ms each, all processes", "%.2f", p.AcceptCPU),
		atMost("  workflows that were started for them", float64(p.Workflows), 0, "%.0f"),
		info("stack at rest, CPU ms a second, none parked", "%.1f", p.None.Idle.total()),
		info(" "+at, "%.1f", p.Parked.Idle.total()),
		atMost("  against none", p.Parked.Idle.total()/max(p.None.Idle.total(), 0.1), targetParkedIdle, "%.2f").unless(other),
	}
	for _, process := range []string{processServe, processTemporal, processPostgres} {
		lines = append(lines, info("  "+process+", none and parked", "%.1f  %.1f", p.None.Idle[process], p.Parked.Idle[process]))
	}
	none, parked := median(p.None.RSS), median(p.Parked.RSS)
	r := p.Release
	lines = append(lines,
		info("switchboard serve after a restart, RSS MiB, none parked", "%.1f", none),
		atMost("  more"+at, parked-none, targetParkedMemory, "%.1f").unless(other),
		info("seconds from start to ready, none parked", "%.2f", median(p.None.RestartS)),
		info(" "+at, "%.2f", median(p.Parked.RestartS)),
		info("released a second, as they arrived", "%.1f", r.PerSecond),
		atMost(fmt.Sprintf("  off %d/s, %%", p.Rate), 100*max(r.PerSecond/float64(p.Rate)-1, 1-r.PerSecond/float64(p.Rate)), targetReleaseRate, "%.1f"),
		info("  in stretches of 10 s, from to", "%.1f  %.1f", r.Slowest, r.Fastest),
		info("  longest gap, s", "%.1f", r.GapS),
		info("  places off the order of acceptance, p50 p99", "%.0f  %.0f", r.Displaced.P50, r.Displaced.P99),
		atMost("    at most", r.Displaced.Max, targetParkedPlaces, "%.0f"),
		atMost("  lost", float64(p.Deliveries-r.Arrived), 0, "%.0f"),
		atMost("  duplicate requests", float64(r.Duplicates), 0, "%.0f"))
	if len(r.CPU) > 0 {
		lines = append(lines, info("  CPU ms per released delivery, all processes", "%.2f", cpuPerSecond(r.CPU).total()))
	}
	return lines
}
