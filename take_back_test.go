package switchboard

import (
	"testing"
	"time"
)

// TestTakeBackLeaves: it does not change a delivery that is no longer the operation's, nor does the
// delivery's attempt.
func TestTakeBackLeaves(t *testing.T) {
	t.Parallel()
	failed, waiting := inState(StateFailed), inState(StateHeld)
	for name, c := range map[string]struct {
		now    func(*Delivery)
		before Delivery
	}{
		"an attempt was made":            {func(d *Delivery) { d.AttemptsMade++ }, failed},
		"it was held for something else": {func(*Delivery) {}, waiting},
		"somebody holds it":              {func(d *Delivery) { d.park(walkNow, asideAdmission) }, failed},
		"it has ended":                   {func(d *Delivery) { d.end(walkNow, StateCancelled, ReasonOperator) }, failed},
	} {
		for _, byAttempt := range []bool{false, true} {
			d := inState(StatePending)
			d.DispatchAt = d.NextAttemptAt
			c.now(&d)
			before := d
			if taken, inHand := d.TakeBack(walkNow, &c.before, byAttempt); taken || inHand || d != before {
				t.Errorf("%s: %v, %v, %+v", name, taken, inHand, d)
			}
		}
	}
}

// TestTakeBackOfWhatIsInHand: the delivery's own attempt takes it back.
func TestTakeBackOfWhatIsInHand(t *testing.T) {
	t.Parallel()
	failed := inState(StateFailed)
	for name, now := range map[string]func(*Delivery){
		"a worker may be sending it": func(d *Delivery) { d.DispatchAt = time.Time{} },
		"a relay has claimed it":     func(d *Delivery) { d.DispatchAt = walkDate },
		"its turn has come":          func(d *Delivery) { d.NextAttemptAt, d.DispatchAt = walkDate, walkDate.Add(DispatchGrace) },
	} {
		d := inState(StatePending)
		now(&d)
		before := d
		if taken, inHand := d.TakeBack(walkNow, &failed, false); taken || !inHand || d != before {
			t.Errorf("%s: %v, %v, %+v", name, taken, inHand, d)
		}
		if taken, _ := d.TakeBack(walkNow, &failed, true); !taken || d.State != StateFailed {
			t.Errorf("%s, by its attempt: %+v", name, d)
		}
	}
	postponed := inState(StatePending)
	postponed.DispatchAt, postponed.NextAttemptAt = time.Time{}, walkDate
	if taken, _ := postponed.TakeBack(walkNow, &failed, false); !taken || postponed.State != StateFailed {
		t.Errorf("dispatched, and postponed for lack of a slot: %+v", postponed)
	}
}

// TestTakeBackToAWaitWithoutItsWorkflow: a delivery that waited for its next attempt waits for it
// again, in the generation that can have a workflow.
func TestTakeBackToAWaitWithoutItsWorkflow(t *testing.T) {
	t.Parallel()
	retrying := inState(StateRetrying)
	retrying.NextAttemptAt, retrying.DispatchAt = walkDate, time.Time{}
	for name, c := range map[string]struct {
		now        func(*Delivery)
		byAttempt  bool
		generation int
		dispatchAt time.Time
	}{
		"in a queue":            {func(d *Delivery) { d.park(walkNow, parkedAdmission) }, false, 3, walkDate},
		"dated after its queue": {func(d *Delivery) { d.nextGeneration(d.NextAttemptAt) }, false, 3, walkDate},
		"attempted after its queue": {func(d *Delivery) {
			d.nextGeneration(time.Time{})
			d.TemporalRunID = "next"
		}, true, 3, time.Time{}},
	} {
		d := inState(StatePending)
		c.now(&d)
		run := d.TemporalRunID
		if c.generation > d.Generation { // its workflow ended with the queue
			run = ""
		}
		taken, _ := d.TakeBack(walkNow, &retrying, c.byAttempt)
		if !taken || d.State != StateRetrying || !d.NextAttemptAt.Equal(walkDate) || d.Generation != c.generation || !d.DispatchAt.Equal(c.dispatchAt) || d.TemporalRunID != run {
			t.Errorf("%s: %v, %+v", name, taken, d)
		}
	}
}
