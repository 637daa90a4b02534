package console

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// changeRow is a change of a subscription.
type changeRow struct {
	ID      string
	At      time.Time
	Verb    string
	Who     string
	Reason  string
	Version string // "6 → 7"; empty: unchanged
	Members []changedMember
}

// changedMember is a member that was changed.
type changedMember struct {
	Path   string
	Before string
	After  string
	Hidden bool
}

func changesOf(entries []switchboard.AuditEntry) []changeRow {
	rows := make([]changeRow, 0, len(entries))
	for _, e := range entries {
		row := changeRow{ID: e.ID, At: e.At, Verb: verbOf(e.Verb), Who: whoOf(&e), Reason: e.Reason}
		for _, path := range slices.Sorted(maps.Keys(e.Changed)) {
			change := e.Changed[path]
			if path == "version" {
				row.Version = strings.TrimPrefix(string(change.Before)+" → "+string(change.After), " → ")
				continue
			}
			row.Members = append(row.Members, changedMember{path, plainJSON(change.Before), plainJSON(change.After), change.Hidden})
		}
		rows = append(rows, row)
	}
	return rows
}

// names lists the changed members.
func (r *changeRow) names() []string {
	var names []string
	for _, m := range r.Members {
		names = append(names, m.Path)
	}
	return names
}

// verbOf writes an action in words: rotate_secret is "rotate secret".
func verbOf(verb switchboard.AuditVerb) string { return strings.ReplaceAll(string(verb), "_", " ") }

// whoOf says who did something: the person, in their own words, and the key that they used.
func whoOf(e *switchboard.AuditEntry) string {
	actor := e.Actor
	if e.ActorName != "" {
		actor = e.ActorName + " (" + short(e.Actor) + ")"
	}
	if e.Person == "" {
		return actor
	}
	return e.Person + " with " + actor
}

// plainJSON writes a value for people: a text without its quotes.
func plainJSON(value []byte) string {
	f := formField{Kind: fieldText}
	return f.text(value)
}

// marksOf returns the changes that may explain a chart, the earliest first.
func marksOf(entries []switchboard.AuditEntry) []chartMark {
	var marks []chartMark
	for _, row := range changesOf(entries) {
		text := row.Verb
		if names := row.names(); row.Verb == verbOf(switchboard.AuditUpdate) && len(names) > 0 {
			text += ": " + commas(names, 3)
		}
		if row.Version != "" {
			text += " (version " + row.Version + ")"
		}
		marks = append(marks, chartMark{row.At, text + ", by " + row.Who})
	}
	slices.Reverse(marks)
	return marks
}
