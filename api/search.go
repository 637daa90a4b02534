package api

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
)

type searchInput struct {
	Q string `query:"q" required:"true" doc:"An id, the key of an event, a tenant, a host, or the name of a subscription: the whole text or, except for keys, its beginning" example:"ticket-4711"`
}

// hits is the result of a search.
type hits struct {
	Data []switchboard.SearchHit `json:"data" nullable:"false" doc:"At most 10, exact matches first"`
}

func (s *server) search(ctx context.Context, caller switchboard.Caller, in *searchInput) (*reply[hits], error) {
	text := strings.TrimSpace(in.Q)
	if n := utf8.RuneCountInString(text); n < switchboard.MinSearch || n > switchboard.MaxSearch {
		return nil, switchboard.InvalidField("q", "must have from %d to %d characters", switchboard.MinSearch, switchboard.MaxSearch)
	}
	found, err := s.Store.Search(ctx, caller, text)
	if err != nil {
		return nil, err
	}
	return &reply[hits]{Body: hits{found}}, nil
}
