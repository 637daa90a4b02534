package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// RecordFast records only with the one statement, and returns the deliveries that it has moved, by
// the attempts' ids.
func (s *Store) RecordFast(ctx context.Context, records []switchboard.Record) (map[string]switchboard.Delivery, error) {
	return s.recordFast(ctx, records)
}

// RecordLocked records only by the lifecycle.
func (s *Store) RecordLocked(ctx context.Context, records []switchboard.Record) error {
	return s.tx(ctx, "record attempts", func(ctx context.Context, tx transaction) error {
		_, err := s.recordRows(ctx, tx, records)
		return err
	})
}

// MigrateTo brings the schema to that version, and makes the partitions.
func (s *Store) MigrateTo(ctx context.Context, version int64) error {
	db := sql.OpenDB(s.unbounded)
	defer db.Close()
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	if _, err := provider.UpTo(ctx, version); err != nil {
		return err
	}
	old := *s
	old.hot = &preparedStatements{db: s.db} // the current statements do not fit that version
	_, err = old.MakePartitions(ctx, PartitionsAhead, 24*time.Hour)
	return err
}

// SetSearchBudget sets how long a list goes on searching.
func (s *Store) SetSearchBudget(budget time.Duration) { s.searchBudget = budget }

// HotQueries are statements that find rows of partitioned tables, by name.
func HotQueries() map[string]string {
	return map[string]string{
		"load": loadQuery, "record fast": recordFastQuery, "lock": lockDeliveriesQuery, "save": saveDeliveriesQuery, "deliveries of events": deliveriesOfQuery,
		"earlier events": earlierQuery, "in order": "UPDATE deliveries SET dispatch_at = NULL WHERE id = " + lockedInOrder + " AND id >= $2 AND id <= $3",
	}
}

// OperationItemQueries are the queries of an operation's steps that read its items, with their
// arguments.
func OperationItemQueries(operation string) map[string]ListStatement {
	return map[string]ListStatement{
		"unsent": {Query: unsentQuery, Args: []any{operation, newestItems}},
		"back":   {Query: backItemsQuery, Args: []any{operation, backAll, batchLimit}},
	}
}

// HotPlans returns how often each statement of the hot path ran with a plan, on a free connection.
func (s *Store) HotPlans(ctx context.Context) (map[string]int, error) {
	var rows []struct {
		Statement string
		Generic   int
	}
	if err := s.db.SelectContext(ctx, &rows, "SELECT statement, generic_plans AS generic FROM pg_prepared_statements"); err != nil {
		return nil, err
	}
	plans := map[string]int{}
	for _, query := range hotQueries() {
		plans[query] = 0
		for _, r := range rows {
			if r.Statement == query {
				plans[query] = r.Generic
			}
		}
	}
	return plans, nil
}

// PeriodicPlans returns, for each of the statements that run every few seconds, how often it was
// planned for its arguments, and how often it ran with an earlier plan, by what it reads.
func (s *Store) PeriodicPlans(ctx context.Context) (map[string]Plans, error) {
	plans := map[string]Plans{}
	for _, p := range []*preparedStatements{s.hot, s.counts} {
		var rows []struct {
			Statement string
			Plans
		}
		if err := p.db.SelectContext(ctx, &rows, "SELECT statement, generic_plans AS generic, custom_plans AS custom FROM pg_prepared_statements"); err != nil {
			return nil, err
		}
		for _, r := range rows {
			plans[r.Statement] = r.Plans
		}
	}
	periodic := map[string]Plans{}
	for name, query := range map[string]string{
		"heartbeat": heartbeatQuery, "due": anyDueQuery, "overdue": overdueQuery, "expired": expiredQuery, "operations": idleOperationsQuery, "late recoveries": lateRecoveryQuery, "healthy": healthyQuery, "minutes": minutesQuery(), "hours": hoursQuery(), "recent": bySubscriptionQuery("traffic_recent", false), "stats": statsQuery, "flow": flowStatsQuery,
	} {
		periodic[name] = plans[query]
	}
	return periodic, nil
}

// Plans counts the plans of a statement on its connection.
type Plans struct{ Generic, Custom int }

// Announce announces events in a transaction, which fails if then does.
func (s *Store) Announce(ctx context.Context, then func() error, events ...switchboard.OperationalEvent) error {
	return s.tx(ctx, "announce", func(ctx context.Context, tx transaction) error {
		if err := s.announce(ctx, tx, events...); err != nil || then == nil {
			return err
		}
		return then()
	})
}

// ReleaseHeld starts the release of what is held for a subscription.
func (s *Store) ReleaseHeld(ctx context.Context, subscriptionID string) (operationID string, err error) {
	err = s.tx(ctx, "start a release", func(ctx context.Context, tx transaction) error {
		operationID, err = s.startRelease(ctx, tx, subscriptionID, switchboard.Action{Actor: "cli"})
		return err
	})
	return operationID, err
}

// WaitForKeyUses waits until the uses of keys are written.
func WaitForKeyUses(s *Store) { s.uses.done.Wait() }

// RollupQueries are the queries that read attempts, by name.
func RollupQueries() map[string]string {
	return map[string]string{"by the minute": minutesQuery(), "by subscription": bySubscriptionQuery("traffic_subscription", false), "recent": bySubscriptionQuery("traffic_recent", false)}
}

// ListStatement is a statement of a list, with its settings.
type ListStatement struct {
	Settings, Query string
	Args            []any
}

// DeliveryStatements are the statements of the first page of a list of deliveries, of its count and
// of its facets. If a list is searched in slices, it is the slice of the last hour; its count reads
// everything until its time is over.
func (s *Store) DeliveryStatements(ctx context.Context, f switchboard.DeliveryFilter) (map[string]ListStatement, error) {
	q, err := s.deliveriesQuery(ctx, switchboard.Caller{Role: switchboard.RoleAdmin}, f)
	if err != nil {
		return nil, err
	}
	count, countArgs := q.countQuery(switchboard.MaxMatches + 1)
	facets, facetArgs := q.facetsQuery(switchboard.AllFacets()[:switchboard.MaxFacets], switchboard.MaxMatches+1)
	statements := map[string]ListStatement{"page": pageStatement(q, s.now()), "facets": {filterSettings, facets, facetArgs}}
	if q.within == nil {
		statements["count"] = ListStatement{countSettings, count, countArgs}
	}
	return statements, nil
}

// EventStatement is the statement of the first page of a list of events.
func (s *Store) EventStatement(f switchboard.EventFilter) ListStatement {
	return pageStatement(s.eventsQuery(switchboard.Caller{Role: switchboard.RoleAdmin}, f), s.now())
}

// SubscriptionStatement is the statement of the first page of a list of subscriptions.
func (s *Store) SubscriptionStatement(f switchboard.SubscriptionFilter) ListStatement {
	return pageStatement(s.subscriptionsQuery(switchboard.Caller{Role: switchboard.RoleAdmin}, f), s.now())
}

// ActivityStatements are the statements that read what was sent for the subscriptions recently.
func (s *Store) ActivityStatements(ids []string) []ListStatement {
	return []ListStatement{
		{"", openAndDelivered(), []any{pq.Array(ids), switchboard.MaxCounted + 1}},
		{"", activityQuery(), []any{pq.Array(ids), s.now().Add(-switchboard.ActivityFor)}},
	}
}

// SearchStatement is the statement of a search.
func SearchStatement(text string) ListStatement {
	query, args := searchQuery(switchboard.Caller{Role: switchboard.RoleAdmin}, text)
	return ListStatement{"", query, args}
}

// ConsoleStatements are the statements for what a console shows in addition to deliveries and
// events, by name.
func (s *Store) ConsoleStatements(audit map[string]switchboard.AuditFilter, operations map[string]switchboard.OperationFilter, operation string, traffic map[string]switchboard.TrafficQuery, tenant string, subscriptions []string) map[string]ListStatement {
	root, now := switchboard.Caller{Role: switchboard.RoleAdmin}, s.now()
	statements := map[string]ListStatement{}
	for name, f := range audit {
		statements["audit, "+name] = pageStatement(s.auditQuery(root, f), now)
	}
	for name, f := range operations {
		statements["operations, "+name] = pageStatement(s.operationsQuery(root, f), now)
	}
	for _, outcome := range []switchboard.OperationOutcome{"", switchboard.OutcomeSkipped} {
		statements["items, "+string(outcome)] = pageStatement(s.itemsQuery(root, operation, outcome), now)
	}
	for name, f := range map[string]switchboard.SubscriptionFilter{"all": {}, "of a tenant": {Tenant: tenant}, "paused": {State: switchboard.SubscriptionPaused}} {
		statements["subscriptions, "+name] = pageStatement(s.subscriptionsQuery(root, f), now)
	}
	aggregate := func(name, query string, args ...any) {
		statements[name] = ListStatement{"SET LOCAL enable_seqscan = off", query, args} // as in forSearches
	}
	aggregate("health of subscriptions", subscriptionHealthQuery, pq.Array(subscriptions), switchboard.MaxCounted+1)
	aggregate("open of a tenant", tenantStatsQuery, tenant, now.Add(-switchboard.StuckAfter))
	for name, of := range map[string]string{"": "", " of a tenant": tenant} {
		query, args := openFailuresQuery(root, of)
		aggregate("failures"+name, query, args...)
		query, args = failedQuery(root, of, now)
		aggregate("failed attempts"+name, query, args...)
	}
	for name, q := range traffic {
		if err := q.Complete(root, now); err != nil {
			panic(err)
		}
		query, args := trafficQuery(root, q)
		aggregate("stats, "+name, query, args...)
	}
	return statements
}

func pageStatement(q pageQuery, now time.Time) ListStatement {
	c := q.where.with()
	if q.within != nil {
		q.within(c, now.Add(-firstSlice), time.Time{})
	}
	query := c.query(q.columns, q.table, q.order, switchboard.DefaultPage+1)
	return ListStatement{q.settings, query, c.args}
}

// HeldStatements are the statements that look for held deliveries of a subscription that may be
// released.
func HeldStatements(subscriptionID string, now time.Time) map[string]ListStatement {
	on := func(query string, args ...any) ListStatement {
		return ListStatement{"SET LOCAL enable_seqscan = off", query, append([]any{subscriptionID}, args...)}
	}
	return map[string]ListStatement{
		"turn": on(nextQueuedQuery, now, 16), "queue": on(anyQueuedQuery), "probe": on(oldestHeldQuery, now),
		"release": on(nextReleasableQuery, "", 16), "count": on(countReleasableQuery), "end of a release": on(anyReleasableQuery, "op_1"),
	}
}
