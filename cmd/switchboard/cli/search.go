package cli

import (
	"context"
	"encoding/json"

	"github.com/seed-49a43567/switchboard"
)

type searchCommand struct {
	Text string `arg:"" help:"A whole event key, or the beginning of an id, a tenant, a host or a subscription's name."`
}

func (searchCommand) Help() string {
	return `Examples:

    switchboard search ticket-20817`
}

func (c searchCommand) Run(ctx context.Context, s *Session) error {
	api, err := s.api()
	if err != nil {
		return err
	}
	hits, err := api.Search(ctx, c.Text)
	if err != nil {
		return err
	}
	var answer struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(s.answers.last, &answer); err != nil {
		return err
	}
	return printList(s, hits, answer.Data, []column[switchboard.SearchHit]{
		{title: "kind", text: func(h switchboard.SearchHit) string { return string(h.Kind) }},
		{title: "id", text: func(h switchboard.SearchHit) string { return h.ID }},
		{title: "tenant", text: func(h switchboard.SearchHit) string { return h.Tenant }, least: 8},
		{title: "called", text: func(h switchboard.SearchHit) string { return h.Text }, least: 12},
	}, "Nothing is called so, or begins so.")
}
