package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/worker"
)

// lists is how long the calls of a console take with many old deliveries.
type lists struct {
	Deliveries int        `json:"deliveries"`
	SeedS      float64    `json:"seed_seconds"`
	Calls      []listTime `json:"calls"`
	Pages      []page     `json:"pages"`
}

// The limits of the calls of a console in milliseconds, with 10 million deliveries.
const (
	boundCount    = 300
	boundFacets   = 300
	boundSearch   = 50
	boundOverview = 300
	boundDelivery = 50
)

// measureLists seeds old deliveries, and times the calls of a console.
func (b *bench) measureLists(ctx context.Context) (err error) {
	l := &lists{Deliveries: b.Lists}
	full, empty := b.stack.history[0], b.stack.history[1]
	defer func() { err = errors.Join(err, full.close(), empty.close()) }()
	retain := b.stack.client.ScheduleClient().GetHandle(ctx, worker.RetainSchedule)
	if err := retain.Pause(ctx, client.SchedulePauseOptions{Note: "switchboard-dev bench times lists"}); err != nil {
		return err
	}
	b.progress("seeding %d deliveries of %d days", b.Lists, historyDays)
	start := time.Now()
	if err := seed(ctx, full.sql, b.Lists, true, b.progress); err != nil {
		return fmt.Errorf("lists, seeding: %w", err)
	}
	if err := b.seedConsole(ctx, full); err != nil {
		return fmt.Errorf("lists, seeding: %w", err)
	}
	l.SeedS = time.Since(start).Seconds()
	b.progress("timing what a console asks")
	if l.Calls, err = b.timeLists(ctx, full); err != nil {
		return fmt.Errorf("lists: %w", err)
	}
	if l.Pages, err = b.timePages(ctx, full); err != nil {
		return fmt.Errorf("lists, pages: %w", err)
	}
	single, err := b.singleCalls(ctx, full)
	if err != nil {
		return fmt.Errorf("lists: %w", err)
	}
	more, err := b.timeCalls(ctx, slices.Concat(consoleCalls(ctx, full), overviewCalls(ctx, full), otherLists(ctx, full), single))
	if err != nil {
		return fmt.Errorf("lists: %w", err)
	}
	l.Calls = append(l.Calls, more...)
	b.report.Lists = l
	return nil
}

// timedCall is a call that is timed. try gets the number of earlier calls.
type timedCall struct {
	name  string
	bound float64
	call  func(try int) error
	tries int           // 0: listTries
	rest  time.Duration // before each, not timed
}

// timeCalls makes each call several times.
func (b *bench) timeCalls(ctx context.Context, calls []timedCall) ([]listTime, error) {
	times := make([]listTime, 0, len(calls))
	for _, c := range calls {
		var took []time.Duration
		before, err := b.stack.used()
		if err != nil {
			return nil, err
		}
		tries := cmp.Or(c.tries, listTries)
		for try := range tries {
			if c.rest > 0 {
				if err := pause(ctx, c.rest); err != nil {
					return nil, err
				}
			}
			start := time.Now()
			if err := c.call(try); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			took = append(took, time.Since(start))
		}
		after, err := b.stack.used()
		if err != nil {
			return nil, err
		}
		used := after.since(before)
		slices.Sort(took)
		times = append(times, listTime{
			c.name, milliseconds(percentile(took, 0.5)), milliseconds(percentile(took, 0.95)), milliseconds((used[processPostgres] + used[processServe]) / time.Duration(tries)), c.bound,
		})
	}
	return times, nil
}

// consoleCalls are the calls other than lists. Each request for facets is different, because the
// API keeps them for some seconds.
func consoleCalls(ctx context.Context, d *historyDatabase) []timedCall {
	admin := switchboard.Caller{Role: switchboard.RoleAdmin}
	failed := []switchboard.State{switchboard.StateFailed}
	counted := func(f switchboard.DeliveryFilter) func(int) error {
		return func(try int) error {
			_, err := d.Deliveries(ctx, admin, seeded(f, try), switchboard.PageRequest{Count: true})
			return err
		}
	}
	faceted := func(f switchboard.DeliveryFilter) func(int) error {
		return func(try int) error {
			_, _, err := d.DeliveryFacets(ctx, admin, seeded(f, try), switchboard.AllFacets()[:switchboard.MaxFacets])
			return err
		}
	}
	searched := func(text func(n int) string) func(int) error {
		return func(try int) error {
			_, err := d.Search(ctx, admin, text(try*17))
			return err
		}
	}
	return []timedCall{
		{name: "count: of a tenant", bound: boundOthers + boundCount, call: counted(switchboard.DeliveryFilter{Tenant: "seed"})},
		{name: "count: failed", bound: boundByState + boundCount, call: counted(switchboard.DeliveryFilter{States: failed})},
		{name: "count: failed of a host", bound: boundByState + boundCount, call: counted(switchboard.DeliveryFilter{Host: "seed", States: failed})},
		{name: "facets: of a tenant", bound: boundFacets, call: faceted(switchboard.DeliveryFilter{Tenant: "seed"})},
		{name: "facets: failed of a host", bound: boundFacets, call: faceted(switchboard.DeliveryFilter{Host: "seed", States: failed})},
		{name: "search: event id", bound: boundSearch, call: searched(func(n int) string { return fmt.Sprintf("seed-3-%d", n+1) })},
		{name: "search: beginning of an event id", bound: boundSearch, call: searched(func(n int) string { return fmt.Sprintf("seed-%d", 1+n%historyDays) })},
		{name: "search: beginning of a delivery's id", bound: boundSearch, call: searched(func(int) string { return switchboard.DeliveryPrefix + "0" })},
		{name: "search: nothing", bound: boundSearch, call: searched(func(n int) string { return fmt.Sprintf("nothing-%d", n) })},
	}
}

// overviewCalls are the calls of the overview. The API keeps the failures and what is open for some
// seconds; here each call counts again.
func overviewCalls(ctx context.Context, d *historyDatabase) []timedCall {
	admin := switchboard.Caller{Role: switchboard.RoleAdmin}
	stats := func(days int, q switchboard.TrafficQuery) func(int) error {
		return func(try int) error {
			q := q
			if q.Subscription != "" {
				q.Subscription = seededSubscription(try)
			}
			if q.Tenant != "" {
				q.Tenant = seededTenant(try)
			}
			q.From = time.Now().AddDate(0, 0, -days)
			if err := q.Complete(admin, time.Now()); err != nil {
				return err
			}
			traffic, err := d.Traffic(ctx, admin, q)
			if err == nil && len(traffic.Groups) == 0 {
				err = errors.New("no attempt is counted")
			}
			return err
		}
	}
	failures := func(tenant bool) func(int) error {
		return func(try int) error {
			of := ""
			if tenant {
				of = seededTenant(try)
			}
			_, err := d.FailureGroups(ctx, admin, of)
			return err
		}
	}
	return []timedCall{
		{name: "failures", bound: boundOverview, call: failures(false)},
		{name: "failures of a tenant", bound: boundOverview, call: failures(true)},
		{name: "stats now", bound: boundOverview, call: func(int) error { _, err := d.OpenStatus(ctx, admin, ""); return err }},
		{name: "stats now of a tenant", bound: boundOverview, call: func(try int) error { _, err := d.OpenStatus(ctx, admin, seededTenant(try)); return err }},
		{name: "stats of 24 h", bound: boundOverview, call: stats(1, switchboard.TrafficQuery{})},
		{name: "stats of 30 d by failure", bound: boundOverview, call: stats(30, switchboard.TrafficQuery{By: switchboard.TrafficByFailure})},
		{name: "stats of 24 h by host", bound: boundOverview, call: stats(1, switchboard.TrafficQuery{By: switchboard.TrafficByHost})},
		{name: "stats of 30 d of a subscription", bound: boundOverview, call: stats(30, switchboard.TrafficQuery{Subscription: "seed"})},
		{name: "stats of 30 d of a tenant", bound: boundOverview, call: stats(30, switchboard.TrafficQuery{Tenant: "seed"})},
	}
}

// otherLists are the lists of other objects than deliveries.
func otherLists(ctx context.Context, d *historyDatabase) []timedCall {
	admin := switchboard.Caller{Role: switchboard.RoleAdmin}
	audited := func(filter func(try int) switchboard.AuditFilter) func(int) error {
		return func(try int) error {
			page, err := d.Audit(ctx, admin, filter(try), switchboard.PageRequest{})
			if err == nil && len(page.Items) == 0 {
				err = errors.New("nothing is found")
			}
			return err
		}
	}
	return []timedCall{
		{name: "audit: newest", bound: boundOthers, call: audited(func(int) switchboard.AuditFilter { return switchboard.AuditFilter{} })},
		{name: "audit: of a tenant", bound: boundOthers, call: audited(func(try int) switchboard.AuditFilter { return switchboard.AuditFilter{Tenant: seededTenant(try)} })},
		{name: "audit: of an object", bound: boundOthers, call: audited(func(try int) switchboard.AuditFilter { return switchboard.AuditFilter{Object: seededSubscription(try)} })},
		{name: "audit: by a person", bound: boundOthers, call: audited(func(try int) switchboard.AuditFilter {
			return switchboard.AuditFilter{Person: fmt.Sprintf("person-%d", try)}
		})},
		{name: "audit: of a verb", bound: boundOthers, call: audited(func(int) switchboard.AuditFilter { return switchboard.AuditFilter{Verb: switchboard.AuditPause} })},
		{name: "events: newest", bound: boundOthers, call: func(int) error {
			_, err := d.Events(ctx, admin, switchboard.EventFilter{}, switchboard.PageRequest{})
			return err
		}},
		{name: "subscriptions: with health", bound: boundOthers, call: func(int) error {
			page, err := d.Subscriptions(ctx, admin, switchboard.SubscriptionFilter{}, switchboard.PageRequest{})
			if err != nil {
				return err
			}
			ids := make([]string, len(page.Items))
			for i, s := range page.Items {
				ids[i] = s.ID
			}
			_, err = d.SubscriptionHealth(ctx, ids)
			return err
		}},
		{name: "operations: newest", bound: boundOthers, call: func(int) error {
			_, err := d.Operations(ctx, admin, switchboard.OperationFilter{}, switchboard.PageRequest{})
			return err
		}},
	}
}

// singleCalls are calls that need several statements.
func (b *bench) singleCalls(ctx context.Context, d *historyDatabase) ([]timedCall, error) {
	api := b.stack.poster.api
	calls := []timedCall{{name: "event: explained to 200 subscriptions", bound: boundOthers, call: func(try int) error {
		x, err := api.ExplainEvent(ctx, fmt.Sprintf("seed-3-%d", (1+try)*seedTenants), "seed-0")
		if err == nil && len(x.Subscriptions) != seedManySubscriptions {
			err = fmt.Errorf("%d subscriptions are explained", len(x.Subscriptions))
		}
		return err
	}}}
	for _, state := range []switchboard.State{switchboard.StateDelivered, switchboard.StateFailed} {
		ids, err := seededIDs(ctx, d, string(state))
		if err != nil {
			return nil, err
		}
		calls = append(calls, timedCall{name: "delivery: " + string(state), bound: boundDelivery, call: func(try int) error {
			_, err := api.GetDelivery(ctx, ids[try])
			return err
		}})
	}
	return calls, nil
}

func (l *lists) lines() []line {
	lines := []line{info(fmt.Sprintf("old deliveries seeded in %.0f s", l.SeedS), "%d", l.Deliveries)}
	for _, c := range l.Calls {
		lines = append(lines, c.lines("call")...)
	}
	for _, p := range l.Pages {
		lines = append(lines, p.lines()...)
	}
	return lines
}
