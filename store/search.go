package store

import (
	"context"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// hostColumn is the host of a subscription's URL, with its port, as an index holds it.
const hostColumn = `(lower(substring(url FROM '^[^:]*://([^/?#]*)')) COLLATE "C")`

// searchScan is how many rows of one key, tenant or host a search looks at, the newest of a key first:
// whoever has very many does not keep others from their answer.
const searchScan = "1000"

// Search finds what is called so, or begins so: of each kind by an index of its own, and at most
// [switchboard.MaxHits] in all, the exact ones first.
func (s *Store) Search(ctx context.Context, caller switchboard.Caller, text string) ([]switchboard.SearchHit, error) {
	query, args := searchQuery(caller, text)
	hits := []switchboard.SearchHit{}
	if err := s.search(ctx, "search", &hits, query, args...); err != nil {
		return nil, err
	}
	slices.SortStableFunc(hits, func(a, b switchboard.SearchHit) int {
		switch {
		case a.Exact == b.Exact:
			return 0
		case a.Exact:
			return -1
		}
		return 1
	})
	return hits[:min(len(hits), switchboard.MaxHits)], nil
}

// lookup is how one kind of hits is found: columns id, tenant and text, and the term that finds them.
type lookup struct {
	kind switchboard.SearchKind
	rows func(where string) string
	term string // with ? for what is searched for, and at its end the first text that does not begin so
}

// beginsWith finds what begins with a text by an index of a column in collation C.
func beginsWith(column string) string { return column + " >= ? AND " + column + " < ?" }

// beginsInAnyCase does so for a column in lower case.
func beginsInAnyCase(column string) string {
	return column + " >= lower(?) AND " + column + " < lower(?)"
}

// lookups are those of a text. One that begins as an id of ours is one, or that of an event.
func lookups(text string) []lookup {
	plain := func(columns, table, order string) func(string) string {
		return func(where string) string {
			return "SELECT " + columns + " FROM " + table + where + " ORDER BY " + order
		}
	}
	event := lookup{switchboard.HitEvent, plain("id, tenant, type AS text", "events", "id"), beginsWith("id")}
	for prefix, own := range map[string]lookup{
		switchboard.DeliveryPrefix:     {switchboard.HitDelivery, plain("id, tenant, event_type AS text", "deliveries", "id"), beginsWith("id")},
		switchboard.SubscriptionPrefix: {switchboard.HitSubscription, plain("id, tenant, name AS text", "subscriptions", "id"), "deleted_at IS NULL AND " + beginsWith("id")},
		switchboard.OperationPrefix:    {switchboard.HitOperation, plain("id, tenant, action AS text", "operations", "id"), beginsWith("id")},
	} {
		if strings.HasPrefix(text, prefix) {
			return []lookup{own, event}
		}
	}
	distinct := func(columns, from, order string) func(string) string {
		return func(where string) string {
			return "SELECT DISTINCT " + columns + " FROM (SELECT * FROM " + from + where + " ORDER BY " + order + " LIMIT " + searchScan + ") AS looked_at"
		}
	}
	return []lookup{
		event,
		{switchboard.HitEventKey, distinct("'' AS id, tenant, key AS text", "(SELECT tenant, key, created_at FROM events) AS events", "created_at DESC"), "key <> '' AND key = ?"},
		{switchboard.HitTenant, distinct("'' AS id, tenant, tenant AS text", "(SELECT tenant, deleted_at FROM subscriptions) AS subscriptions", "tenant"), "deleted_at IS NULL AND " + beginsWith("tenant")},
		{switchboard.HitHost, distinct("'' AS id, tenant, host AS text", "(SELECT tenant, deleted_at, "+hostColumn+" AS host FROM subscriptions) AS subscriptions", "host"), "deleted_at IS NULL AND " + beginsInAnyCase("host")},
		{switchboard.HitSubscription, plain("id, tenant, name AS text", "subscriptions", `lower(name) COLLATE "C"`), "deleted_at IS NULL AND " + beginsInAnyCase(`(lower(name) COLLATE "C")`)},
	}
}

// searchQuery asks for what each lookup finds of what the caller sees.
func searchQuery(caller switchboard.Caller, text string) (query string, args []any) {
	var parts []string
	c := &conditions{}
	exact := c.term("?", text)
	lower := c.term("lower(?)", text)
	for _, l := range lookups(text) {
		each := &conditions{args: c.args}
		for _, value := range []any{text, text + "\U0010FFFF"}[:strings.Count(l.term, "?")] {
			l.term = strings.Replace(l.term, "?", each.term("?", value), 1)
		}
		each.terms = append(each.terms, l.term)
		each.scope(caller, "")
		rows := l.rows(each.where()) + " LIMIT " + each.term("?", switchboard.MaxHits)
		c.args = each.args
		parts = append(parts, "(SELECT '"+string(l.kind)+"' AS kind, id, tenant, text, id = "+exact+" OR lower(text) = "+lower+" AS exact FROM ("+rows+") AS found)")
	}
	return strings.Join(parts, "\nUNION ALL "), c.args
}
