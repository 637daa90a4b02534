package switchboard

import (
	"errors"
	"strings"
	"time"
)

// ActionOptions are what a caller gives for an action on one delivery, in addition to the reason.
type ActionOptions struct {
	Expect  Expectation
	RetryAt time.Time // of a retry: the date of the next attempt; zero: now
}

// Expectation is the state of a delivery that its caller knows. A zero member expects nothing.
type Expectation struct {
	State      State
	Generation int
	Attempts   *int // attempts_made
}

// Standing is the current state of a delivery, for a caller who acts on it.
type Standing struct {
	State      State  `json:"state" enum:"pending,retrying,held,blocked,delivered,failed,cancelled" example:"delivered"`
	Generation int    `json:"generation" example:"1"`
	Attempts   int    `json:"attempts" doc:"Number of attempts made" example:"3"`
	Reason     string `json:"reason" doc:"Why it has this state; may be empty" example:"http_503"`
}

// StandingConflict is the conflict of an action with the current state of its delivery.
type StandingConflict struct {
	Err     error // with the code conflict
	Current Standing
}

func (e *StandingConflict) Error() string { return e.Err.Error() }
func (e *StandingConflict) Unwrap() error { return e.Err }

// Act applies an action to a delivery that is in the state that the caller expects. A conflict has
// the current state instead.
func (e Expectation) Act(now time.Time, d *Delivery, apply func() error) error {
	current := Standing{State: d.State, Generation: d.Generation, Attempts: d.AttemptsMade, Reason: d.ReasonAt(now)}
	err := e.check(d)
	if err == nil {
		err = apply()
	}
	if CodeOf(err) == CodeConflict {
		return &StandingConflict{Err: err, Current: current}
	}
	return err
}

func (e Expectation) check(d *Delivery) error {
	differs := func(format string, args ...any) error {
		return &Error{Code: CodeConflict, Field: "expect", Message: "delivery " + d.ID + " has moved on: " + Errorf("", format, args...).Message}
	}
	switch {
	case e.State != "" && e.State != d.State:
		return differs("it is %s, and not %s", d.State, e.State)
	case e.Generation != 0 && e.Generation != d.Generation:
		return differs("its generation is %d, and not %d", d.Generation, e.Generation)
	case e.Attempts != nil && *e.Attempts != d.AttemptsMade:
		return differs("it has made %d attempts, and not %d", d.AttemptsMade, *e.Attempts)
	}
	return nil
}

// OperatorHold returns the admission of a delivery of that subscription that an operator holds.
func OperatorHold(now time.Time, d *Delivery, sub *Subscription) (Admission, error) {
	admission := Admit(now, Conditions{Subscription: sub, Delivery: &Delivery{State: StateHeld, Reason: ReasonOperator}})
	if admission.Kind == AdmissionEnd {
		return admission, Errorf(CodeConflict, "delivery %s cannot be held: %s", d.ID, admission.Detail)
	}
	return admission, nil
}

// OperatorRelease returns the admission of a delivery after an operator ends its hold. If something
// else holds it too, it is held for that reason. If no operator holds it, the release is refused
// unless nothing holds it.
func OperatorRelease(now time.Time, d *Delivery, c Conditions) (Admission, error) {
	asReleased, byOperator := *d, d.Reason == ReasonOperator
	if byOperator {
		asReleased.Reason = ""
	}
	c.Delivery = &asReleased
	admission := Admit(now, c)
	if d.State.Parked() && !byOperator && admission.Kind == AdmissionPark {
		return admission, Errorf(CodeConflict, "delivery %s is %s, but not by an operator, and cannot be released: %s", d.ID, d.State, admission.Detail)
	}
	return admission, nil
}

// AvailableAction says whether a caller may apply an action to a delivery in its current state.
type AvailableAction struct {
	Action  ActionKind `json:"action" enum:"retry,cancel,hold,release,resend" example:"release"`
	Allowed bool       `json:"allowed"`
	WhyNot  string     `json:"why_not,omitempty" doc:"Why it is not allowed; left out if it is" example:"it is retrying and cannot be released"`
}

// Surroundings are what decides about the actions on a delivery, in addition to its own state.
type Surroundings struct {
	Subscription  *Subscription // its state and whether it is deleted, as [Conditions] has it
	Health        *Health
	NothingToSend error // see [Obstacles]
}

// Obstacles returns the obstacles of a delivery with these surroundings.
func (s *Surroundings) Obstacles() Obstacles {
	return Obstacles{SubscriptionDeleted: s.Subscription != nil && !s.Subscription.DeletedAt.IsZero(), NothingToSend: s.NothingToSend}
}

// AvailableActions returns what the caller may do to the delivery, and why not the rest. It tries
// each action on a copy, so that the rules are those of the lifecycle.
func AvailableActions(now time.Time, d Delivery, caller Caller, s Surroundings) []AvailableAction {
	attempts := []struct {
		kind  ActionKind
		apply func(d *Delivery) error
	}{
		{ActionRetry, func(d *Delivery) error { return d.Retry(now, now, s.Obstacles()) }},
		{ActionCancel, func(d *Delivery) error { return d.Cancel(now, ReasonOperator, now) }},
		{ActionHold, func(d *Delivery) error {
			admission, err := OperatorHold(now, d, s.Subscription)
			if err != nil {
				return err
			}
			return d.SetAside(now, admission, now)
		}},
		{ActionRelease, func(d *Delivery) error {
			conditions := Conditions{Subscription: s.Subscription, Health: s.Health, Predecessor: d.BlockedBy}
			if s.Health != nil {
				conditions.Queue = s.Health.QueueReason
			}
			admission, err := OperatorRelease(now, d, conditions)
			if err != nil {
				return err
			}
			return d.Release(now, now, admission)
		}},
		{ActionResend, func(d *Delivery) error { return s.Obstacles().CheckResend(d.ID) }},
	}
	available := make([]AvailableAction, len(attempts))
	for i, a := range attempts {
		after, err := d, caller.CheckAction(a.kind)
		if err == nil {
			err = a.apply(&after)
		}
		if err == nil && after == d && a.kind != ActionResend && a.kind != ActionRetry {
			err = Errorf(CodeConflict, "delivery %s is %s already (%s)", d.ID, d.State, d.Reason)
		}
		available[i] = AvailableAction{Action: a.kind, Allowed: err == nil, WhyNot: withoutID(messageOf(err), d.ID)}
	}
	return available
}

// withoutID removes the id from a message about a delivery, for callers who see which delivery it
// is about.
func withoutID(message, id string) string {
	return strings.NewReplacer("the subscription of delivery "+id, "its subscription", "delivery "+id, "it").Replace(message)
}

// messageOf returns the message of an error for its caller; empty: there is none.
func messageOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	return ""
}

// CheckAction refuses an action on a delivery that the caller's role does not have. Integrators of
// one tenant may retry and resend its deliveries.
func (c Caller) CheckAction(kind ActionKind) error {
	switch {
	case c.Role == RoleAdmin, c.Role == RoleSupport:
		return nil
	case c.Role == RoleIntegrator && (kind == ActionRetry || kind == ActionResend):
		if c.Tenant == "" {
			return Errorf(CodeForbidden, "a key of the role %s must be bound to the tenant to %s its deliveries", c.Role, kind)
		}
		return nil
	}
	return Errorf(CodeForbidden, "a key of the role %s may not %s deliveries", c.Role, kind)
}
