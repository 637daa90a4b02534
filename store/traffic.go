package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// trafficRow has the counts of the attempts of a group in a step.
type trafficRow struct {
	Step      int // from 0
	Value     string
	Attempts  int64
	Succeeded int64
	Latencies pq.Int64Array // as in latencyColumns
}

// Traffic counts attempts from the rollups.
func (s *Store) Traffic(ctx context.Context, caller switchboard.Caller, q switchboard.TrafficQuery) (switchboard.Traffic, error) {
	now := s.now()
	if err := q.Complete(caller, now); err != nil {
		return switchboard.Traffic{}, err
	}
	traffic := switchboard.Traffic{By: q.By, From: q.From, To: q.To, Step: switchboard.Duration(q.Step), Groups: []switchboard.TrafficGroup{}}
	var counted []time.Time
	if err := s.search(ctx, "count attempts", &counted, "SELECT minutes_to FROM rollup"); err != nil {
		return traffic, err
	}
	if len(counted) > 0 {
		traffic.CountedTo = counted[0].UTC()
	}
	query, args := trafficQuery(caller, q)
	var rows []trafficRow
	if err := s.search(ctx, "count attempts", &rows, query, args...); err != nil {
		return traffic, err
	}
	traffic.Groups = trafficGroups(q, rows)
	if traffic.More = len(traffic.Groups) > switchboard.MaxTrafficGroups; traffic.More {
		traffic.Groups = traffic.Groups[:switchboard.MaxTrafficGroups]
	}
	return traffic, nil
}

// trafficQuery counts the attempts of the largest groups, and of one more, which shows whether
// there is another.
func trafficQuery(caller switchboard.Caller, q switchboard.TrafficQuery) (query string, args []any) {
	c := &conditions{}
	step := c.term("floor(extract(epoch FROM at - ?::timestamptz)::float8 / ?)::int", q.From, q.Step.Seconds())
	c.add("at >= ?", q.From)
	c.add("at < ?", q.To)
	table := "traffic_hour"
	switch {
	case q.PerSubscription(caller):
		table = subscriptionTraffic()
		c.scope(caller, q.Tenant)
		if q.Subscription != "" { // with its tenant, an index finds its rows
			c.add("tenant = (SELECT tenant FROM subscriptions WHERE id = ?)", q.Subscription)
			c.add("subscription_id = ?", q.Subscription)
		}
	case q.Step < time.Hour:
		table = "traffic_minute"
	}
	value := map[switchboard.TrafficBy]string{
		switchboard.TrafficByOutcome:      "CASE failure WHEN '' THEN 'succeeded' ELSE 'failed' END",
		switchboard.TrafficByFailure:      "failure",
		switchboard.TrafficByStatusCode:   "CASE status_code WHEN 0 THEN 'none' ELSE status_code::text END",
		switchboard.TrafficByHost:         "host",
		switchboard.TrafficBySubscription: "subscription_id",
	}[q.By]
	if q.By == switchboard.TrafficByFailure {
		c.add("failure <> ''")
	}
	sums := "sum(" + strings.Join(latencyColumns(), "), sum(") + ")"
	counted := fmt.Sprintf("SELECT %s AS step, %s AS value, sum(attempts) AS attempts, coalesce(sum(attempts) FILTER (WHERE failure = ''), 0) AS succeeded, ARRAY[%s]::bigint[] AS latencies FROM %s%s GROUP BY 1, 2",
		step, value, sums, table, c.where())
	return fmt.Sprintf(`WITH counted AS MATERIALIZED (%s)
SELECT step, value, attempts, succeeded, latencies FROM counted
JOIN (SELECT value FROM counted GROUP BY value ORDER BY sum(attempts) DESC, value LIMIT %d) AS largest USING (value) ORDER BY value, step`, counted, switchboard.MaxTrafficGroups+1), c.args
}

// trafficGroups adds up the steps of each group. The rows are in the order of the groups.
func trafficGroups(q switchboard.TrafficQuery, rows []trafficRow) []switchboard.TrafficGroup {
	groups := []switchboard.TrafficGroup{}
	for first := 0; first < len(rows); {
		total := trafficRow{Value: rows[first].Value}
		group := switchboard.TrafficGroup{Value: total.Value}
		for ; first < len(rows) && rows[first].Value == total.Value; first++ {
			r := rows[first]
			group.Points = append(group.Points, switchboard.TrafficPoint{At: q.From.Add(time.Duration(r.Step) * q.Step), TrafficCount: r.count()})
			total.add(r.Attempts, r.Succeeded, r.Latencies)
		}
		group.TrafficCount = total.count()
		groups = append(groups, group)
	}
	slices.SortStableFunc(groups, func(a, b switchboard.TrafficGroup) int { return cmp.Compare(b.Attempts, a.Attempts) })
	return groups
}

// add adds the attempts of another step.
func (r *trafficRow) add(attempts, succeeded int64, latencies pq.Int64Array) {
	if r.Latencies == nil {
		r.Latencies = make(pq.Int64Array, len(latencyColumns()))
	}
	r.Attempts, r.Succeeded = r.Attempts+attempts, r.Succeeded+succeeded
	for i, n := range latencies {
		r.Latencies[i] += n
	}
}

func (r trafficRow) count() switchboard.TrafficCount {
	return switchboard.TrafficCount{
		Attempts: r.Attempts, Succeeded: r.Succeeded, Failed: r.Attempts - r.Succeeded,
		P50: switchboard.Percentile(r.Latencies, 0.5), P95: switchboard.Percentile(r.Latencies, 0.95),
	}
}
