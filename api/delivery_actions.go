package api

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// expectation is the state in which the caller believes the delivery to be.
type expectation struct {
	State      switchboard.State `json:"state,omitempty" enum:"pending,retrying,held,blocked,delivered,failed,cancelled" doc:"Left out: any" example:"retrying"`
	Generation *int              `json:"generation,omitempty" minimum:"1" doc:"Left out: any" example:"1"`
	Attempts   *int              `json:"attempts,omitempty" minimum:"0" doc:"attempts_made of the delivery. Left out: any number" example:"3"`
}

// options returns the options of an action with that expectation.
func (e *expectation) options() (switchboard.ActionOptions, error) {
	var o switchboard.ActionOptions
	switch {
	case e == nil:
		return o, nil
	case e.State != "" && !e.State.Valid():
		return o, switchboard.InvalidField("expect.state", "is unknown; known: %s", switchboard.JoinWords(switchboard.States()))
	case e.Generation != nil && *e.Generation < 1:
		return o, switchboard.InvalidField("expect.generation", "must be at least 1")
	case e.Attempts != nil && *e.Attempts < 0:
		return o, switchboard.InvalidField("expect.attempts", "must not be negative")
	}
	o.Expect = switchboard.Expectation{State: e.State, Attempts: e.Attempts}
	if e.Generation != nil {
		o.Expect.Generation = *e.Generation
	}
	return o, nil
}

type actionInput struct {
	Reason string       `json:"reason,omitempty" doc:"The reason, in your own words; stored with the action" example:"receiver fixed" maxLength:"500"`
	Expect *expectation `json:"expect,omitempty" doc:"Acts only if the delivery is in this state. Otherwise the answer is 409, with the actual state as current"`
}

type requiredActionInput struct {
	Reason string       `json:"reason" doc:"The reason, in your own words; stored with the action" example:"wrong price in it" maxLength:"500"`
	Expect *expectation `json:"expect,omitempty" doc:"Acts only if the delivery is in this state. Otherwise the answer is 409, with the actual state as current"`
}

type retryInput struct {
	Reason  string       `json:"reason,omitempty" doc:"The reason, in your own words; stored with the action" example:"receiver fixed" maxLength:"500"`
	RetryAt *time.Time   `json:"retry_at,omitempty" doc:"When to make the next attempt, within 30 days. Default: now" example:"2026-01-31T18:00:00Z"`
	Expect  *expectation `json:"expect,omitempty" doc:"Acts only if the delivery is in this state. Otherwise the answer is 409, with the actual state as current"`
}

// maxRetryAhead limits how far in the future the date of a retry may be: as long as a hold lasts.
const maxRetryAhead = switchboard.DefaultHold

// retryInPast is how far in the past a date still counts as now, because clocks differ.
const retryInPast = time.Minute

func (in *retryInput) options(now time.Time) (switchboard.ActionOptions, error) {
	o, err := in.Expect.options()
	if err != nil || in.RetryAt == nil {
		return o, err
	}
	switch o.RetryAt = in.RetryAt.UTC().Truncate(time.Microsecond); {
	case o.RetryAt.Before(now.Add(-retryInPast)):
		return o, switchboard.InvalidField("retry_at", "is in the past: leave it out to retry now")
	case o.RetryAt.After(now.Add(maxRetryAhead)):
		return o, switchboard.InvalidField("retry_at", "is more than 30 days away")
	}
	return o, nil
}

type retryDeliveryInput struct {
	ID string `path:"id" doc:"Id of the delivery" example:"dlv_01k0000000000000000000000"`
	payload[retryInput]
}

type operateInput struct {
	ID string `path:"id" doc:"Id of the delivery" example:"dlv_01k0000000000000000000000"`
	payload[actionInput]
}

type holdInput struct {
	ID string `path:"id" doc:"Id of the delivery" example:"dlv_01k0000000000000000000000"`
	payload[requiredActionInput]
}

func (s *server) retryDelivery(ctx context.Context, caller switchboard.Caller, in *retryDeliveryInput) (*reply[delivery], error) {
	if err := caller.CheckAction(switchboard.ActionRetry); err != nil {
		return nil, err
	}
	if err := checkReason(in.JSON.Reason); err != nil {
		return nil, err
	}
	options, err := in.JSON.options(time.Now())
	if err != nil {
		return nil, err
	}
	d, start, err := s.Store.Retry(ctx, caller, in.ID, in.JSON.Reason, options)
	switch {
	case err != nil:
		return nil, withStanding(err)
	case start:
		s.Engine.Start(ctx, []switchboard.Delivery{d})
	case d.State.HasNextAttempt():
		s.signal(ctx, "retry", d.ID, func(ctx context.Context) error { return s.Engine.RetryNow(ctx, d.ID) })
	}
	return s.acted(ctx, caller, &d), nil
}

func (s *server) cancelDelivery(ctx context.Context, caller switchboard.Caller, in *holdInput) (*reply[delivery], error) {
	if err := checkRequiredReason(in.JSON.Reason); err != nil {
		return nil, err
	}
	options, err := in.JSON.Expect.options()
	if err != nil {
		return nil, err
	}
	d, err := s.Store.Cancel(ctx, caller, in.ID, in.JSON.Reason, options)
	if err != nil {
		return nil, withStanding(err)
	}
	s.signal(ctx, "cancel", d.ID, func(ctx context.Context) error { return s.Engine.Cancel(ctx, d) })
	return s.acted(ctx, caller, &d), nil
}

func (s *server) holdDelivery(ctx context.Context, caller switchboard.Caller, in *holdInput) (*reply[delivery], error) {
	if err := checkRequiredReason(in.JSON.Reason); err != nil {
		return nil, err
	}
	options, err := in.JSON.Expect.options()
	if err != nil {
		return nil, err
	}
	d, err := s.Store.SetAside(ctx, caller, in.ID, in.JSON.Reason, options)
	if err != nil {
		return nil, withStanding(err)
	}
	s.signal(ctx, "hold", d.ID, func(ctx context.Context) error { return s.Engine.RetryNow(ctx, d.ID) })
	return s.acted(ctx, caller, &d), nil
}

func (s *server) releaseDelivery(ctx context.Context, caller switchboard.Caller, in *operateInput) (*reply[delivery], error) {
	if err := checkReason(in.JSON.Reason); err != nil {
		return nil, err
	}
	options, err := in.JSON.Expect.options()
	if err != nil {
		return nil, err
	}
	d, err := s.Store.ReleaseDelivery(ctx, caller, in.ID, in.JSON.Reason, options)
	if err != nil {
		return nil, withStanding(err)
	}
	return s.acted(ctx, caller, &d), nil
}

// standingError is the conflict of an action, with the delivery's state.
type standingError struct{ *switchboard.StandingConflict }

// Unwrap returns the conflict itself.
func (e standingError) Unwrap() error { return e.StandingConflict }

// ProblemMembers adds the delivery's state to the problem.
func (e standingError) ProblemMembers() (members any, stored bool) {
	return problemMembers{Current: &e.Current}, false
}

func withStanding(err error) error {
	if e, ok := errors.AsType[*switchboard.StandingConflict](err); ok {
		return standingError{e}
	}
	return err
}

// acted shows a delivery after an action. It returns no error if the next available actions cannot
// be read, because the action itself is done.
func (s *server) acted(ctx context.Context, caller switchboard.Caller, d *switchboard.Delivery) *reply[delivery] {
	show, err := s.shown(ctx, caller, []string{d.ID})
	if err != nil {
		rest.Warn(ctx, slog.String("available_actions", err.Error()))
		return &reply[delivery]{Body: s.deliveryOf(d)}
	}
	return &reply[delivery]{Body: show(d)}
}

// shown reads what decides about actions on the deliveries, and returns each delivery in the form
// for the caller.
func (s *server) shown(ctx context.Context, caller switchboard.Caller, ids []string) (func(*switchboard.Delivery) delivery, error) {
	surroundings, err := s.Store.Surroundings(ctx, ids)
	now := time.Now()
	return func(d *switchboard.Delivery) delivery {
		out := s.deliveryOf(d)
		if around, known := surroundings[d.ID]; known {
			out.Available = switchboard.AvailableActions(now, *d, caller, around)
		}
		return out
	}, err
}

func idsOf(deliveries []switchboard.Delivery) []string {
	ids := make([]string, len(deliveries))
	for i, d := range deliveries {
		ids[i] = d.ID
	}
	return ids
}

// engineTimeout limits how long a caller waits for Temporal after the row is written.
const engineTimeout = 2 * time.Second

// signal passes a stored action to the engine, even if the caller has gone. The caller gets no
// error if that fails, because the row holds the action: the relay dispatches cancellations and
// holds within seconds, and the reconciler finds a retry once it is overdue by
// [switchboard.StuckAfter].
func (s *server) signal(ctx context.Context, action, id string, call func(context.Context) error) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineTimeout)
	defer cancel()
	if err := call(bounded); err != nil {
		s.Logger.LogAttrs(ctx, slog.LevelWarn, "an action is stored, and Temporal was not reached",
			slog.String("action", action), slog.String("delivery", id),
			slog.String("request_id", rest.RequestID(ctx)), slog.String("error", err.Error()))
	}
}
