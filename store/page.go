package store

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// position is where a page ended: the next one begins behind it.
type position struct {
	At     time.Time `json:"at,omitzero"`
	ID     string    `json:"id"`
	Tenant string    `json:"tenant,omitempty"`
}

// listing is one list as one caller filters it. Cursors are sealed for it: they
// say nothing about the rows, cannot be made up, and fit no other list.
type listing struct {
	keys   *Keyring
	name   string
	caller switchboard.Caller
	filter any
}

// place is what a cursor is sealed for.
func (l listing) place() (string, error) {
	filter, err := json.Marshal(l.filter)
	return fmt.Sprintf("cursor/%s/%q/%s", l.name, l.caller.Tenant, filter), err
}

func (l listing) encode(p position) (string, error) {
	place, err := l.place()
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	keyID, sealed, err := l.keys.seal(plain, place)
	return base64.RawURLEncoding.EncodeToString(append([]byte(keyID+":"), sealed...)), err
}

// decode reads a cursor; an empty one is no position.
func (l listing) decode(cursor string) (*position, error) {
	if cursor == "" {
		return nil, nil
	}
	place, err := l.place()
	if err != nil {
		return nil, err
	}
	bad := switchboard.InvalidField("cursor", "is not one that this list with these filters gave")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return nil, bad
	}
	keyID, sealed, _ := strings.Cut(string(raw), ":")
	plain, err := l.keys.open(keyID, []byte(sealed), place)
	if err != nil {
		return nil, bad
	}
	p := &position{}
	return p, json.Unmarshal(plain, p)
}

// open reads what is asked for: how many items the page may have, and behind which
// position it begins; nil: it is the first.
func (l listing) open(p switchboard.PageRequest) (limit int, behind *position, err error) {
	if p.Limit < 0 || p.Limit > switchboard.MaxPage {
		return 0, nil, switchboard.InvalidField("limit", "must be from 1 to %d", switchboard.MaxPage)
	}
	behind, err = l.decode(p.Cursor)
	return cmp.Or(p.Limit, switchboard.DefaultPage), behind, err
}

// pageOf makes a page of at most limit items. One more was asked for, to know
// whether another page follows.
func pageOf[T any](l listing, items []T, limit int, where func(T) position) (switchboard.Page[T], error) {
	if len(items) <= limit {
		return switchboard.Page[T]{Items: items}, nil
	}
	items = items[:limit]
	cursor, err := l.encode(where(items[limit-1]))
	return switchboard.Page[T]{Items: items, NextCursor: cursor}, err
}

// conditions builds the WHERE of a list.
type conditions struct {
	terms []string
	args  []any
}

// add adds a condition in which each ? stands for the next argument.
func (c *conditions) add(term string, args ...any) {
	for _, arg := range args {
		c.args = append(c.args, arg)
		term = strings.Replace(term, "?", "$"+strconv.Itoa(len(c.args)), 1)
	}
	c.terms = append(c.terms, term)
}

// equal keeps to what has that value, if one is given.
func (c *conditions) equal(column, value string) {
	if value != "" {
		c.add(column+" = ?", value)
	}
}

// anyCase keeps to what has that name in any case, if one is given. The names are ASCII,
// for which Postgres's collation C is enough.
func (c *conditions) anyCase(column, name string) {
	if name != "" {
		c.add("lower("+column+` COLLATE "C") = ?`, strings.ToLower(name))
	}
}

// scope keeps to the tenants that the caller sees and, if one is given, to that.
func (c *conditions) scope(caller switchboard.Caller, tenant string) {
	c.equal("tenant", caller.Tenant)
	c.equal("tenant", tenant)
}

// times keeps to what was created at or after one time and before another.
func (c *conditions) times(after, before time.Time) {
	if !after.IsZero() {
		c.add("created_at >= ?", after)
	}
	if !before.IsZero() {
		c.add("created_at < ?", before)
	}
}

func (c *conditions) where() string {
	if len(c.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.terms, " AND ")
}

// fields writes the columns of a table for SELECT. names are separated by spaces;
// one marked ? may be null and is then read as Go's zero time. into, if not empty,
// is the field of the destination that they belong to.
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

// zeroTime is Go's zero time, which stands for null on our side.
const zeroTime = "timestamptz '0001-01-01 00:00:00+00'"
