package console

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// queryReader reads the query of a page. It gathers which names the page knows, those that were asked
// for, and what is wrong with their values.
type queryReader struct {
	values url.Values
	known  []string
	faults []fieldFault
}

func readQuery(values url.Values) *queryReader { return &queryReader{values: values} }

func (r *queryReader) fail(name, format string, args ...any) {
	r.faults = append(r.faults, fieldFault{name, fmt.Sprintf(format, args...)})
}

// list reads a name that may be repeated, and whose values may be joined by commas.
func (r *queryReader) list(name string) []string {
	r.known = append(r.known, name)
	var found []string
	for _, text := range r.values[name] {
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" && !slices.Contains(found, part) {
				found = append(found, part)
			}
		}
	}
	return found
}

// text reads a name that may be there once.
func (r *queryReader) text(name string) string {
	r.known = append(r.known, name)
	given := r.values[name]
	if len(given) > 1 {
		r.fail(name, "is given %d times: give it once", len(given))
	}
	return strings.TrimSpace(r.values.Get(name))
}

// number reads a whole number; 0: it is not there.
func (r *queryReader) number(name string) int {
	text := r.text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		r.fail(name, "is %q, which is no whole number", text)
	}
	return n
}

// flag reads what is true or false.
func (r *queryReader) flag(name string) bool {
	switch text := r.text(name); text {
	case "", "false":
		return false
	case "true":
		return true
	default:
		r.fail(name, "is %q: it is true or false", text)
		return false
	}
}

// time reads a time: as the API does, or as a field for a date and a time has it, in UTC.
func (r *queryReader) time(name string) time.Time {
	text := r.text(name)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	at, err := switchboard.ParseTime(text)
	if err != nil {
		r.fail(name, "%s", err)
	}
	return at
}

// isUntidy reports whether the query has names without a value, as a form sends them for fields that
// were left empty.
func isUntidy(values url.Values) bool {
	for _, given := range values {
		if slices.Contains(given, "") {
			return true
		}
	}
	return false
}

// period is how far back a list looks, as its form names it.
type period struct {
	Name, Label string
	length      time.Duration // 0: without an end
}

// periods are those that a form offers.
func periods() []period {
	return []period{
		{"1h", "last hour", time.Hour}, {"24h", "last 24 hours", 24 * time.Hour}, {"7d", "last 7 days", 7 * 24 * time.Hour},
		{"30d", "last 30 days", 30 * 24 * time.Hour}, {lastAll, "all that is kept", 0},
	}
}

const (
	lastAll     = "all"
	lastDefault = "24h"
)

// last reads the period; an unknown one is a fault.
func (r *queryReader) last() string {
	name := r.text("last")
	if name != "" && !slices.ContainsFunc(periods(), func(p period) bool { return p.Name == name }) {
		var names []string
		for _, p := range periods() {
			names = append(names, p.Name)
		}
		r.fail("last", "is %q: it is %s", name, strings.Join(names, ", "))
		return ""
	}
	return name
}

// since is where the period begins; zero: it does not.
func since(last string, now time.Time) time.Time {
	for _, p := range periods() {
		if p.Name == last && p.length > 0 {
			return now.Add(-p.length).UTC().Truncate(time.Second)
		}
	}
	return time.Time{}
}

// begins is the beginning of a list: that which is given, or that of the period; zero: it has none.
func begins(after time.Time, period string, now time.Time) time.Time {
	if !after.IsZero() {
		return after
	}
	return since(period, now)
}

// untilNow is the end of a list: that which is given, or now, so that the list stays as it is.
func untilNow(before, now time.Time) time.Time {
	if !before.IsZero() {
		return before
	}
	return now.UTC().Truncate(time.Second).Add(time.Second)
}

// nextPeriod is the next longer one; false: there is none.
func nextPeriod(name string) (period, bool) {
	at := slices.IndexFunc(periods(), func(p period) bool { return p.Name == name })
	if at < 0 || at+1 == len(periods()) {
		return period{}, false
	}
	return periods()[at+1], true
}

// defaultPeriod is what is meant where no period is chosen, in words.
func defaultPeriod(q interface{ period() string }) string {
	for _, p := range periods() {
		if p.Name == q.period() {
			return p.Label
		}
	}
	return "between these times"
}

func periodOptions(chosen string) []option {
	var options []option
	for _, p := range periods() {
		options = append(options, option{p.Name, p.Label, chosen == p.Name})
	}
	return options
}
