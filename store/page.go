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
	// searchBudget is how long a list looks for matches that no index finds. It then returns what
	// it has, and how far it has searched.
	searchBudget = 2 * time.Second
	// sliceGrace is how much longer than the budget the last slice may take.
	sliceGrace = time.Second
	// The first slice of time that is searched, and how long a slice should take: the next slice is
	// shorter or longer accordingly, but at most growSlice times as long.
	firstSlice  = time.Hour
	sliceTarget = 200 * time.Millisecond
	growSlice   = 4
)

// pageQuery is a list as one caller filters it.
type pageQuery struct {
	cursors
	columns, table string
	order          string // newest first, with tie-breakers
	where          *conditions
	after          func(*conditions, position)             // adds: after that position in the order
	within         func(c *conditions, from, to time.Time) // adds: made at or after, and before; zero: open. Nil: an index finds the rows
	span           timeSpan                                // that the filter asks for
	end            func(time.Time) position                // the position after everything made at or after that time
	settings       string                                  // for Postgres's planner; empty: its own
}

// timeSpan is from one time, included, to another, excluded; zero: open.
type timeSpan struct{ from, to time.Time }

// list reads a page of the list. at returns the position of a row.
func list[T any](ctx context.Context, s *Store, q pageQuery, p switchboard.PageRequest, at func(T) position) (switchboard.Page[T], error) {
	limit, after, err := q.open(p)
	if err != nil {
		return switchboard.Page[T]{}, err
	}
	if after != nil {
		q.after(q.where, *after)
	}
	if q.within != nil {
		return listSlices(ctx, s, q, limit, after, at)
	}
	items, err := selectRows[T](ctx, s, q, q.where, limit+1, searchTimeout)
	if err != nil {
		return switchboard.Page[T]{}, err
	}
	return pageOf(q, items, limit, at)
}

// pageOf makes a page of at most limit items. items may have one more, which shows that another
// page follows.
func pageOf[T any](q pageQuery, items []T, limit int, at func(T) position) (switchboard.Page[T], error) {
	if len(items) <= limit {
		return switchboard.Page[T]{Items: items}, nil
	}
	items = items[:limit]
	cursor, err := q.encode(at(items[limit-1]))
	return switchboard.Page[T]{Items: items, NextCursor: cursor}, err
}

// listSlices reads a page whose rows no index finds: backwards in slices of time, until the page is
// full or the budget is used up.
func listSlices[T any](ctx context.Context, s *Store, q pageQuery, limit int, after *position, at func(T) position) (switchboard.Page[T], error) {
	began, items, width := time.Now(), []T{}, firstSlice
	oldest, err := s.oldest(ctx, q.span.from)
	if err != nil {
		return switchboard.Page[T]{}, err
	}
	from, to := s.newest(q.span.to, after), time.Time{}
	for {
		from = from.Add(-width)
		if !from.After(oldest) {
			from = time.Time{}
		}
		left := s.searchBudget - time.Since(began)
		c := q.where.with()
		q.within(c, from, to)
		started := time.Now()
		found, err := selectRows[T](ctx, s, q, c, limit+1-len(items), max(left, 0)+sliceGrace)
		switch {
		case pq.As(err, pqerror.QueryCanceled) != nil && !to.IsZero():
			return partialPage(q, items, to)
		case err != nil:
			return switchboard.Page[T]{}, err
		}
		items = append(items, found...)
		if len(items) > limit || from.IsZero() {
			return pageOf(q, items, limit, at)
		}
		if to = from; time.Since(began) >= s.searchBudget {
			return partialPage(q, items, to)
		}
		faster := float64(sliceTarget) / float64(max(time.Since(started), time.Millisecond))
		width = time.Duration(float64(width) * min(faster, growSlice))
	}
}

// partialPage is a page of a list that was searched only back to that time.
func partialPage[T any](q pageQuery, items []T, searchedTo time.Time) (switchboard.Page[T], error) {
	cursor, err := q.encode(q.end(searchedTo))
	return switchboard.Page[T]{Items: items, NextCursor: cursor, SearchedTo: searchedTo}, err
}

// newest returns the time from which a search goes backwards: that of the position, the end of the
// span, or now.
func (s *Store) newest(to time.Time, after *position) time.Time {
	newest := s.now()
	if !to.IsZero() && to.Before(newest) {
		newest = to
	}
	if after == nil {
		return newest
	}
	at := after.At
	if at.IsZero() {
		at, _ = switchboard.IDTime(switchboard.DeliveryPrefix, after.ID)
	}
	if at.Before(newest) {
		newest = at
	}
	return newest
}

// oldest returns the time back to which a search goes in slices: that of the first partition,
// unless the span begins later. Older rows are few, and are one slice.
func (s *Store) oldest(ctx context.Context, from time.Time) (time.Time, error) {
	var lo []time.Time
	err := s.search(ctx, "list partitions", &lo, "SELECT lo FROM partitions WHERE lo IS NOT NULL ORDER BY lo LIMIT 1")
	if len(lo) > 0 && lo[0].After(from) {
		return lo[0], err
	}
	return from, err
}

// selectRows reads the first rows of the list under those conditions, within that time.
func selectRows[T any](ctx context.Context, s *Store, q pageQuery, c *conditions, limit int, timeout time.Duration) ([]T, error) {
	rows, operation := []T{}, "list "+q.name
	query := c.query(q.columns, q.table, q.order, limit)
	if q.settings == "" && timeout == searchTimeout {
		return rows, s.search(ctx, operation, &rows, query, c.args...)
	}
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := withSettings(bounded, s.searches, fmt.Sprintf("%sSET LOCAL statement_timeout = %d", q.settings, timeout.Milliseconds()), func(tx *sqlx.Tx) error {
		return tx.SelectContext(bounded, &rows, query, c.args...)
	})
	return rows, searchError(ctx, bounded, operation, err)
}

// withSettings reads in a transaction with its own settings.
func withSettings(ctx context.Context, db *sqlx.DB, settings string, read func(*sqlx.Tx) error) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it has only read
	if _, err := tx.ExecContext(ctx, settings); err != nil {
		return err
	}
	return read(tx)
}

// fields writes the columns of a table for SELECT. names are separated by spaces; one marked ? may
// be null and is then read as Go's zero time. into, if not empty, is the field of the destination
// that has them.
func fields(table, names, into string) string {
	var b strings.Builder
	for i, name := range strings.Fields(names) {
		if i > 0 {
			b.WriteString(", ")
		}
		column, nullable := strings.CutSuffix(name, "?")
		value := table + "." + column
		if nullable {
			value = "coalesce(" + value + ", " + zeroTime + ")"
		}
		if into != "" {
			column = into + "." + column
		}
		fmt.Fprintf(&b, `%s AS "%s"`, value, column)
	}
	return b.String()
}

// zeroTime is Go's zero time, which stands for null in Go.
const zeroTime = "timestamptz '0001-01-01 00:00:00+00'"
