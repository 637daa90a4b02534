package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// healthColumn is the health of a subscription s as JSON; null: it is healthy.
const healthColumn = "(SELECT row_to_json(h) FROM subscription_health h WHERE h.subscription_id = s.id) AS health"

// healthRow is a row of subscription_health, as row_to_json writes it and json_populate_recordset
// reads it. A missing time is null.
type healthRow struct {
	SubscriptionID    string                   `json:"subscription_id"`
	Breaker           switchboard.BreakerState `json:"breaker"`
	BreakerSince      time.Time                `json:"breaker_since,omitzero"`
	BreakerReason     string                   `json:"breaker_reason"`
	FailingSince      time.Time                `json:"failing_since,omitzero"`
	ProbeAt           time.Time                `json:"probe_at,omitzero"`
	ProbeIntervalUS   int64                    `json:"probe_interval_us"`
	ProbeDeliveryID   string                   `json:"probe_delivery_id"`
	DeferredUntil     time.Time                `json:"deferred_until,omitzero"`
	QueueReason       string                   `json:"queue_reason"`
	Slow              bool                     `json:"slow"`
	WindowAt          time.Time                `json:"window_at"`
	Attempts          int                      `json:"attempts"`
	Failures          int                      `json:"failures"`
	PreviousAttempts  int                      `json:"previous_attempts"`
	PreviousFailures  int                      `json:"previous_failures"`
	FailuresInARow    int                      `json:"failures_in_a_row"`
	LastFailureReason string                   `json:"last_failure_reason"`
	UpdatedAt         time.Time                `json:"updated_at"`
}

// parseHealth reads the health of a subscription. A healthy one has no row.
func parseHealth(text []byte) (switchboard.Health, error) {
	if len(text) == 0 {
		return switchboard.Health{}, nil
	}
	var r healthRow
	if err := json.Unmarshal(text, &r); err != nil {
		return switchboard.Health{}, fmt.Errorf("the health of a subscription cannot be read: %w", err)
	}
	return switchboard.Health{
		SubscriptionID: r.SubscriptionID, Breaker: r.Breaker, BreakerSince: r.BreakerSince, BreakerReason: r.BreakerReason, FailingSince: r.FailingSince,
		ProbeAt: r.ProbeAt, ProbeInterval: time.Duration(r.ProbeIntervalUS) * time.Microsecond, ProbeDeliveryID: r.ProbeDeliveryID,
		DeferredUntil: r.DeferredUntil, QueueReason: r.QueueReason, Slow: r.Slow, WindowAt: r.WindowAt, Attempts: r.Attempts, Failures: r.Failures,
		PreviousAttempts: r.PreviousAttempts, PreviousFailures: r.PreviousFailures, FailuresInARow: r.FailuresInARow, LastFailureReason: r.LastFailureReason,
	}, nil
}

// lockHealthQuery reads the health of the endpoints of the subscriptions $1, and prevents changes
// by others.
const lockHealthQuery = "SELECT row_to_json(h) FROM subscription_health h WHERE subscription_id = ANY($1) ORDER BY subscription_id FOR NO KEY UPDATE"

// healthColumns are the columns of a [healthRow].
const healthColumns = "subscription_id, breaker, breaker_since, breaker_reason, failing_since, probe_at, probe_interval_us, probe_delivery_id, deferred_until, queue_reason, slow, " +
	"window_at, attempts, failures, previous_attempts, previous_failures, failures_in_a_row, last_failure_reason, updated_at"

// saveHealthQuery writes the rows $1, a JSON array of [healthRow].
const saveHealthQuery = "INSERT INTO subscription_health AS h (" + healthColumns + ") SELECT " + healthColumns + " FROM json_populate_recordset(NULL::subscription_health, $1)\n" +
	`ON CONFLICT (subscription_id) DO UPDATE SET
	breaker = excluded.breaker, breaker_since = excluded.breaker_since, breaker_reason = excluded.breaker_reason, failing_since = excluded.failing_since,
	probe_at = excluded.probe_at, probe_interval_us = excluded.probe_interval_us, probe_delivery_id = excluded.probe_delivery_id,
	deferred_until = excluded.deferred_until, queue_reason = excluded.queue_reason, slow = excluded.slow,
	window_at = excluded.window_at, attempts = excluded.attempts, failures = excluded.failures, previous_attempts = excluded.previous_attempts,
	previous_failures = excluded.previous_failures, failures_in_a_row = excluded.failures_in_a_row, last_failure_reason = excluded.last_failure_reason,
	updated_at = excluded.updated_at`

// lockHealth reads the health of the subscriptions that have a row, by their ids, and prevents
// changes by others until the transaction ends.
func lockHealth(ctx context.Context, tx transaction, subscriptionIDs ...string) (map[string]switchboard.Health, error) {
	var rows [][]byte
	if err := tx.SelectContext(ctx, &rows, lockHealthQuery, pq.Array(subscriptionIDs)); err != nil {
		return nil, err
	}
	found := make(map[string]switchboard.Health, len(rows))
	for _, text := range rows {
		h, err := parseHealth(text)
		if err != nil {
			return nil, err
		}
		found[h.SubscriptionID] = h
	}
	return found, nil
}

// saveHealth writes rows that are locked, or whose subscription is locked.
func saveHealth(ctx context.Context, tx transaction, now time.Time, healths ...switchboard.Health) error {
	if len(healths) == 0 {
		return nil
	}
	rows := make([]healthRow, len(healths))
	for i, h := range healths {
		rows[i] = healthRow{
			SubscriptionID: h.SubscriptionID, Breaker: cmp.Or(h.Breaker, switchboard.BreakerClosed), BreakerSince: h.BreakerSince, BreakerReason: h.BreakerReason,
			FailingSince: h.FailingSince, ProbeAt: h.ProbeAt, ProbeIntervalUS: h.ProbeInterval.Microseconds(), ProbeDeliveryID: h.ProbeDeliveryID,
			DeferredUntil: h.DeferredUntil, QueueReason: h.QueueReason, Slow: h.Slow, WindowAt: cmp.Or(h.WindowAt, now), Attempts: h.Attempts, Failures: h.Failures,
			PreviousAttempts: h.PreviousAttempts, PreviousFailures: h.PreviousFailures, FailuresInARow: h.FailuresInARow, LastFailureReason: h.LastFailureReason,
			UpdatedAt: now,
		}
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, saveHealthQuery, string(text))
	return err
}

// startAfresh forgets the health of a subscription's endpoint, except for whether it is slow. It
// closes the breaker, which is announced with that reason, and drops what the receiver asked for.
// It reports whether deliveries may have waited for one of these. The caller has changed the
// subscription's flow in the same transaction, and starts a release.
func (s *Store) startAfresh(ctx context.Context, tx transaction, subscriptionID, reason string) (waited bool, err error) {
	healths, err := lockHealth(ctx, tx, subscriptionID)
	before, known := healths[subscriptionID]
	if err != nil || !known {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, `
UPDATE subscription_health SET breaker = 'closed', breaker_since = NULL, breaker_reason = '', failing_since = NULL, probe_at = NULL, probe_interval_us = 0,
	probe_delivery_id = '', deferred_until = NULL, attempts = 0, failures = 0, previous_attempts = 0, previous_failures = 0, failures_in_a_row = 0, last_failure_reason = ''
WHERE subscription_id = $1`, subscriptionID); err != nil {
		return false, err
	}
	if before.Breaker == switchboard.BreakerClosed {
		return !before.DeferredUntil.IsZero(), nil
	}
	return true, s.announce(ctx, tx, switchboard.NewBreakerClosed(&before, s.now(), reason))
}

// renewHealth does what [Store.startAfresh] does for a subscription that got another endpoint, or
// no breaker. It starts the release of the deliveries that were held for it. The caller then starts
// the operation of that id in Temporal; empty: there is none. The transaction has changed the flow
// of the subscription.
func (s *Store) renewHealth(ctx context.Context, tx transaction, sub *switchboard.Subscription, reason string) (operationID string, err error) {
	waited, err := s.startAfresh(ctx, tx, sub.ID, reason)
	if err != nil || !waited || cmp.Or(sub.State, switchboard.SubscriptionActive) != switchboard.SubscriptionActive {
		return "", err
	}
	return s.startRelease(ctx, tx, sub.ID, bySwitchboard(switchboard.ActionRelease, reason))
}

// forgottenAfter is how long the health of an endpoint is kept if its last attempt failed and no
// other followed.
const forgottenAfter = 7 * 24 * time.Hour

// countedFor is the longest window of a breaker: earlier attempts have no effect.
const countedFor = time.Hour

// isHealthy is the condition at the time $1 for a row that need not be kept: the endpoint works, or
// nothing was sent to it for long.
const isHealthy = "breaker = 'closed' AND (deferred_until IS NULL OR deferred_until <= $1) AND queue_reason = '' AND NOT slow AND " +
	"(failing_since IS NULL AND (failures = 0 AND previous_failures = 0 OR window_at <= $2) OR updated_at <= $3)"

const healthyQuery = "SELECT subscription_id FROM subscription_health WHERE " + isHealthy + " ORDER BY subscription_id LIMIT $4"

// ForgetHealthy removes the rows of endpoints that are healthy now, and returns how many. If there
// are very many, a call removes only some of them. All processes are notified, and report no more
// successes.
func (s *Store) ForgetHealthy(ctx context.Context) (int, error) {
	now := s.now()
	times := []any{now, now.Add(-countedFor), now.Add(-forgottenAfter)}
	var ids []string
	if err := s.list(ctx, "list healthy endpoints", &ids, healthyQuery, append(times, batchLimit)...); err != nil || len(ids) == 0 {
		return 0, err
	}
	removed := 0
	err := s.tx(ctx, "forget healthy endpoints", func(ctx context.Context, tx transaction) error {
		var locked []string
		if err := tx.SelectContext(ctx, &locked, "SELECT id FROM subscriptions WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", pq.Array(ids)); err != nil {
			return err
		}
		var gone []string
		if err := tx.SelectContext(ctx, &gone, "DELETE FROM subscription_health WHERE subscription_id = ANY($4) AND "+isHealthy+" RETURNING subscription_id",
			append(times, pq.Array(locked))...); err != nil {
			return err
		}
		removed = len(gone)
		_, err := tx.ExecContext(ctx, "UPDATE subscriptions SET flow = flow + 1 WHERE id = ANY($1)", pq.Array(gone))
		return err
	})
	return removed, err
}
