package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store/batch"
)

// ReportHealth counts what attempts showed of an endpoint, together with the reports of other
// processes, and stores the consequences: see [switchboard.Health.Observe]. It returns when they
// are durable. Concurrent callers share a transaction.
func (s *Store) ReportHealth(ctx context.Context, r switchboard.HealthReport) (switchboard.HealthResult, error) {
	r.At = r.At.UTC().Truncate(time.Microsecond)
	return do(ctx, s.reports, "report the health of an endpoint", r)
}

// reportAll applies the reports by subscription. Most of them change only counts, which needs no
// lock of the subscription. Those that change a decision about deliveries are applied again under
// the lock.
func (s *Store) reportAll(ctx context.Context, reports []switchboard.HealthReport) ([]batch.Result[switchboard.HealthResult], error) {
	bySubscription := map[string][]int{} // the reports' indexes
	for i, r := range reports {
		bySubscription[r.SubscriptionID] = append(bySubscription[r.SubscriptionID], i)
	}
	counted, err := s.countReports(ctx, reports, bySubscription)
	if err != nil {
		return nil, err
	}
	results := make([]batch.Result[switchboard.HealthResult], len(reports))
	for id, indexes := range bySubscription {
		if h, ok := counted[id]; ok {
			for _, i := range indexes {
				results[i].Out.Health = h
			}
			continue
		}
		applied, err := s.applyReports(ctx, id, pick(reports, indexes))
		for n, i := range indexes {
			if results[i].Err = err; err == nil {
				results[i].Out = applied[n]
			}
		}
	}
	return results, nil
}

func pick(reports []switchboard.HealthReport, indexes []int) []switchboard.HealthReport {
	picked := make([]switchboard.HealthReport, len(indexes))
	for n, i := range indexes {
		picked[n] = reports[i]
	}
	return picked
}

// countReports stores the counts of the subscriptions for which nothing else changes, and returns
// their health. It leaves out subscriptions without a row, because all processes must be notified
// of a new row.
func (s *Store) countReports(ctx context.Context, reports []switchboard.HealthReport, bySubscription map[string][]int) (map[string]switchboard.Health, error) {
	ids := make([]string, 0, len(bySubscription))
	for id := range bySubscription {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var counted map[string]switchboard.Health
	err := s.tx(ctx, "count attempts of endpoints", func(ctx context.Context, tx transaction) error {
		counted = map[string]switchboard.Health{}
		now := s.now()
		healths, err := lockHealth(ctx, tx, ids...)
		if err != nil {
			return err
		}
		var changed []switchboard.Health
		for id, before := range healths {
			after, decided := before, false
			for _, i := range bySubscription[id] {
				decided = after.Observe(now, reports[i]) != (switchboard.HealthChange{}) || decided
			}
			if !decided && after.AdmitsLike(&before) {
				counted[id], changed = after, append(changed, after)
			}
		}
		slices.SortFunc(changed, func(a, b switchboard.Health) int { return strings.Compare(a.SubscriptionID, b.SubscriptionID) })
		return saveHealth(ctx, tx, now, changed...)
	})
	return counted, err
}

// applyReports applies the reports of a subscription with all consequences. If the subscription is
// not active, no more requests are made, and only a report that disables it has an effect.
func (s *Store) applyReports(ctx context.Context, id string, reports []switchboard.HealthReport) ([]switchboard.HealthResult, error) {
	var results []switchboard.HealthResult
	err := s.tx(ctx, "change the health of an endpoint", func(ctx context.Context, tx transaction) error {
		results = make([]switchboard.HealthResult, len(reports))
		sub, err := changeFlow(ctx, tx, id)
		if err != nil || sub == nil {
			return err
		}
		healths, err := lockHealth(ctx, tx, id)
		if err != nil {
			return err
		}
		h, now := healths[id], s.now()
		h.SubscriptionID = id
		for i, r := range reports {
			if sub.State != switchboard.SubscriptionActive {
				r = switchboard.HealthReport{SubscriptionID: id, Verdict: switchboard.EndpointUnknown, Disable: r.Disable}
			}
			before := h
			results[i].Change = h.Observe(now, r)
			if err := s.follow(ctx, tx, sub, &before, &h, now, &results[i]); err != nil {
				return err
			}
			results[i].Health = h
		}
		if _, known := healths[id]; !known && h.FailingSince.IsZero() && h.DeferredUntil.IsZero() {
			return nil // it is healthy
		}
		return saveHealth(ctx, tx, now, h)
	})
	return results, err
}

// changeFlow locks a subscription, and counts a change of what decides about its deliveries. It
// returns nil if the subscription is deleted.
func changeFlow(ctx context.Context, tx transaction, id string) (*switchboard.Subscription, error) {
	var found []*switchboard.Subscription
	err := tx.SelectContext(ctx, &found,
		"UPDATE subscriptions SET flow = flow + 1 WHERE id = $1 AND deleted_at IS NULL RETURNING id, tenant, state, state_reason, state_since, state_by", id)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// follow stores the consequences of a change of the health.
func (s *Store) follow(ctx context.Context, tx transaction, sub *switchboard.Subscription, before, after *switchboard.Health, now time.Time, result *switchboard.HealthResult) error {
	change := &result.Change
	if change.Opened {
		if err := s.announce(ctx, tx, switchboard.NewBreakerOpened(after)); err != nil {
			return err
		}
	}
	if change.Closed {
		if err := s.announce(ctx, tx, switchboard.NewBreakerClosed(before, now, "a request to the endpoint succeeded")); err != nil {
			return err
		}
		operation, err := s.startRelease(ctx, tx, sub.ID, bySwitchboard(switchboard.ActionRelease, "the breaker of the endpoint has closed"))
		if err != nil {
			return err
		}
		result.Operation = operation
	}
	if change.Disable == "" || sub.State == switchboard.SubscriptionDisabled {
		change.Disable = ""
		return nil
	}
	return s.disableByReceiver(ctx, tx, sub, change.Disable, now)
}

// disableByReceiver disables a subscription that is locked, because of its receiver's response.
func (s *Store) disableByReceiver(ctx context.Context, tx transaction, sub *switchboard.Subscription, reason string, now time.Time) error {
	before := *sub
	sub.State, sub.StateReason, sub.StateSince, sub.StateBy = switchboard.SubscriptionDisabled, clean(reason), now, switchboard.ActorSwitchboard
	_, err := tx.ExecContext(ctx, "UPDATE subscriptions SET state = $2, state_reason = $3, state_since = $4, state_by = $5 WHERE id = $1",
		sub.ID, string(sub.State), sub.StateReason, sub.StateSince, sub.StateBy)
	if err != nil {
		return err
	}
	if err := s.audit(ctx, tx, bySelf(), subscriptionEntry(sub, switchboard.AuditDisable, sub.StateReason, stateChanges(&before, sub))); err != nil {
		return err
	}
	return s.announce(ctx, tx, switchboard.NewSubscriptionDisabled(sub))
}
