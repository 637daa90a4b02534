package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// page is a page of a list, as the API sends it.
type page[T any] struct {
	Data       []T                `json:"data"`
	NextCursor *string            `json:"next_cursor"`
	SearchedTo time.Time          `json:"searched_to"`
	Count      *switchboard.Count `json:"count"`
}

// list requests one page.
func list[T any](ctx context.Context, c *Client, path string, query url.Values, asked switchboard.PageRequest) (switchboard.Page[T], error) {
	if asked.Limit != 0 {
		query.Set("limit", strconv.Itoa(asked.Limit))
	}
	if asked.Cursor != "" {
		query.Set("cursor", asked.Cursor)
	}
	if asked.Count {
		query.Set("count", "true")
	}
	answer, err := call[page[T]](ctx, c, request{method: http.MethodGet, path: path, query: query})
	found := switchboard.Page[T]{Items: answer.Data, SearchedTo: answer.SearchedTo, Count: answer.Count}
	if answer.NextCursor != nil {
		found.NextCursor = *answer.NextCursor
	}
	return found, err
}

// all iterates over a list, page by page. After an error it yields nothing more.
func all[T any](next func(switchboard.PageRequest) (switchboard.Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		asked := switchboard.PageRequest{Limit: switchboard.MaxPage}
		for {
			found, err := next(asked)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range found.Items {
				if !yield(item, nil) {
					return
				}
			}
			if asked.Cursor = found.NextCursor; asked.Cursor == "" {
				return
			}
		}
	}
}
