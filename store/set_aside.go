package store

import (
	"context"

	"github.com/seed-49a43567/switchboard"
)

// SetAside holds an open delivery for an operator: see [switchboard.Delivery.SetAside]. A running
// request ends by itself. If the caller does not wake the workflow within the grace, the relay
// does, so that the workflow ends.
func (s *Store) SetAside(ctx context.Context, caller switchboard.Caller, id, reason string, options ...switchboard.ActionOptions) (d switchboard.Delivery, err error) {
	err = s.tx(ctx, "hold delivery", func(ctx context.Context, tx transaction) error {
		conditions, err := lockFlowOf(ctx, tx, id)
		if err != nil {
			return err
		}
		r, err := s.lockDelivery(ctx, tx, caller, id)
		if err != nil {
			return err
		}
		before, now := r.Delivery, s.now()
		if err := only(options).Expect.Act(now, &r.Delivery, func() error {
			admission, err := switchboard.OperatorHold(now, &r.Delivery, conditions.Subscription)
			if err != nil {
				return err
			}
			return r.SetAside(now, admission, now.Add(switchboard.DispatchGrace))
		}); err != nil {
			return err
		}
		d = r.Delivery
		return s.saveAction(ctx, tx, caller, action(caller, switchboard.ActionHold, reason), before, r)
	})
	return d, err
}

// ReleaseDelivery ends an operator's hold. The delivery is sent at once, unless something else
// holds it: then it stays held for that reason. A delivery that no operator holds is released only
// if nothing holds it any more; otherwise it is a Conflict.
func (s *Store) ReleaseDelivery(ctx context.Context, caller switchboard.Caller, id, reason string, options ...switchboard.ActionOptions) (d switchboard.Delivery, err error) {
	err = s.tx(ctx, "release delivery", func(ctx context.Context, tx transaction) error {
		conditions, err := lockFlowOf(ctx, tx, id)
		if err != nil {
			return err
		}
		r, err := s.lockDelivery(ctx, tx, caller, id)
		if err != nil {
			return err
		}
		was, now := r.Delivery, s.now()
		if err := only(options).Expect.Act(now, &r.Delivery, func() error {
			before, err := predecessors(ctx, tx, r)
			if err != nil {
				return err
			}
			conditions.Predecessor = before[id]
			admission, err := switchboard.OperatorRelease(now, &r.Delivery, conditions)
			if err != nil {
				return err
			}
			return r.Release(now, now, admission)
		}); err != nil {
			return err
		}
		d = r.Delivery
		return s.saveAction(ctx, tx, caller, action(caller, switchboard.ActionRelease, reason), was, r)
	})
	return d, err
}
