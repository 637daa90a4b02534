package rest

import (
	"cmp"
	"encoding/base64"
	"time"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
)

// Page is one page of a list.
type Page[T any] struct {
	Data       []T        `json:"data" nullable:"false" doc:"Newest first"`
	NextCursor *string    `json:"next_cursor" doc:"Send it as cursor to get the next page; null: this is the last page"`
	SearchedTo *time.Time `json:"searched_to,omitempty" doc:"Only if a search used up its time: it covered everything made at or after this time, and the page may have fewer entries than requested, or none. next_cursor continues from there"`
}

// PageOf answers with a page from the store, with each entry converted.
func PageOf[From, To any](found switchboard.Page[From], convert func(*From) To) *Reply[Page[To]] {
	out := Page[To]{Data: make([]To, 0, len(found.Items))}
	for i := range found.Items {
		out.Data = append(out.Data, convert(&found.Items[i]))
	}
	if found.NextCursor != "" {
		out.NextCursor = &found.NextCursor
	}
	if !found.SearchedTo.IsZero() {
		out.SearchedTo = &found.SearchedTo
	}
	return &Reply[Page[To]]{out}
}

// PageWithin returns a page of a list in memory, in the order of its keys, and the cursor of the
// next page. A cursor is the key of the last entry, so it stays valid if the list grows in the
// meantime.
func PageWithin[T any](all []T, limit int, cursor string, key func(*T) string) (found []T, next *string, err error) {
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
