package switchboard_test

import (
	"errors"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

func TestTrafficQuery(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 12, 34, 56, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	const day = 24 * time.Hour
	admin, viewer := switchboard.Caller{Role: switchboard.RoleAdmin}, switchboard.Caller{Role: switchboard.RoleViewer, Tenant: "acme"}
	type query = switchboard.TrafficQuery
	for _, c := range []struct {
		name   string
		caller switchboard.Caller
		q      query
		field  string // refused
		from   string
		to     string
		step   time.Duration
	}{
		{"nothing is given", admin, query{}, "", "06-30T12:30", "07-01T12:45", 15 * time.Minute},
		{"an hour", admin, query{From: ago(time.Hour)}, "", "07-01T11:34", "07-01T12:35", time.Minute},
		{"six hours", admin, query{From: ago(6 * time.Hour)}, "", "07-01T06:30", "07-01T12:35", 5 * time.Minute},
		{"seven days", admin, query{From: ago(7 * day)}, "", "06-24T12:00", "07-01T18:00", 6 * time.Hour},
		{"thirty days", admin, query{From: ago(30 * day)}, "", "06-01T12:00", "07-01T18:00", 6 * time.Hour},
		{"a bound key", viewer, query{Tenant: "acme"}, "", "06-30T12:00", "07-01T13:00", time.Hour},
		{"a bound key, without a tenant", viewer, query{Tenant: "acme", From: ago(time.Hour)}, "", "07-01T11:00", "07-01T13:00", time.Hour},
		{"by host", admin, query{By: switchboard.TrafficByHost, From: ago(7 * day)}, "", "06-24T12:00", "07-01T18:00", 6 * time.Hour},
		{"whole steps stay", admin, query{From: now.Truncate(time.Hour).Add(-time.Hour), To: now.Truncate(time.Hour), Step: time.Hour}, "", "07-01T11:00", "07-01T12:00", time.Hour},
		{"days begin at midnight", admin, query{From: ago(30 * day), Step: day}, "", "06-01T00:00", "07-02T00:00", day},
		{"nothing between", admin, query{From: now, To: now}, "from", "", "", 0},
		{"backwards", admin, query{From: now, To: ago(time.Hour)}, "from", "", "", 0},
		{"the far future", admin, query{To: now.Add(1000 * day)}, "to", "", "", 0},
		{"too early", admin, query{From: ago(402 * day), Step: day}, "from", "", "", 0},
		{"too early by host", admin, query{By: switchboard.TrafficByHost, From: ago(36 * day)}, "from", "", "", 0},
		{"too early for a tenant", viewer, query{Tenant: "acme", From: ago(36 * day)}, "from", "", "", 0},
		{"minutes of last week", admin, query{From: ago(7 * day), To: ago(7*day - time.Hour), Step: time.Minute}, "step", "", "", 0},
		{"minutes of a subscription", admin, query{Subscription: "sub_1", Step: 15 * time.Minute}, "step", "", "", 0},
		{"minutes for a key that does not see all", switchboard.Caller{Role: switchboard.RoleIntegrator}, query{Step: time.Minute}, "step", "", "", 0},
		{"too many points", admin, query{From: ago(day), Step: time.Minute}, "step", "", "", 0},
		{"as many points as possible", admin, query{From: now.Truncate(time.Minute).Add(-500 * time.Minute), To: now.Truncate(time.Minute), Step: time.Minute}, "", "07-01T04:14", "07-01T12:34", time.Minute},
		{"half a minute", admin, query{Step: 30 * time.Second}, "step", "", "", 0},
		{"minutes that no hour is made of", admin, query{Step: 7 * time.Minute}, "step", "", "", 0},
		{"an hour and a half", admin, query{Step: 90 * time.Minute}, "step", "", "", 0},
		{"negative", admin, query{Step: -time.Hour}, "step", "", "", 0},
	} {
		q := c.q
		err := q.Complete(c.caller, now)
		var problem *switchboard.Error
		if errors.As(err, &problem); (err != nil) != (c.field != "") || err != nil && problem.Field != c.field {
			t.Errorf("%s: error %v, want field %q", c.name, err, c.field)
			continue
		}
		const format = "01-02T15:04"
		if err == nil && (q.From.Format(format) != c.from || q.To.Format(format) != c.to || q.Step != c.step) {
			t.Errorf("%s: from %s to %s by %s; want %s to %s by %s", c.name, q.From.Format(format), q.To.Format(format), q.Step, c.from, c.to, c.step)
		}
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		counts   []int64
		p50, p95 int
	}{
		{"none", make([]int64, 12), 0, 0},
		{"all fast", []int64{100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 5, 10},
		{"all in one range", []int64{0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0}, 75, 98},
		{"a few slow ones", []int64{0, 94, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0}, 18, 584},
		{"one", []int64{0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, 175, 243},
		{"above the last bound", []int64{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5}, 30000, 30000},
	} {
		if p50, p95 := switchboard.Percentile(c.counts, 0.5), switchboard.Percentile(c.counts, 0.95); p50 != c.p50 || p95 != c.p95 {
			t.Errorf("%s: p50 %d, p95 %d; want %d and %d", c.name, p50, p95, c.p50, c.p95)
		}
	}
}
