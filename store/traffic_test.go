package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// traffic is a bundle in which the receivers of acme, globex and the operators answered for an hour
// and a half.
func traffic(t *testing.T) (b *bundle, acme, globex switchboard.Subscription) {
	t.Helper()
	b = setup(t)
	acme, globex = b.subscribe("acme", "*"), b.subscribe("globex", "*")
	own := b.subscribe(switchboard.OperatorTenant, "*")
	b.rollUp()
	attempt := func(s switchboard.Subscription, status int, latency time.Duration) {
		a, err := b.AcceptFor(t.Context(), root(), s.ID, event(s.Tenant, ""), false)
		must(t, err)
		b.attempted(a.Deliveries[0], status, 0, latency)
	}
	attempt(acme, 200, 20*time.Millisecond)
	attempt(acme, 503, 8*time.Second)
	attempt(globex, 200, 20*time.Millisecond)
	attempt(own, 410, 20*time.Millisecond)
	b.advance(65 * time.Minute)
	attempt(acme, 200, 20*time.Millisecond)
	attempt(acme, 0, 8*time.Second)
	b.advance(25 * time.Minute)
	b.rollUp()
	return b, acme, globex
}

// summary returns the counts: "value attempts/succeeded", with the steps if it has points.
func summary(found switchboard.Traffic) string {
	var groups []string
	for _, g := range found.Groups {
		text := fmt.Sprintf("%s %d/%d", g.Value, g.Attempts, g.Succeeded)
		for _, p := range g.Points {
			text += fmt.Sprintf(" %s:%d", p.At.Format("15:04"), p.Attempts)
		}
		groups = append(groups, text)
	}
	return strings.Join(groups, ", ")
}

func TestTraffic(t *testing.T) {
	t.Parallel()
	b, acme, globex := traffic(t)
	integrator := switchboard.Caller{Role: switchboard.RoleIntegrator}
	type query = switchboard.TrafficQuery
	for _, c := range []struct {
		name   string
		caller switchboard.Caller
		q      query
		want   string
	}{
		{"by outcome", root(), query{}, "failed 3/0 12:00:2 13:00:1, succeeded 3/3 12:00:2 13:00:1"},
		{"by the minute", root(), query{Step: time.Minute, From: begin()}, "failed 3/0 12:00:2 13:05:1, succeeded 3/3 12:00:2 13:05:1"},
		{"by five minutes", root(), query{Step: 5 * time.Minute, From: begin().Add(time.Hour)}, "failed 1/0 13:05:1, succeeded 1/1 13:05:1"},
		{"by the hour", root(), query{Step: time.Hour}, "failed 3/0 12:00:2 13:00:1, succeeded 3/3 12:00:2 13:00:1"},
		{"a time in which nothing was", root(), query{From: begin().Add(-2 * time.Hour), To: begin().Add(-time.Hour)}, ""},
		{"to is not counted", root(), query{To: begin().Add(time.Hour).Truncate(time.Hour), Step: time.Hour}, "failed 2/0 12:00:2, succeeded 2/2 12:00:2"},
		{"by failure", root(), query{By: switchboard.TrafficByFailure, Step: time.Hour}, "bad_response 1/0 13:00:1, http_4xx 1/0 12:00:1, http_5xx 1/0 12:00:1"},
		{"by status code", root(), query{By: switchboard.TrafficByStatusCode, Step: time.Hour}, "200 3/3 12:00:2 13:00:1, 410 1/0 12:00:1, 503 1/0 12:00:1, none 1/0 13:00:1"},
		{"by host", root(), query{By: switchboard.TrafficByHost}, "receiver.example:8443 6/3 12:00:4 13:00:2"},
		{"by subscription, for a key that does not see the operators'", integrator, query{By: switchboard.TrafficBySubscription}, acme.ID + " 4/2 12:00:2 13:00:2, " + globex.ID + " 1/1 12:00:1"},
		{"without the operators'", integrator, query{}, "succeeded 3/3 12:00:2 13:00:1, failed 2/0 12:00:1 13:00:1"},
		{"of a tenant", root(), query{Tenant: "acme"}, "failed 2/0 12:00:1 13:00:1, succeeded 2/2 12:00:1 13:00:1"},
		{"of a subscription", root(), query{Subscription: globex.ID}, "succeeded 1/1 12:00:1"},
		{"of a subscription that is not there", root(), query{Subscription: "sub_none"}, ""},
		{"of the own tenant", of("globex"), query{Tenant: "globex"}, "succeeded 1/1 12:00:1"},
		{"of a bound key without a tenant", of("globex"), query{}, "succeeded 1/1 12:00:1"},
		{"of another tenant", of("globex"), query{Tenant: "acme"}, ""},
		{"of another tenant's subscription", of("globex"), query{Subscription: acme.ID}, ""},
		{"by host of a bound key", of("globex"), query{By: switchboard.TrafficByHost}, "receiver.example:8443 1/1 12:00:1"},
	} {
		found, err := b.Traffic(t.Context(), c.caller, c.q)
		must(t, err)
		if got := summary(found); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if found.More || found.CountedTo.Before(begin().Add(80*time.Minute)) {
			t.Errorf("%s: more %t, counted to %s", c.name, found.More, found.CountedTo)
		}
	}
	found, err := b.Traffic(t.Context(), root(), query{By: switchboard.TrafficByHost})
	must(t, err)
	equal(t, "latencies", []int{found.Groups[0].P50, found.Groups[0].P95}, []int{22, 9250})
	_, err = b.Traffic(t.Context(), root(), query{Step: time.Minute})
	refused(t, "too many points", err, switchboard.CodeInvalid, "step")
}

func TestTrafficHasTheLargestGroups(t *testing.T) {
	t.Parallel()
	b := setup(t)
	columns := strings.Repeat(", 0", len(switchboard.LatencyBounds()))
	must(t, second(b.sql.Exec("INSERT INTO traffic_subscription SELECT $1, 'acme', 'sub_' || n, 'host-' || n, '', 200, n, n"+columns+" FROM generate_series(1, 60) n", begin().Truncate(time.Hour))))
	found, err := b.Traffic(t.Context(), root(), switchboard.TrafficQuery{By: switchboard.TrafficByHost})
	must(t, err)
	equal(t, "groups", []any{len(found.Groups), found.More, found.Groups[0].Value, found.Groups[49].Value, found.CountedTo.IsZero()},
		[]any{switchboard.MaxTrafficGroups, true, "host-60", "host-11", true})
}

// failures returns the groups as "host failure code: open of tenants, attempts".
func failures(found switchboard.FailureGroups) []string {
	var lines []string
	for _, g := range found.Groups {
		lines = append(lines, fmt.Sprintf("%s %s %d: %d of %d, %d attempts, oldest %s, last %s", g.Host, g.Failure, g.StatusCode, g.Open, g.Tenants, g.Attempts, g.OldestAt.Format("15:04"), g.LastHour.Format("15:04")))
	}
	return lines
}

func TestFailureGroups(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rollUp()
	acme, globex := b.subscribe("acme", "*"), b.subscribe("globex", "*")
	var first switchboard.Delivery
	for i, s := range []switchboard.Subscription{acme, globex, acme} {
		a, err := b.AcceptFor(t.Context(), root(), s.ID, event(s.Tenant, ""), false)
		must(t, err)
		if d := b.attempted(a.Deliveries[0], 503, 0, time.Second); i == 0 {
			first = d
		}
		b.advance(time.Minute)
	}
	b.attempted(b.delivery("acme"), 200, 0, time.Second)
	must(t, second(b.SetAside(t.Context(), root(), first.ID, "x")))
	gone, err := b.AcceptFor(t.Context(), root(), globex.ID, event("globex", ""), false) // it fails for good
	must(t, err)
	b.attempted(gone.Deliveries[0], 410, 0, time.Second)
	b.advance(15 * time.Second)
	b.rollUp()
	failedAtOnce, err := b.FailureGroups(t.Context(), root(), "")
	must(t, err)
	equal(t, "15 s later", failures(failedAtOnce), []string{"receiver.example:8443 http_5xx 503: 3 of 2, 3 attempts, oldest 12:00, last 12:00", "receiver.example:8443 http_4xx 410: 0 of 1, 1 attempts, oldest 00:00, last 12:00"})
	b.advance(2 * time.Hour)
	b.rollUp()
	for _, c := range []struct {
		name   string
		caller switchboard.Caller
		tenant string
		want   []string
	}{
		{"all", root(), "", []string{"receiver.example:8443 http_5xx 503: 3 of 2, 3 attempts, oldest 12:00, last 12:00", "receiver.example:8443 http_4xx 410: 0 of 1, 1 attempts, oldest 00:00, last 12:00"}},
		{"of a tenant", root(), "acme", []string{"receiver.example:8443 http_5xx 503: 2 of 1, 2 attempts, oldest 12:00, last 12:00"}},
		{"of a bound key", of("acme"), "", []string{"receiver.example:8443 http_5xx 503: 2 of 1, 2 attempts, oldest 12:00, last 12:00"}},
		{"of the other bound key", of("globex"), "globex", []string{"receiver.example:8443 http_5xx 503: 1 of 1, 1 attempts, oldest 12:01, last 12:00", "receiver.example:8443 http_4xx 410: 0 of 1, 1 attempts, oldest 00:00, last 12:00"}},
		{"of another tenant", of("globex"), "acme", nil},
		{"of nobody", of("initech"), "", nil},
	} {
		found, err := b.FailureGroups(t.Context(), c.caller, c.tenant)
		must(t, err)
		equal(t, c.name, failures(found), c.want)
		equal(t, c.name+": bounded", found.Bounded, false)
	}
	found, err := b.FailureGroups(t.Context(), root(), "")
	must(t, err)
	equal(t, "the oldest", found.Groups[0].Oldest, first.ID)
	b.advance(25 * time.Hour)
	found, err = b.FailureGroups(t.Context(), root(), "")
	must(t, err)
	equal(t, "a day later", failures(found), []string{"receiver.example:8443 http_5xx 503: 3 of 2, 0 attempts, oldest 12:00, last 00:00"})
}

func TestOpenStatus(t *testing.T) {
	t.Parallel()
	b := setup(t)
	acme := b.delivery("acme")
	b.advance(time.Second)
	globex := b.attempted(b.delivery("globex"), 503, 0, time.Second)
	must(t, second(b.SetAside(t.Context(), root(), globex.ID, "x")))
	b.attempted(b.delivery("globex"), 200, 0, time.Second)
	must(t, second(b.sql.Exec("INSERT INTO subscription_health (subscription_id, breaker, breaker_since, probe_at, window_at, updated_at) VALUES ($1, 'open', now(), now(), now(), now())", globex.SubscriptionID)))
	facts := switchboard.WorkerFacts{Version: "1.2.3", Slots: 100, SlotsTaken: 7, SlowSlots: 500, SlowSlotsTaken: 3}
	must(t, second(b.Heartbeat(t.Context(), "worker-1", 1, switchboard.WorkerFacts{})))
	must(t, second(b.Heartbeat(t.Context(), "worker-1", 1, facts)))
	b.keepAlive()
	b.advance(switchboard.StuckAfter + time.Minute)
	for _, c := range []struct {
		name   string
		caller switchboard.Caller
		tenant string
		want   string // pending, retrying, held, blocked; overdue, breakers, backlog, workers; the oldest
	}{
		{"all", root(), "", "1 0 1 0; 1 1 2 1; " + acme.ID},
		{"of a tenant", root(), "globex", "0 0 1 0; 0 1 0 0; " + globex.ID},
		{"of a bound key", of("acme"), "", "1 0 0 0; 1 0 0 0; " + acme.ID},
		{"of the other bound key", of("globex"), "globex", "0 0 1 0; 0 1 0 0; " + globex.ID},
		{"of another tenant", of("globex"), "acme", "0 0 0 0; 0 0 0 0; "},
	} {
		found, err := b.OpenStatus(t.Context(), c.caller, c.tenant)
		must(t, err)
		open := found.Open
		got := fmt.Sprintf("%d %d %d %d; %d %d %d %d; %s", open[switchboard.StatePending], open[switchboard.StateRetrying], open[switchboard.StateHeld], open[switchboard.StateBlocked],
			found.Overdue, found.Breakers, found.Backlog, len(found.Workers), found.Oldest)
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	found, err := b.OpenStatus(t.Context(), root(), "")
	must(t, err)
	w := found.Workers[0]
	equal(t, "the oldest since", found.OldestAt, begin().Truncate(time.Millisecond))
	equal(t, "the worker", switchboard.WorkerFacts{Version: w.Version, Slots: w.Slots, SlotsTaken: w.SlotsTaken, SlowSlots: w.SlowSlots, SlowSlotsTaken: w.SlowSlotsTaken}, facts)
	equal(t, "since", []any{w.ID, w.JoinedAt.IsZero(), !w.SeenAt.Before(w.JoinedAt)}, []any{"worker-1", false, true})
	must(t, second(b.sql.Exec("UPDATE workers SET seen_at = now() - interval '1 hour'")))
	found, err = b.OpenStatus(t.Context(), root(), "")
	must(t, err)
	equal(t, "a dead worker", found.Workers, []switchboard.WorkerStatus{})
	equal(t, "states", len(slices.DeleteFunc(switchboard.States(), switchboard.State.Final)), len(found.Open))
}
