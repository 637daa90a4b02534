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

// queryReader parses the query of a page. It collects the names that the page knows, the given
// names, and what is wrong with their values.
type queryReader struct {
	values url.Values
	known  []string
	faults []fieldFault
}

func readQuery(values url.Values) *queryReader { return &queryReader{values: values} }

func (r *queryReader) fail(name, format string, args ...any) {
	r.faults = append(r.faults, fieldFault{name, fmt.Sprintf(format, args...)})
}

// list reads a name that may be repeated, and whose values may be separated by commas.
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

// text reads a name that may occur once.
func (r *queryReader) text(name string) string {
	r.known = append(r.known, name)
	given := r.values[name]
	if len(given) > 1 {
		r.fail(name, "is given %d times: give it once", len(given))
	}
	return strings.TrimSpace(r.values.Get(name))
}

// number reads a whole number; 0: missing.
func (r *queryReader) number(name string) int {
	text := r.text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		r.fail(name, "is %q, which is not a whole number", text)
	}
	return n
}

// flag reads true or false.
func (r *queryReader) flag(name string) bool {
	switch text := r.text(name); text {
	case "", "false":
		return false
	case "true":
		return true
	default:
		r.fail(name, "is %q: it must be true or false", text)
		return false
	}
}

// time reads a time: in the API's format, or in that of a form field, in UTC.
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

// isUntidy reports whether the query has names without a value, which forms send for empty fields.
func isUntidy(values url.Values) bool {
	for _, given := range values {
		if slices.Contains(given, "") {
			return true
		}
	}
	return false
}

// period is how far back a list looks, with the form's name.
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

// last reads the period. An unknown one is a fault.
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

// since returns the beginning of the period; zero: none.
func since(last string, now time.Time) time.Time {
	for _, p := range periods() {
		if p.Name == last && p.length > 0 {
			return now.Add(-p.length).UTC().Truncate(time.Second)
		}
	}
	return time.Time{}
}

// begins returns the beginning of a list: the given one, or that of the period; zero: none.
func begins(after time.Time, period string, now time.Time) time.Time {
	if !after.IsZero() {
		return after
	}
	return since(period, now)
}

// untilNow returns the end of a list: the given one, or now, so that the list does not grow.
func untilNow(before, now time.Time) time.Time {
	if !before.IsZero() {
		return before
	}
	return now.UTC().Truncate(time.Second).Add(time.Second)
}

// nextPeriod returns the next longer period; false: none.
func nextPeriod(name string) (period, bool) {
	at := slices.IndexFunc(periods(), func(p period) bool { return p.Name == name })
	if at < 0 || at+1 == len(periods()) {
		return period{}, false
	}
	return periods()[at+1], true
}

// defaultPeriod names the period that applies if none is chosen.
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
