package store

import (
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// conditions builds the WHERE of a list.
type conditions struct {
	terms []string
	// alternatives are terms; one of them must hold. Each becomes a query of its own, in the order
	// of an index, because Postgres does not keep that order for an OR or = ANY.
	alternatives []string
	args         []any
}

// term writes a condition in which each ? stands for the next argument.
func (c *conditions) term(term string, args ...any) string {
	for _, arg := range args {
		c.args = append(c.args, arg)
		term = strings.Replace(term, "?", argument(len(c.args)), 1)
	}
	return term
}

// argument names the n-th argument of a query.
func argument(n int) string { return "$" + strconv.Itoa(n) }

// add adds a condition in which each ? stands for the next argument.
func (c *conditions) add(term string, args ...any) {
	c.terms = append(c.terms, c.term(term, args...))
}

// either adds terms. One of them must hold, and no two hold for the same row.
func (c *conditions) either(terms ...string) {
	if len(c.alternatives) == 0 {
		c.alternatives = terms
		return
	}
	var both []string
	for _, one := range c.alternatives {
		for _, other := range terms {
			both = append(both, one+" AND "+other)
		}
	}
	c.alternatives = both
}

// equal keeps the rows with that value, if one is given.
func (c *conditions) equal(column, value string) {
	if value != "" {
		c.add(column+" = ?", value)
	}
}

// anyCase keeps the rows with that name in any case, if one is given. The names are ASCII, so
// Postgres's collation C is enough.
func (c *conditions) anyCase(column, name string) {
	if name != "" {
		c.add("lower("+column+` COLLATE "C") = ?`, strings.ToLower(name))
	}
}

// scope keeps the tenants that the caller sees and, if a tenant is given, only that one.
func (c *conditions) scope(caller switchboard.Caller, tenant string) {
	c.equal("tenant", caller.Tenant)
	if caller.Tenant == "" && !caller.Sees(switchboard.OperatorTenant) {
		c.add("tenant <> ?", switchboard.OperatorTenant)
	}
	c.equal("tenant", tenant)
}

// times keeps the rows that were created at or after one time and before another.
func (c *conditions) times(span timeSpan) {
	if !span.from.IsZero() {
		c.add("created_at >= ?", span.from)
	}
	if !span.to.IsZero() {
		c.add("created_at < ?", span.to)
	}
}

func (c *conditions) where() string {
	if len(c.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.terms, " AND ")
}

// with returns a copy, so that conditions can be added that the original does not get.
func (c *conditions) with() *conditions {
	return &conditions{terms: slices.Clip(c.terms), alternatives: c.alternatives, args: slices.Clip(c.args)}
}

// query selects the first rows of the table in that order.
func (c *conditions) query(columns, table, order string, limit int) string {
	tail := " ORDER BY " + order + " LIMIT " + c.term("?", limit)
	if len(c.alternatives) == 0 {
		return "SELECT " + columns + " FROM " + table + c.where() + tail
	}
	queries := make([]string, len(c.alternatives))
	for i, alternative := range c.alternatives {
		all := conditions{terms: append(slices.Clip(c.terms), alternative)}
		queries[i] = "(SELECT " + columns + " FROM " + table + all.where() + tail + ")"
	}
	return "SELECT * FROM (" + strings.Join(queries, "\nUNION ALL ") + ") AS page" + tail
}

// union writes a query of all matches, with one part for each of the alternatives.
func (c *conditions) union(write func(where string) string) string {
	if len(c.alternatives) == 0 {
		return write(c.where())
	}
	queries := make([]string, len(c.alternatives))
	for i, alternative := range c.alternatives {
		all := conditions{terms: append(slices.Clip(c.terms), alternative)}
		queries[i] = write(all.where())
	}
	return strings.Join(queries, "\nUNION ALL ")
}

// condition writes all conditions as one, for rows that are already found.
func (c *conditions) condition() string {
	terms := slices.Clip(c.terms)
	if len(c.alternatives) > 0 {
		terms = append(terms, "("+strings.Join(c.alternatives, " OR ")+")")
	}
	return strings.Join(terms, " AND ")
}
