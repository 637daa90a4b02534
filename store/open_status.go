package store

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/seed-49a43567/switchboard"
)

// tenantStatsQuery is statsQuery for the tenant $1, with the parts that concern a tenant; what was
// due at $2 is overdue.
const tenantStatsQuery = `
WITH t AS MATERIALIZED (SELECT $2::timestamptz AS overdue)
SELECT state, count(*), min(id) AS least FROM deliveries
WHERE tenant = $1 AND state NOT IN ('pending', 'delivered') AND state IN ('retrying', 'held', 'blocked') GROUP BY state
UNION ALL SELECT 'pending', count(*), min(id) FROM deliveries WHERE next_attempt_at IS NOT NULL AND state = 'pending' AND tenant = $1 HAVING count(*) > 0
UNION ALL SELECT '` + countBreaker + `', count(*), '' FROM subscription_health h JOIN subscriptions s ON s.id = h.subscription_id WHERE h.breaker <> 'closed' AND s.tenant = $1
UNION ALL SELECT '` + countLate + `', count(*), '' FROM t, deliveries WHERE ` + overdue + `t.overdue AND tenant = $1`

// OpenStatus counts what is open now. A caller that sees every tenant, and asks for none, also gets
// the workers.
func (s *Store) OpenStatus(ctx context.Context, caller switchboard.Caller, tenant string) (switchboard.OpenStatus, error) {
	status := switchboard.OpenStatus{At: s.now(), Workers: []switchboard.WorkerStatus{}}
	var stats switchboard.Stats
	var err error
	switch {
	case tenant != "" && !caller.Sees(tenant):
		stats = noStats()
	case caller.Tenant != "" || tenant != "":
		stats, err = s.tenantStats(ctx, cmp.Or(tenant, caller.Tenant))
	default:
		if stats, err = s.Stats(ctx); err == nil {
			status.Workers, err = s.workers(ctx)
		}
	}
	status.Open, status.Overdue, status.Backlog, status.Oldest = stats.Open, stats.Overdue, stats.RelayBacklog, stats.Oldest
	status.OldestAt, _ = switchboard.IDTime(switchboard.DeliveryPrefix, stats.Oldest)
	for n := range maps.Values(stats.Breakers) {
		status.Breakers += n
	}
	return status, err
}

// noStats are the counts of a database without open deliveries.
func noStats() switchboard.Stats {
	stats := switchboard.Stats{Open: map[switchboard.State]int{}, Breakers: map[string]int{}}
	for _, state := range slices.DeleteFunc(switchboard.States(), switchboard.State.Final) {
		stats.Open[state] = 0
	}
	return stats
}

func (s *Store) tenantStats(ctx context.Context, tenant string) (switchboard.Stats, error) {
	var counts []struct {
		State string
		Count int
		Least string // the least id
	}
	err := s.search(ctx, "count open deliveries", &counts, tenantStatsQuery, tenant, s.now().Add(-switchboard.StuckAfter))
	stats := noStats()
	for _, c := range counts {
		switch c.State {
		case countLate:
			stats.Overdue = c.Count
		case countBreaker:
			stats.Breakers[""] = c.Count
		default:
			stats.Open[switchboard.State(c.State)] = c.Count
			stats.Oldest = older(stats.Oldest, c.Least)
		}
	}
	return stats, err
}

// workers lists the live workers. The time is the database's, as in heartbeatQuery.
func (s *Store) workers(ctx context.Context) ([]switchboard.WorkerStatus, error) {
	found := []switchboard.WorkerStatus{}
	err := s.search(ctx, "list workers", &found, `
SELECT id, version, joined_at, seen_at, slots, slots_taken, slow_slots, slow_slots_taken FROM workers
WHERE seen_at >= clock_timestamp() - $1 * interval '1 microsecond' ORDER BY joined_at, id`, switchboard.WorkerExpiry.Microseconds())
	for i := range found {
		found[i].JoinedAt, found[i].SeenAt = found[i].JoinedAt.UTC(), found[i].SeenAt.UTC()
	}
	return found, err
}
