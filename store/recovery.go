package store

import (
	"cmp"
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// NextRecovery does what is due for an unhealthy endpoint, and returns what its workflow waits for
// next. It releases the oldest delivery that the breaker holds as a probe. If none is held, it
// admits the next delivery as the probe. It starts the release when the time that the receiver
// asked to wait is over. It may be repeated at any time.
func (s *Store) NextRecovery(ctx context.Context, subscriptionID string) (switchboard.RecoveryStep, error) {
	var step switchboard.RecoveryStep
	err := s.tx(ctx, "recover an endpoint", func(ctx context.Context, tx transaction) (err error) {
		if step, err = s.plannedRecovery(ctx, tx, subscriptionID); err != nil || !step.Due {
			return err
		}
		step = switchboard.RecoveryStep{}
		sub, err := changeFlow(ctx, tx, subscriptionID)
		if err != nil || sub == nil {
			return err
		}
		healths, err := lockHealth(ctx, tx, subscriptionID)
		if err != nil {
			return err
		}
		h, known := healths[subscriptionID]
		if !known || sub.State != switchboard.SubscriptionActive {
			return nil
		}
		now := s.now()
		if step = h.Recovery(now); !step.Due { // another process has reported since
			return nil
		}
		if off, err := s.breakerIsOff(ctx, tx, subscriptionID); err != nil || off && h.Breaker == switchboard.BreakerOpen {
			if err == nil {
				step = switchboard.RecoveryStep{Breaker: switchboard.BreakerClosed}
				step.Operation, err = s.renewHealth(ctx, tx, sub, "breakers were turned off in the configuration")
			}
			return err
		}
		if err := s.recoverNow(ctx, tx, sub, &h, now, &step); err != nil {
			return err
		}
		return saveHealth(ctx, tx, now, h)
	})
	return step, err
}

// breakerIsOff reports whether the subscription has no breaker: by its own setting, or without one
// by the configuration. The configuration may have been different when the breaker opened. Now
// nobody counts the results of probes, so the breaker would stay open.
func (s *Store) breakerIsOff(ctx context.Context, tx transaction, subscriptionID string) (bool, error) {
	var mode switchboard.BreakerMode
	err := tx.GetContext(ctx, &mode, "SELECT coalesce(document#>>'{breaker,mode}', '') FROM subscriptions WHERE id = $1", subscriptionID)
	return cmp.Or(mode, s.breaker.Mode) == switchboard.BreakerOff, err
}

// plannedRecovery reads the next recovery step of an endpoint without locks.
func (s *Store) plannedRecovery(ctx context.Context, tx transaction, subscriptionID string) (switchboard.RecoveryStep, error) {
	var found [][]byte
	err := tx.SelectContext(ctx, &found, `
SELECT row_to_json(h) FROM subscription_health h JOIN subscriptions s ON s.id = h.subscription_id
WHERE h.subscription_id = $1 AND s.state = 'active' AND s.deleted_at IS NULL`, subscriptionID)
	if err != nil || len(found) == 0 {
		return switchboard.RecoveryStep{}, err
	}
	h, err := parseHealth(found[0])
	return h.Recovery(s.now()), err
}

// recoverNow does what is due. The subscription and its health are locked.
func (s *Store) recoverNow(ctx context.Context, tx transaction, sub *switchboard.Subscription, h *switchboard.Health, now time.Time, step *switchboard.RecoveryStep) error {
	if h.Breaker != switchboard.BreakerOpen {
		h.DeferredUntil = time.Time{}
		operation, err := s.startRelease(ctx, tx, sub.ID, bySwitchboard(switchboard.ActionRelease, "the time is over for which the receiver asked to wait"))
		*step = switchboard.RecoveryStep{Breaker: h.Breaker, Operation: operation}
		return err
	}
	h.DeferredUntil = time.Time{}
	probe, err := s.releaseProbe(ctx, tx, sub, h, now)
	if err != nil {
		return err
	}
	if probe == "" {
		h.HalfOpen()
	}
	*step = h.Recovery(now)
	return nil
}

// oldestHeldQuery finds the oldest delivery that the breaker of the subscription $1 holds, and
// whose hold ends after $2.
const oldestHeldQuery = "SELECT id FROM deliveries WHERE subscription_id = $1 AND state = 'held' AND reason = '" + switchboard.ReasonBreakerOpen + "' AND held_until > $2 ORDER BY id LIMIT 1"

// releaseProbe releases the oldest delivery that the breaker holds, and returns its id; empty: none
// is held. A delivery that must not be sent any more, for example after its deadline, ends. A
// delivery that must wait for an earlier one of its key is blocked. Neither is the probe.
func (s *Store) releaseProbe(ctx context.Context, tx transaction, sub *switchboard.Subscription, h *switchboard.Health, now time.Time) (string, error) {
	for {
		var oldest []string
		if err := tx.SelectContext(ctx, &oldest, oldestHeldQuery, sub.ID, now); err != nil || len(oldest) == 0 {
			return "", err
		}
		id := oldest[0]
		h.LetThrough(now, id)
		state, err := s.releaseAsProbe(ctx, tx, sub, h, now, id)
		if err != nil {
			return "", err
		}
		if state.HasNextAttempt() {
			return id, nil
		}
	}
}

// releaseAsProbe releases a delivery that the breaker held just before, and returns its state. It
// is blocked if an earlier one of its key is open.
func (s *Store) releaseAsProbe(ctx context.Context, tx transaction, sub *switchboard.Subscription, h *switchboard.Health, now time.Time, id string) (switchboard.State, error) {
	r, err := s.lockDelivery(ctx, tx, switchboard.Caller{}, id)
	if err != nil {
		return "", err
	}
	if r.State != switchboard.StateHeld || r.Reason != switchboard.ReasonBreakerOpen { // another process was faster
		return r.State, nil
	}
	before, err := predecessors(ctx, tx, r)
	if err != nil {
		return "", err
	}
	was := r.Delivery
	if err := r.Release(now, now, switchboard.Admit(now, switchboard.Conditions{Subscription: sub, Health: h, Delivery: &was, Predecessor: before[id]})); err != nil {
		return "", err
	}
	return r.State, s.saveTransition(ctx, tx, switchboard.Caller{}, bySwitchboard(switchboard.ActionRelease, "it is the probe of the endpoint, whose breaker is open"), was, r)
}

// lateRecoveryQuery finds the subscriptions for which something has been due since before $1: their
// workflow is missing.
const lateRecoveryQuery = `
SELECT h.subscription_id, s.url, row_to_json(h) AS health FROM subscription_health h JOIN subscriptions s ON s.id = h.subscription_id
WHERE s.state = 'active' AND s.deleted_at IS NULL AND (h.breaker = 'open' AND h.probe_at <= $1 AND (h.deferred_until IS NULL OR h.deferred_until <= $1)
	OR h.breaker <> 'open' AND h.deferred_until <= $1)
ORDER BY h.subscription_id LIMIT $2`

// LateRecoveries returns the endpoints for which something has been due for longer than slack. If
// there are very many, it returns some of them.
func (s *Store) LateRecoveries(ctx context.Context, slack time.Duration) ([]switchboard.Endpoint, error) {
	var rows []struct {
		SubscriptionID, URL string
		Health              []byte
	}
	err := s.list(ctx, "list endpoints to recover", &rows, lateRecoveryQuery, s.now().Add(-slack), batchLimit)
	if err != nil {
		return nil, err
	}
	late := make([]switchboard.Endpoint, len(rows))
	for i, r := range rows {
		late[i] = switchboard.Endpoint{SubscriptionID: r.SubscriptionID, Host: hostOf(r.URL)}
		if late[i].Health, err = parseHealth(r.Health); err != nil {
			return nil, err
		}
	}
	return late, nil
}
