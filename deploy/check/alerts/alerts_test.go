package alerts

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"
)

// fault is something that goes wrong, with the alerts that report it.
type fault struct {
	name   string
	alerts []string
	step   time.Duration // how far the monitor's clock advances with each scrape; 0: interval
	begins time.Duration // the same until the alerts have fired, if they count events in real time; 0: step
	// fail causes the fault. It returns the function that repairs it, and one that runs before each
	// scrape until the alerts are clear again; nil: none.
	fail func(l *lab) (repair, meanwhile func())
}

// faults are all faults. Those that stop processes come first, while there is little to catch up
// with.
func faults() []fault {
	return slices.Concat(processFaults(), retentionFaults(), receiverFaults(), operatorFaults())
}

// Each alert fires during its fault, and clears afterwards.
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

// happens causes the fault, waits until all of its alerts have fired, repairs it, and waits until
// they are clear.
func (f fault) happens(l *lab) {
	by := cmp.Or(f.step, interval)
	l.until("clear beforehand", by, nil, func() bool { return l.clear(f.alerts) })
	l.forget()
	began := time.Now()
	repair, meanwhile := f.fail(l)
	repaired := false
	defer func() {
		if !repaired { // an alert has not fired: repair the system for the next fault
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
