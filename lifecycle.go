package switchboard

import "time"

// This file holds every transition of a delivery; docs/state_machine.md draws them. The store
// locks the row, calls the method, and saves what changed. A transition sets the state, the
// reason, the counts and the dates, and DispatchAt where a relay has something to start, or
// to end, in Temporal.
//
// What a person asks for and the state does not allow is a Conflict. What Switchboard itself
// decided changes nothing if the delivery has moved on since: another generation serves it,
// or it is final.

// DispatchGrace is how long the relay leaves a delivery to the process that accepted, retried
// or cancelled it, and dispatches it itself. It is longer than a start takes on a busy day,
// and short enough for what a process left behind when it died.
const DispatchGrace = 5 * time.Second

// Record is an attempt with what follows from it.
type Record struct {
	Attempt       Attempt
	Decision      Decision
	Generation    int    // of the delivery, which the attempt was made for
	TemporalRunID string // of the workflow run that made it
}

// Dates are those of the delivery after the attempt: of its next attempt, or of its end; zero:
// it has none. Postgres keeps microseconds.
func (r Record) Dates() (nextAttemptAt, completedAt time.Time) {
	end := r.Attempt.At.Add(r.Attempt.Outcome.Latency).UTC()
	switch {
	case r.Decision.State.HasNextAttempt():
		nextAttemptAt = end.Add(r.Decision.Wait).Truncate(time.Microsecond)
	case r.Decision.State.Final():
		completedAt = end.Truncate(time.Microsecond)
	}
	return nextAttemptAt, completedAt
}

// Accept gives a new delivery its first state.
func (d *Delivery) Accept(now time.Time, a Admission) {
	d.Generation, d.CreatedAt = 1, now
	switch a.Kind {
	case AdmissionPark:
		d.park(now, a)
	case AdmissionEnd:
		d.end(now, a.State, a.Reason)
	case AdmissionDefer:
		d.State, d.Reason, d.NextAttemptAt, d.DispatchAt = StatePending, a.Reason, a.Until, a.Until
	default:
		d.State, d.NextAttemptAt, d.DispatchAt = StatePending, now, now.Add(DispatchGrace)
	}
}

// Record counts an attempt and moves the delivery as was decided after it. An attempt of an
// earlier generation is only counted, as a prior attempt: the present generation still has all
// that the policy allows. A delivery that waits for no attempt, because it was cancelled or held
// while the request was under way, stays in its state; but one that is held and that the receiver
// has taken is delivered.
func (d *Delivery) Record(r Record) {
	current := d.Generation == r.Generation
	if made := r.Attempt.Number - d.AttemptsMade; made > 0 {
		d.AttemptsMade += made
		d.LastStatusCode, d.LastFailure = r.Attempt.Outcome.StatusCode, r.Attempt.Outcome.Failure
		if !current {
			d.PriorAttempts += made
		}
	}
	if !current {
		return
	}
	d.TemporalRunID = r.TemporalRunID
	if d.State.Parked() && r.Decision.State == StateDelivered {
		_, at := r.Dates()
		d.end(at, StateDelivered, r.Decision.Reason)
		return
	}
	if !d.State.HasNextAttempt() {
		return
	}
	d.State, d.Reason, d.Permanent = r.Decision.State, r.Decision.Reason, r.Decision.Permanent
	d.NextAttemptAt, d.CompletedAt = r.Dates()
	d.DispatchAt = time.Time{}
}

// Retry is an operator's: a final delivery starts its next generation, and one that waits for
// its next attempt gets another date: now, or later. What takes the data or the subscription
// from a delivery stands in the way.
func (d *Delivery) Retry(now, at time.Time, o Obstacles) error {
	at = latest(now, at)
	switch {
	case o.SubscriptionDeleted:
		return Errorf(CodeConflict, "the subscription of delivery %s is deleted", d.ID)
	case d.State.Final() && o.NothingToSend != nil:
		return o.NothingToSend
	case d.State.Final():
		d.reopen(at)
		d.extend(at)
		d.nextGeneration(latest(at, now.Add(DispatchGrace)))
	case d.State.HasNextAttempt():
		d.NextAttemptAt = at
		if at.After(now) {
			d.extend(at)
		}
		if !d.DispatchAt.IsZero() { // a release has dispatched it for later
			d.DispatchAt = at
		}
	default:
		return Errorf(CodeConflict, "delivery %s is %s (%s) and cannot be retried: it is sent %s", d.ID, d.State, d.Reason, d.ReleasedBy(Health{}))
	}
	return nil
}

// DispatchBy has a relay start, or wake, the workflow of a delivery that waits for an attempt at that
// time: an operation that retries many leaves that to the relays.
func (d *Delivery) DispatchBy(at time.Time) {
	if d.State.HasNextAttempt() {
		d.DispatchAt = at
	}
}

// Obstacles stand in the way of sending a delivery again, whatever its state is.
type Obstacles struct {
	SubscriptionDeleted bool
	// NothingToSend is the conflict of a delivery whose data are erased, or are about to be; nil:
	// they are there.
	NothingToSend error
}

// CheckResend refuses a copy of a delivery that could not be sent.
func (o Obstacles) CheckResend(id string) error {
	if o.SubscriptionDeleted {
		return Errorf(CodeConflict, "the subscription of delivery %s is deleted", id)
	}
	return o.NothingToSend
}

// Reset gives the delivery to the Temporal run that a reset of its workflow made, in the same
// generation. A final delivery becomes pending, unless its subscription is deleted; nothing has to
// start its workflow, which is running. A second call for the same run changes nothing, so that a
// delivery that has ended since stays final.
func (d *Delivery) Reset(now time.Time, temporalRunID string, subscriptionDeleted bool) {
	if d.TemporalRunID == temporalRunID {
		return
	}
	d.TemporalRunID = temporalRunID
	if d.State.Final() && !subscriptionDeleted {
		d.reopen(now)
		d.extend(now)
	}
}

// StartNextGeneration is the reconciler's: a delivery that waits for an attempt of that
// generation, and has no open workflow, is dispatched again. Its attempts so far count.
func (d *Delivery) StartNextGeneration(now time.Time, generation int) {
	if d.State.HasNextAttempt() && d.Generation == generation {
		d.nextGeneration(now)
	}
}

// Cancel ends an open delivery for that reason. Its workflow, if one is open, ends at
// dispatchAt. A delivery that is cancelled already stays as it is.
func (d *Delivery) Cancel(now time.Time, reason string, dispatchAt time.Time) error {
	switch {
	case d.State == StateCancelled:
		return nil
	case d.State.Final():
		return Errorf(CodeConflict, "delivery %s is %s already", d.ID, d.State)
	}
	hasWorkflow := d.State.HasNextAttempt()
	d.end(now, StateCancelled, reason)
	if hasWorkflow {
		d.DispatchAt = dispatchAt
	}
	return nil
}

// Close moves an open delivery of that generation to a final state. Its workflow has ended, or
// ends by itself.
func (d *Delivery) Close(now time.Time, generation int, state State, reason string) {
	if !d.State.Final() && d.Generation == generation {
		d.end(now, state, reason)
	}
}

// Hold parks a delivery of that generation that waits for an attempt. Its workflow ends by
// itself.
func (d *Delivery) Hold(now time.Time, generation int, a Admission) {
	if d.State.HasNextAttempt() && d.Generation == generation {
		d.park(now, a)
	}
}

// SetAside is an operator's: an open delivery is held until an operator releases it. Its workflow,
// if one is open, ends at dispatchAt. One that is set aside already stays as it is.
func (d *Delivery) SetAside(now time.Time, a Admission, dispatchAt time.Time) error {
	switch {
	case d.State == StateHeld && d.Reason == a.Reason:
		return nil
	case d.State.Final():
		return Errorf(CodeConflict, "delivery %s is %s already", d.ID, d.State)
	}
	hasWorkflow := d.State.HasNextAttempt()
	d.park(now, a)
	if hasWorkflow {
		d.DispatchAt = dispatchAt
	}
	return nil
}

// Release starts the next generation of a parked delivery, due and dispatched at that time, if
// it is admitted by now; one that is deferred is due at the date of the admission. Its attempts so
// far count. Otherwise it stays parked, or ends.
func (d *Delivery) Release(now, dispatchAt time.Time, a Admission) error {
	if !d.State.Parked() {
		return Errorf(CodeConflict, "delivery %s is %s and cannot be released", d.ID, d.State)
	}
	switch a.Kind {
	case AdmissionPark:
		d.park(now, a)
	case AdmissionEnd:
		d.end(now, a.State, a.Reason)
	default:
		prior := d.PriorAttempts
		d.reopen(dispatchAt)
		d.PriorAttempts = prior
		d.nextGeneration(dispatchAt)
		if a.Kind == AdmissionDefer {
			d.NextAttemptAt, d.Reason = a.Until, a.Reason
		}
	}
	return nil
}

// Expire ends a delivery whose hold is over.
func (d *Delivery) Expire(now time.Time) {
	if !d.State.Parked() || d.HeldUntil.After(now) {
		return
	}
	reason := ReasonHoldExpired
	if !d.ExpiresAt.IsZero() && !d.ExpiresAt.After(now) {
		reason = ReasonExpired
	}
	d.end(now, StateFailed, reason)
}

// Postpone changes the date of the next attempt, for that reason, if it is still due at that date.
func (d *Delivery) Postpone(due, until time.Time, reason string) {
	if d.State.HasNextAttempt() && d.NextAttemptAt.Equal(due) {
		d.NextAttemptAt, d.Reason = until, reason
	}
}

// TakeBack undoes what an operation did to a delivery that was not sent since: it stands as it did before;
// one that the operation made, which had no state, is cancelled. Its generation stays, unless one that
// waited for its next attempt has lost its workflow since. It reports whether it did so. It leaves what
// somebody has held or ended since, and what would be sent without the operation too. One that is in hand
// may be under way: only its own attempt, before it begins, takes it back.
func (d *Delivery) TakeBack(now time.Time, before *Delivery, byAttempt bool) (taken, inHand bool) {
	was := *d
	switch {
	case d.State.Final(), d.AttemptsMade != before.AttemptsMade, d.State == StateHeld && d.Reason == ReasonOperator:
		return false, false
	case before.State.Parked() && before.Reason != ReasonOperator:
		return false, false
	case !byAttempt && d.inHand(now):
		return false, true
	case before.State == "":
		d.end(now, StateCancelled, ReasonOperator)
		return true, false
	}
	d.State, d.Reason, d.Permanent = before.State, before.Reason, before.Permanent
	d.PriorAttempts, d.TemporalRunID, d.BlockedBy = before.PriorAttempts, before.TemporalRunID, before.BlockedBy
	d.NextAttemptAt, d.CompletedAt, d.DispatchAt = before.NextAttemptAt, before.CompletedAt, before.DispatchAt
	d.ParkedAt, d.HeldUntil, d.ExpiresAt = before.ParkedAt, before.HeldUntil, before.ExpiresAt
	switch {
	case !d.State.HasNextAttempt():
	case was.State.Parked(): // its workflow has ended
		d.nextGeneration(d.NextAttemptAt)
	case was.Generation != before.Generation: // another one has it
		d.TemporalRunID, d.DispatchAt = was.TemporalRunID, time.Time{}
		if !was.DispatchAt.IsZero() {
			d.DispatchAt = d.NextAttemptAt
		}
	}
	return true, false
}

// inHand reports whether a relay or a worker has a delivery that an operation has dated.
func (d *Delivery) inHand(now time.Time) bool {
	claimed := !d.DispatchAt.IsZero() && !d.DispatchAt.Equal(d.NextAttemptAt) // the operation has dated both
	due := d.DispatchAt.IsZero() && !d.NextAttemptAt.After(now)
	return d.State.HasNextAttempt() && (claimed || due)
}

// reopen makes a delivery pending and due at that time, with all of the policy's attempts
// before it.
func (d *Delivery) reopen(at time.Time) {
	d.State, d.Reason, d.Permanent = StatePending, "", false
	d.PriorAttempts = d.AttemptsMade
	d.NextAttemptAt, d.CompletedAt, d.DispatchAt = at, time.Time{}, time.Time{}
	d.unpark()
}

// extend takes away a deadline that has passed by then: a person wants the delivery sent all the same.
func (d *Delivery) extend(at time.Time) {
	if !d.ExpiresAt.After(at) {
		d.ExpiresAt = time.Time{}
	}
}

// nextGeneration lets another workflow have the delivery. No Temporal run has it before that
// one is started.
func (d *Delivery) nextGeneration(dispatchAt time.Time) {
	d.Generation++
	d.TemporalRunID, d.DispatchAt = "", dispatchAt
}

// park takes the dates from a delivery, and dates the end of the hold. One that is parked
// already stays parked since the same time, unless it is for an operator.
func (d *Delivery) park(now time.Time, a Admission) {
	if !d.State.Parked() || a.Reason == ReasonOperator {
		d.ParkedAt, d.HeldUntil = now, now.Add(a.HoldFor)
		if !d.ExpiresAt.IsZero() && d.ExpiresAt.Before(d.HeldUntil) {
			d.HeldUntil = d.ExpiresAt
		}
	}
	d.State, d.Reason, d.BlockedBy = a.State, a.Reason, a.BlockedBy
	d.NextAttemptAt, d.DispatchAt = time.Time{}, time.Time{}
}

// unpark forgets that a delivery was parked.
func (d *Delivery) unpark() { d.ParkedAt, d.HeldUntil, d.BlockedBy = time.Time{}, time.Time{}, "" }

// end makes a delivery final.
func (d *Delivery) end(now time.Time, state State, reason string) {
	d.State, d.Reason = state, reason
	d.NextAttemptAt, d.CompletedAt, d.DispatchAt = time.Time{}, now, time.Time{}
	d.unpark()
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
