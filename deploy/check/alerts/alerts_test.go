package alerts

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"
)

// fault is something that goes wrong, and the alerts that tell of it.
type fault struct {
	name   string
	alerts []string
	step   time.Duration // by which the monitor's clock goes on with each scrape; 0: interval
	begins time.Duration // the same until the alerts have fired, where they count what happens in a real time; 0: step
	// fail makes it go wrong. It returns how it is repaired; and what goes on meanwhile, before each scrape,
	// until the alerts are clear again; nil: nothing.
	fail func(l *lab) (repair, meanwhile func())
}

// faults are all of them. Those that stop processes come first, as long as there is little to catch up with.
func faults() []fault {
	return slices.Concat(processFaults(), retentionFaults(), receiverFaults(), operatorFaults())
}

// Each alert fires in its fault, and clears after it.
func TestAlerts(t *testing.T) {
	l := newLab(t)
	l.subscribe("acme", "fine.event", "ok", "")
	l.post("acme", "fine.event", 20)
	for range 10 {
		l.step(interval)
	}
	l.reconcile()
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) { l.with(t, f.happens) })
	}
	t.Run("expressions", func(t *testing.T) { l.with(t, func(l *lab) { checkExpressions(t, l.monitor) }) })
}

// happens makes it go wrong, waits until all of its alerts have fired, repairs it, and waits until they are clear.
func (f fault) happens(l *lab) {
	by := cmp.Or(f.step, interval)
	l.until("clear beforehand", by, nil, func() bool { return l.clear(f.alerts) })
	l.forget()
	began := time.Now()
	repair, meanwhile := f.fail(l)
	repaired := false
	defer func() {
		if !repaired { // an alert has not fired: the next fault begins with a system that works all the same
			repair()
		}
	}()
	l.until("all fired of "+strings.Join(f.alerts, ", "), cmp.Or(f.begins, by), meanwhile, func() bool { return l.haveFired(f.alerts) })
	fired := time.Now()
	repaired = true
	repair()
	l.until("clear after it", by, meanwhile, func() bool { return l.clear(f.alerts) })
	l.t.Logf("%s: fired after %s, and clear %s after the repair", strings.Join(f.alerts, ", "), fired.Sub(began).Round(time.Second), time.Since(fired).Round(time.Second))
}
