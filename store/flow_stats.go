package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// flowStatsQuery counts these in addition to the parked deliveries.
const countEnding, countOldestBreaker, countDeferred, countSlow, countOperations, countRollup = "ending", "breaker", "deferred", "slow", "operations", "rollup"

// flowStatsQuery counts what is parked at the time $1, and the causes. A hold that ends before $2
// is about to end, except if it ends by deliver_within, as the subscription asks for. All hours
// before $3 should have been counted. The times are in a table, as in statsQuery.
const flowStatsQuery = `
WITH t AS MATERIALIZED (SELECT $1::timestamptz AS now, $2::timestamptz AS ending, $3::timestamptz AS counted)
SELECT state, reason, count(*), extract(epoch FROM max(t.now - parked_at))::float8 AS oldest FROM t, deliveries WHERE held_until IS NOT NULL GROUP BY state, reason
UNION ALL SELECT '` + countEnding + `', '', count(*), 0 FROM t, deliveries WHERE held_until IS NOT NULL AND held_until < t.ending AND held_until IS DISTINCT FROM expires_at
UNION ALL SELECT '` + countOldestBreaker + `', '', count(*), coalesce(extract(epoch FROM max(t.now - breaker_since)), 0) FROM t, subscription_health WHERE breaker <> 'closed'
UNION ALL SELECT '` + countDeferred + `', '', count(*), 0 FROM t, subscription_health WHERE deferred_until > t.now
UNION ALL SELECT '` + countSlow + `', '', count(*), 0 FROM subscription_health WHERE slow
UNION ALL SELECT '` + countOperations + `', '', count(*), greatest(0, coalesce(extract(epoch FROM max(t.now - greatest(updated_at, next_at))), 0)) FROM t, operations WHERE state = 'running'
UNION ALL SELECT '` + countRollup + `', '', 0, greatest(0, extract(epoch FROM greatest(t.now - minutes_to, t.counted - hours_to))) FROM t, rollup`

// FlowStats counts what may not be sent now, and why. It may take long, so it uses the connections
// of searches.
func (s *Store) FlowStats(ctx context.Context) (switchboard.FlowStats, error) {
	now := s.now()
	var counts []struct {
		State, Reason string
		Count         int
		Oldest        float64 // in seconds
	}
	err := s.search(ctx, "count parked deliveries", &counts, flowStatsQuery, now, now.Add(switchboard.HoldsEndingWithin), now.Add(-time.Hour-hourSettles))
	var stats switchboard.FlowStats
	missing := parkReasons()
	for _, c := range counts {
		oldest := time.Duration(c.Oldest * float64(time.Second))
		switch c.State {
		case countEnding:
			stats.HoldsEnding = c.Count
		case countOldestBreaker:
			stats.BreakerOldest = oldest
		case countDeferred:
			stats.Deferred = c.Count
		case countSlow:
			stats.Slow = c.Count
		case countOperations:
			stats.Operations, stats.OperationStalled = c.Count, oldest
		case countRollup:
			stats.RollupLag = oldest
		default:
			delete(missing, c.Reason)
			stats.Parked = append(stats.Parked, switchboard.ParkedStats{State: switchboard.State(c.State), Reason: c.Reason, Count: c.Count, Oldest: oldest})
		}
	}
	for reason, state := range missing { // so that they are shown as 0
		stats.Parked = append(stats.Parked, switchboard.ParkedStats{State: state, Reason: reason})
	}
	slices.SortFunc(stats.Parked, func(a, b switchboard.ParkedStats) int { return strings.Compare(a.Reason, b.Reason) })
	return stats, err
}

// parkReasons returns the reasons for which deliveries are parked, with their states.
func parkReasons() map[string]switchboard.State {
	reasons := map[string]switchboard.State{switchboard.ReasonEarlierDeliveryOpen: switchboard.StateBlocked}
	for _, held := range []string{
		switchboard.ReasonSubscriptionPaused, switchboard.ReasonSubscriptionDisabled, switchboard.ReasonSubscriptionUnverified, switchboard.ReasonBreakerOpen,
		switchboard.ReasonReceiverAskedToWait, switchboard.ReasonRateLimited, switchboard.ReasonWaitingForSlot, switchboard.ReasonOperator,
	} {
		reasons[held] = switchboard.StateHeld
	}
	return reasons
}
