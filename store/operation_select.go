package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/seed-49a43567/switchboard"
)

const (
	// selectBudget is how long a step looks for the next deliveries of an operation if no index
	// finds them. It then ends with the position that it has reached.
	selectBudget = time.Second
	// sliceTimeout ends the reading of a slice that was too long.
	sliceTimeout = 2 * time.Second
)

// selected is the selection of an operation, as conditions on a table.
type selected struct {
	table    string
	where    *conditions
	settings string // for Postgres's planner; empty: its own
}

// scopeOf returns a caller that sees the deliveries of the tenant; empty: of every tenant.
func scopeOf(tenant string) switchboard.Caller {
	return switchboard.Caller{Role: switchboard.RoleAdmin, Tenant: tenant}
}

// selectedDeliveries returns the deliveries in those states that the filter of an operation
// matches, by the query of their list. An empty list of states means all.
func (s *Store) selectedDeliveries(ctx context.Context, f switchboard.DeliveryFilter, tenant, bound string) (selected, error) {
	times, err := s.timesOfEvent(ctx, scopeOf(tenant), f)
	if err != nil {
		return selected{}, err
	}
	q := deliveriesQuery(scopeOf(tenant), f, s.now(), times)
	q.where.add("id < ?", bound)
	return selected{"deliveries", q.where, q.settings}, nil
}

// boundTime returns the time of an [idBound], and the approximate time of an id.
func boundTime(id string) time.Time {
	padded := id + strings.Repeat("0", len(switchboard.NewID(switchboard.DeliveryPrefix, time.Time{})))
	at, _ := switchboard.IDTime(switchboard.DeliveryPrefix, padded[:len(switchboard.NewID(switchboard.DeliveryPrefix, time.Time{}))])
	return at
}

// nextSelected returns the ids of the next deliveries after one, in order, and the id up to which
// it has looked: that of the last of them, or beyond. It reports whether there are no more.
func (s *Store) nextSelected(ctx context.Context, q selected, after, bound string, limit int) (ids []string, through string, last bool, err error) {
	from := boundTime(after)
	if after == "" {
		var first []string
		if err := s.search(ctx, "select deliveries", &first, "SELECT id FROM deliveries WHERE id < $1 ORDER BY id LIMIT 1", bound); err != nil || len(first) == 0 {
			return nil, after, true, err
		}
		from = boundTime(first[0])
	}
	reached, last, err := forward(from, boundTime(bound), func(_, to time.Time) (bool, error) {
		c := q.where.with()
		c.add("id > ?", after)
		if !to.IsZero() {
			c.add("id < ?", idBound(to))
		}
		var found []string
		err := s.selectWithin(ctx, q.settings, sliceTimeout, &found, c.query("id", q.table, "id", limit-len(ids)), c.args...)
		ids = append(ids, found...)
		if len(found) > 0 {
			after = found[len(found)-1]
		} else if err == nil && !to.IsZero() {
			after = idBound(to)
		}
		return len(ids) >= limit, err
	})
	if err == nil && !last && len(ids) < limit {
		after = idBound(reached)
	}
	return ids, after, last, err
}

// forward reads in slices of time, from one time to another, until there is enough or the budget is
// used up. The last slice has no end. It returns the time that it has reached, and whether that is
// the end.
func forward(from, end time.Time, read func(from, to time.Time) (enough bool, err error)) (reached time.Time, last bool, err error) {
	began, width := time.Now(), firstSlice
	for {
		to := from.Add(width)
		if !to.Before(end) {
			to = time.Time{}
		}
		started := time.Now()
		enough, err := read(from, to)
		switch {
		case pq.As(err, pqerror.QueryCanceled) != nil && width > time.Minute:
			width /= 8
			continue
		case err != nil:
			return from, false, err
		case to.IsZero():
			return end, !enough, nil
		}
		if from = to; enough || time.Since(began) >= selectBudget {
			return from, false, nil
		}
		faster := float64(sliceTarget) / float64(max(time.Since(started), time.Millisecond))
		width = time.Duration(float64(width) * min(faster, growSlice))
	}
}

// selectWithin reads rows into the slice at dest, with a connection for searches. After the timeout
// Postgres ends it with the error [pqerror.QueryCanceled].
func (s *Store) selectWithin(ctx context.Context, settings string, timeout time.Duration, dest any, query string, args ...any) error {
	bounded, cancel := context.WithTimeout(ctx, timeout+callTimeout)
	defer cancel()
	err := withSettings(bounded, s.searches, fmt.Sprintf("%sSET LOCAL statement_timeout = %d", settings, timeout.Milliseconds()), func(tx *sqlx.Tx) error {
		return tx.SelectContext(bounded, dest, query, args...)
	})
	if pq.As(err, pqerror.QueryCanceled) != nil {
		return err
	}
	return mapError(ctx, "select deliveries", err)
}

// isTooSlow reports whether Postgres ended a query of selectWithin because it took too long.
func isTooSlow(err error) bool { return pq.As(err, pqerror.QueryCanceled) != nil }
