package switchboard

import (
	"testing"
	"time"
)

// TestTakeBackLeaves what is not the operation's any more.
func TestTakeBackLeaves(t *testing.T) {
	t.Parallel()
	failed, retrying, waiting := inState(StateFailed), inState(StateRetrying), inState(StateHeld)
	for name, c := range map[string]struct {
		now    func(*Delivery)
		before Delivery
	}{
		"an attempt was made":                  {func(d *Delivery) { d.AttemptsMade++ }, failed},
		"a worker may be sending it":           {func(d *Delivery) { d.DispatchAt = time.Time{} }, failed},
		"a relay has claimed it":               {func(d *Delivery) { d.DispatchAt = walkDate }, failed},
		"its turn has come":                    {func(d *Delivery) { d.NextAttemptAt, d.DispatchAt = walkDate, walkDate.Add(DispatchGrace) }, failed},
		"it was held for something else":       {func(*Delivery) {}, waiting},
		"its workflow has ended":               {func(d *Delivery) { d.Generation++ }, retrying},
		"it waits in a queue without workflow": {func(d *Delivery) { d.park(walkNow, parkedAdmission) }, retrying},
		"somebody holds it":                    {func(d *Delivery) { d.park(walkNow, asideAdmission) }, failed},
	} {
		d := inState(StatePending)
		d.DispatchAt = d.NextAttemptAt
		c.now(&d)
		before := d
		if d.TakeBack(walkNow, &c.before) || d != before {
			t.Errorf("%s: %+v", name, d)
		}
	}
	postponed := inState(StatePending)
	postponed.DispatchAt, postponed.NextAttemptAt = time.Time{}, walkDate
	if !postponed.TakeBack(walkNow, &failed) || postponed.State != StateFailed {
		t.Errorf("dispatched, and postponed for lack of a slot: %+v", postponed)
	}
}
