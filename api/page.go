package api

import (
	"cmp"
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
)

// page is one page of a list.
type page[T any] struct {
	Data       []T     `json:"data" nullable:"false" doc:"Newest first"`
	NextCursor *string `json:"next_cursor" doc:"Send it as cursor to get the next page; null: this is the last"`
}

func pageOf[From, To any](found switchboard.Page[From], convert func(*From) To) *reply[page[To]] {
	out := page[To]{Data: make([]To, 0, len(found.Items))}
	for i := range found.Items {
		out.Data = append(out.Data, convert(&found.Items[i]))
	}
	if found.NextCursor != "" {
		out.NextCursor = &found.NextCursor
	}
	return &reply[page[To]]{out}
}

// pageWithin returns the page of a list that is at hand, in the order of its keys, and the
// cursor of the next one. A cursor is the key of the last entry: it fits a list to which
// something was added meanwhile.
func pageWithin[T any](all []T, limit int, cursor string, key func(*T) string) (found []T, next *string, err error) {
	begin := 0
	if cursor != "" {
		last, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
		if err != nil || !utf8.Valid(last) {
			return nil, nil, switchboard.InvalidField("cursor", "is not one that this list gave")
		}
		for begin < len(all) && key(&all[begin]) <= string(last) {
			begin++
		}
	}
	found = all[begin:]
	if limit = cmp.Or(limit, switchboard.DefaultPage); len(found) > limit {
		found = found[:limit]
		text := base64.RawURLEncoding.EncodeToString([]byte(key(&found[limit-1])))
		next = &text
	}
	return found, next, nil
}

// tenantFilter is the tenant to look into: the one asked for, if the key's scope
// has it, else the key's own.
func tenantFilter(caller switchboard.Caller, asked string) (string, error) {
	if asked == "" {
		return caller.Tenant, nil
	}
	return asked, inScope(caller, asked)
}

// date is the time as JSON shows it: null where there is none.
func date(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// reasonInput is what an operator may say about an action.
type reasonInput struct {
	Reason string `json:"reason,omitempty" doc:"Why, in your own words; kept with the action" example:"receiver fixed" maxLength:"500"`
}

const maxReason = 500

// checkReason refuses what a list of actions could not show.
func checkReason(reason string) error {
	switch {
	case switchboard.LongerThan(reason, maxReason):
		return switchboard.InvalidField("reason", "is longer than %d characters", maxReason)
	case strings.ContainsFunc(reason, isControl):
		return switchboard.InvalidField("reason", "may not hold control characters")
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 && r != '\n' && r != '\t' || r == 0x7f }
