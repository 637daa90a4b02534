package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// healthColumn is the health of a subscription s as JSON; null: it is healthy.
const healthColumn = "(SELECT row_to_json(h) FROM subscription_health h WHERE h.subscription_id = s.id) AS health"

// healthRow is a row of subscription_health, as row_to_json writes it.
type healthRow struct {
	SubscriptionID    string                   `json:"subscription_id"`
	Breaker           switchboard.BreakerState `json:"breaker"`
	BreakerSince      time.Time                `json:"breaker_since"`
	BreakerReason     string                   `json:"breaker_reason"`
	FailingSince      time.Time                `json:"failing_since"`
	ProbeAt           time.Time                `json:"probe_at"`
	ProbeIntervalUS   int64                    `json:"probe_interval_us"`
	ProbeDeliveryID   string                   `json:"probe_delivery_id"`
	DeferredUntil     time.Time                `json:"deferred_until"`
	QueueReason       string                   `json:"queue_reason"`
	Slow              bool                     `json:"slow"`
	WindowAt          time.Time                `json:"window_at"`
	Attempts          int                      `json:"attempts"`
	Failures          int                      `json:"failures"`
	PreviousAttempts  int                      `json:"previous_attempts"`
	PreviousFailures  int                      `json:"previous_failures"`
	FailuresInARow    int                      `json:"failures_in_a_row"`
	LastFailureReason string                   `json:"last_failure_reason"`
}

// parseHealth reads the health of a subscription; of a healthy one there is no row.
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
