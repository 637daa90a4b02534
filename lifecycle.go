package switchboard

import "time"

// This file has every state transition of a delivery; docs/state_machine.md describes them. The
// store locks the row, calls the method, and saves the changes. A transition sets the state, the
// reason, the counts and the dates. It sets DispatchAt if a relay has to start or end a workflow in
// Temporal.
//
// If a person asks for a transition that the state does not allow, the method returns a Conflict.
// If Switchboard itself decided on it and the delivery has changed since (another generation, or
// final), nothing changes.

// DispatchGrace is how long the relay waits for the process that accepted, retried or cancelled a
// delivery to dispatch it itself. It is longer than a start takes on a busy day, and short enough
// for deliveries whose process died.
const DispatchGrace = 5 * time.Second

// Record is an attempt with its consequences.
type Record struct {
	Attempt       Attempt
	Decision      Decision
	Generation    int    // of the delivery when the attempt was made
	TemporalRunID string // the workflow run that made it
}

// Dates returns the delivery's dates after the attempt: of the next attempt, or of its end; zero:
// none. They are truncated to microseconds, as in Postgres.
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

// Record counts an attempt and applies the decision that followed it. An attempt of an earlier
// generation is only counted, as a prior attempt: the current generation keeps all attempts that
// the policy allows. A delivery that was cancelled or held during the request keeps its state,
// unless it is held or blocked and the attempt succeeded: then it is delivered.
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

// Retry is an operator's transition. A final delivery starts its next generation. A delivery that
// waits for its next attempt gets another date: now, or later. It is refused if the event's data or
// the subscription are gone.
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
		if !d.DispatchAt.IsZero() { // a release has dispatched it for a later time
			d.DispatchAt = at
		}
	default:
		return Errorf(CodeConflict, "delivery %s is %s (%s) and cannot be retried: it is sent %s", d.ID, d.State, d.Reason, d.ReleasedBy(Health{}))
	}
	return nil
}

// DispatchBy lets a relay start or wake the delivery's workflow at that time. An operation that
// retries many deliveries leaves them to the relays.
func (d *Delivery) DispatchBy(at time.Time) {
	if d.State.HasNextAttempt() {
		d.DispatchAt = at
	}
}

// Obstacles prevent sending a delivery again, whatever its state.
type Obstacles struct {
	SubscriptionDeleted bool
	// NothingToSend is the conflict of a delivery whose data are erased, or about to be; nil: they
	// exist.
	NothingToSend error
}

// CheckResend returns a conflict if a copy of the delivery could not be sent.
func (o Obstacles) CheckResend(id string) error {
	if o.SubscriptionDeleted {
		return Errorf(CodeConflict, "the subscription of delivery %s is deleted", id)
	}
	return o.NothingToSend
}

// Reset assigns the delivery to the Temporal run that a reset of its workflow made, in the same
// generation. A final delivery becomes pending, unless its subscription is deleted. Nothing has to
// be dispatched, because the workflow runs. A second call for the same run changes nothing, so a
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

// StartNextGeneration is the reconciler's transition: a delivery of that generation that waits for
// an attempt but has no open workflow is dispatched again. Its attempts so far count.
func (d *Delivery) StartNextGeneration(now time.Time, generation int) {
	if d.State.HasNextAttempt() && d.Generation == generation {
		d.nextGeneration(now)
	}
}

// Cancel ends an open delivery for that reason. Its workflow, if one is open, ends at dispatchAt. A
// delivery that is already cancelled does not change.
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

// Close moves an open delivery of that generation to a final state. Its workflow has ended, or ends
// without a dispatch.
func (d *Delivery) Close(now time.Time, generation int, state State, reason string) {
	if !d.State.Final() && d.Generation == generation {
		d.end(now, state, reason)
	}
}

// Hold parks a delivery of that generation that waits for an attempt. Its workflow ends without a
// dispatch.
func (d *Delivery) Hold(now time.Time, generation int, a Admission) {
	if d.State.HasNextAttempt() && d.Generation == generation {
		d.park(now, a)
	}
}

// SetAside is an operator's transition: an open delivery is held until an operator releases it. Its
// workflow, if one is open, ends at dispatchAt. A delivery that an operator already holds does not
// change.
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

// Release starts the next generation of a parked delivery, due and dispatched at that time, if it
// is admitted now. If it is deferred, it is due at the date of the admission. Its attempts so far
// count. If it is not admitted, it stays parked, or ends.
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

// Postpone changes the date of the next attempt, and the reason, if the delivery is still due at
// the former date.
func (d *Delivery) Postpone(due, until time.Time, reason string) {
	if d.State.HasNextAttempt() && d.NextAttemptAt.Equal(due) {
		d.NextAttemptAt, d.Reason = until, reason
	}
}

// TakeBack undoes what an operation did to a delivery that was not sent since, and reports whether
// it did. The delivery returns to its former state; one that the operation created has none, and is
// cancelled. The generation stays, unless a delivery that waited for its next attempt has lost its
// workflow since. A delivery does not change if somebody has held or ended it since, or if it would
// be sent without the operation too. A delivery that is in hand may be in flight: only its own
// attempt takes it back, before it begins.
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
	case was.State.Parked(): // its workflow ended when it was parked
		d.nextGeneration(d.NextAttemptAt)
	case was.Generation != before.Generation: // another generation has the delivery
		d.TemporalRunID, d.DispatchAt = was.TemporalRunID, time.Time{}
		if !was.DispatchAt.IsZero() {
			d.DispatchAt = d.NextAttemptAt
		}
	}
	return true, false
}

// inHand reports whether a relay or a worker has already claimed a delivery that an operation
// dated.
func (d *Delivery) inHand(now time.Time) bool {
	claimed := !d.DispatchAt.IsZero() && !d.DispatchAt.Equal(d.NextAttemptAt) // the operation set both to the same time
	due := d.DispatchAt.IsZero() && !d.NextAttemptAt.After(now)
	return d.State.HasNextAttempt() && (claimed || due)
}

// reopen makes a delivery pending and due at that time, with all attempts of the policy ahead.
func (d *Delivery) reopen(at time.Time) {
	d.State, d.Reason, d.Permanent = StatePending, "", false
	d.PriorAttempts = d.AttemptsMade
	d.NextAttemptAt, d.CompletedAt, d.DispatchAt = at, time.Time{}, time.Time{}
	d.unpark()
}

// extend removes a deadline that will have passed by then, because a person wants the delivery to
// be sent.
func (d *Delivery) extend(at time.Time) {
	if !d.ExpiresAt.After(at) {
		d.ExpiresAt = time.Time{}
	}
}

// nextGeneration makes the delivery's workflow a new one. It has no Temporal run until that is
// started.
func (d *Delivery) nextGeneration(dispatchAt time.Time) {
	d.Generation++
	d.TemporalRunID, d.DispatchAt = "", dispatchAt
}

// park clears the dates of the delivery and sets the end of the hold. A delivery that is already
// parked keeps the start of its hold, unless an operator holds it now.
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

// unpark clears the fields of a parked delivery.
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
