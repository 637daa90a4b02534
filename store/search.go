package store

import (
	"context"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// hostColumn is the host of a subscription's URL, with its port, as in an index.
const hostColumn = `(lower(substring(url FROM '^[^:]*://([^/?#]*)')) COLLATE "C")`

// searchScan is how many rows of one key, tenant or host a search looks at, the newest of a key
// first. So very many rows of one do not hide the others.
const searchScan = "1000"

// Search finds objects whose name or id is or begins with the text: each kind by an index of its
// own, and at most [switchboard.MaxHits] in all, exact matches first.
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

// lookup finds one kind of hits: columns id, tenant and text, and the term that finds them.
type lookup struct {
	kind switchboard.SearchKind
	rows func(where string) string
	term string // with ? for the text, and at its end for the first text that does not begin with it
}

// beginsWith finds what begins with a text by an index of a column in collation C.
func beginsWith(column string) string { return column + " >= ? AND " + column + " < ?" }

// beginsInAnyCase does the same for a column in lower case.
func beginsInAnyCase(column string) string {
	return column + " >= lower(?) AND " + column + " < lower(?)"
}

// lookups returns the lookups for a text. A text that begins like an id of ours is looked up as an
// id, and as that of an event.
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

// searchQuery asks for the hits of each lookup that the caller sees.
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
