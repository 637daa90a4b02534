package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const (
	// maxFailing bounds how many open deliveries are counted: 70,000 took 0.5 to 1.5 s.
	maxFailing = 100_000
	// maxFailed bounds the groups of attempts of the last 24 hours.
	maxFailed = 20_000
	failedFor = 24 * time.Hour
)

// failing is a group of deliveries or attempts of one tenant that fail alike.
type failing struct {
	Tenant, Host string
	Failure      switchboard.Failure
	StatusCode   int
	Count        int64
	Oldest       string    // of open deliveries
	LastHour     time.Time // of attempts
}

// FailureGroups counts the open deliveries that fail, and the attempts that failed in the last 24
// hours, by host, failure and status code. The groups are ordered by the number of open deliveries.
func (s *Store) FailureGroups(ctx context.Context, caller switchboard.Caller, tenant string) (switchboard.FailureGroups, error) {
	now := s.now()
	found := switchboard.FailureGroups{At: now}
	var open, closed []failing
	query, args := openFailuresQuery(caller, tenant)
	if err := s.search(ctx, "count failing deliveries", &open, query, args...); err != nil {
		return found, err
	}
	query, args = failedQuery(caller, tenant, now)
	if err := s.search(ctx, "count failed attempts", &closed, query, args...); err != nil {
		return found, err
	}
	found.Groups = failureGroups(open, closed)
	var counted int64
	for _, f := range open {
		counted += f.Count
	}
	found.Bounded = counted >= maxFailing || len(closed) >= maxFailed
	return found, nil
}

// openFailuresQuery counts the open deliveries that fail.
func openFailuresQuery(caller switchboard.Caller, tenant string) (query string, args []any) {
	c := &conditions{}
	c.scope(caller, tenant)
	c.add("last_failure <> ''")
	c.states([]switchboard.State{switchboard.StateRetrying, switchboard.StateHeld, switchboard.StateBlocked})
	query = "SELECT tenant, host, last_failure AS failure, last_status_code AS status_code, count(*), min(id) AS oldest FROM (" +
		c.query("tenant, host, last_failure, last_status_code, id", "deliveries", "id DESC", maxFailing) + ") AS open GROUP BY 1, 2, 3, 4"
	return query, c.args
}

// failedQuery counts the attempts that failed recently.
func failedQuery(caller switchboard.Caller, tenant string, now time.Time) (query string, args []any) {
	c := &conditions{}
	c.scope(caller, tenant)
	c.add("failure <> ''")
	c.add("at >= ?", now.Add(-failedFor).Truncate(time.Hour))
	query = "SELECT tenant, host, failure, status_code, sum(attempts) AS count, max(at) AS last_hour FROM " + subscriptionTraffic() +
		c.where() + " GROUP BY 1, 2, 3, 4 ORDER BY count DESC LIMIT " + c.term("?", maxFailed)
	return query, c.args
}

// failureGroups merges the groups of several tenants that fail alike.
func failureGroups(open, closed []failing) []switchboard.FailureGroup {
	type alike struct {
		host    string
		failure switchboard.Failure
		status  int
	}
	groups, tenants := map[alike]*switchboard.FailureGroup{}, map[alike]map[string]bool{}
	groupOf := func(f failing) *switchboard.FailureGroup {
		key := alike{f.Host, f.Failure, f.StatusCode}
		if groups[key] == nil {
			groups[key], tenants[key] = &switchboard.FailureGroup{Host: f.Host, Failure: f.Failure, StatusCode: f.StatusCode}, map[string]bool{}
		}
		tenants[key][f.Tenant] = true
		groups[key].Tenants = len(tenants[key])
		return groups[key]
	}
	for _, f := range open {
		g := groupOf(f)
		g.Open += int(f.Count)
		g.Oldest = older(g.Oldest, f.Oldest)
		g.OldestAt, _ = switchboard.IDTime(switchboard.DeliveryPrefix, g.Oldest)
	}
	for _, f := range closed {
		g := groupOf(f)
		g.Attempts += f.Count
		g.LastHour = latest(g.LastHour, f.LastHour.UTC())
	}
	list := make([]switchboard.FailureGroup, 0, len(groups))
	for _, g := range groups {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b switchboard.FailureGroup) int {
		return cmp.Or(cmp.Compare(b.Open, a.Open), cmp.Compare(b.Attempts, a.Attempts), strings.Compare(a.Host, b.Host),
			strings.Compare(string(a.Failure), string(b.Failure)), cmp.Compare(a.StatusCode, b.StatusCode))
	})
	return list
}
