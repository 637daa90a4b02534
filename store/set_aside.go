package store

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// SetAside holds an open delivery for an operator: see [switchboard.Delivery.SetAside]. A request
// that is under way ends by itself. The relay wakes the workflow that the caller has not woken within
// the grace, so that it ends.
func (s *Store) SetAside(ctx context.Context, caller switchboard.Caller, id, reason string) (d switchboard.Delivery, err error) {
	err = s.tx(ctx, "hold delivery", func(ctx context.Context, tx transaction) error {
		conditions, err := lockFlowOf(ctx, tx, id, shared)
		if err != nil {
			return err
		}
		_, d, err = s.transit(ctx, tx, caller, id, action(caller, switchboard.ActionHold, reason), func(d *switchboard.Delivery, now time.Time) error {
			asHeld := switchboard.Delivery{State: switchboard.StateHeld, Reason: switchboard.ReasonOperator}
			admission := switchboard.Admit(now, switchboard.Conditions{Subscription: conditions.Subscription, Delivery: &asHeld})
			if admission.Kind == switchboard.AdmissionEnd {
				return switchboard.Errorf(switchboard.CodeConflict, "delivery %s cannot be held: %s", id, admission.Detail)
			}
			return d.SetAside(now, admission, now.Add(switchboard.DispatchGrace))
		})
		return err
	})
	return d, err
}

// ReleaseDelivery ends the hold of an operator. The delivery is sent at once, unless something else
// holds it: then it stays held for that reason. One that no operator holds is released only if
// nothing holds it any more; else that is a Conflict.
func (s *Store) ReleaseDelivery(ctx context.Context, caller switchboard.Caller, id, reason string) (d switchboard.Delivery, err error) {
	err = s.tx(ctx, "release delivery", func(ctx context.Context, tx transaction) error {
		conditions, err := lockFlowOf(ctx, tx, id, shared)
		if err != nil {
			return err
		}
		r, err := s.lockDelivery(ctx, tx, caller, id)
		if err != nil {
			return err
		}
		was, now := r.Delivery, s.now()
		asReleased, byOperator := was, was.Reason == switchboard.ReasonOperator
		if byOperator {
			asReleased.Reason = ""
		}
		before, err := predecessors(ctx, tx, r)
		if err != nil {
			return err
		}
		conditions.Delivery, conditions.Predecessor = &asReleased, before[id]
		admission := switchboard.Admit(now, conditions)
		if was.State.Parked() && !byOperator && admission.Kind == switchboard.AdmissionPark {
			return switchboard.Errorf(switchboard.CodeConflict, "delivery %s is %s by no operator, and cannot be released: %s", id, was.State, admission.Detail)
		}
		if err := r.Release(now, now, admission); err != nil {
			return err
		}
		d = r.Delivery
		return s.saveTransition(ctx, tx, caller, action(caller, switchboard.ActionRelease, reason), was, r)
	})
	return d, err
}
