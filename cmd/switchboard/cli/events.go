package cli

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

type eventsCommand struct {
	Send    sendEventCommand    `cmd:"" help:"Send an event. Sending it again with the same id does nothing."`
	List    listEventsCommand   `cmd:"" help:"List events, newest first."`
	Show    showEventCommand    `cmd:"" help:"Show one event with its data and its deliveries."`
	Explain explainEventCommand `cmd:"" help:"Show for each subscription of the tenant whether it takes the event, and why."`
}

type sendEventCommand struct {
	Tenant     string   `required:"" help:"The tenant."`
	Type       string   `required:"" help:"Its type, such as ticket.created."`
	Data       string   `required:"" placeholder:"JSON" help:"Its data: a JSON value, @file, or - for standard input."`
	ID         string   `name:"id" help:"Its id, which makes it safe to send the event again. Default: a new id."`
	Key        string   `help:"Its key, for ordering and superseding, such as a ticket's id."`
	OccurredAt timeFlag `placeholder:"TIME" help:"When it happened. Default: now."`
}

func (sendEventCommand) Help() string {
	return `Examples:

    switchboard events send --tenant acme --type ticket.created --data '{"id": 20817}'
    switchboard events send --tenant acme --type ticket.solved --data @ticket.json --id ticket-20817-solved`
}

func (c sendEventCommand) Run(ctx context.Context, s *Session) error {
	data, err := s.readJSON("--data", c.Data)
	if err != nil {
		return err
	}
	event := client.NewEvent{Tenant: c.Tenant, Type: c.Type, Data: data, ID: c.ID, Key: c.Key, OccurredAt: c.OccurredAt.Time}
	return act(s, func(api *client.Client) (client.Acceptance, error) { return api.PostEvent(ctx, event, s.options()...) }, s.showAcceptance)
}

func (s *Session) showAcceptance(a client.Acceptance) {
	if a.Duplicate {
		s.printf("%s was accepted before, with %s\n", clean(a.ID), count(len(a.Deliveries), "delivery"))
	} else {
		s.printf("%s is accepted, with %s\n", clean(a.ID), count(len(a.Deliveries), "delivery"))
	}
	for _, d := range a.Deliveries {
		s.printf("  %s to %s\n", d.ID, d.SubscriptionID)
	}
	s.warn(a.Warnings)
}

func (s *Session) warn(warnings []string) {
	for _, warning := range warnings {
		s.note("warning: %s", clean(warning))
	}
}

type listEventsCommand struct {
	Tenant string               `help:"Only this tenant."`
	Type   string               `help:"Only events of this type."`
	Key    string               `help:"Only events with this key."`
	After  timeFlag             `placeholder:"TIME" help:"Only if accepted at this time or later."`
	Before timeFlag             `placeholder:"TIME" help:"Only if accepted before this time."`
	Last   switchboard.Duration `placeholder:"24h" help:"Only if accepted within this time before now."`
	Limit  int                  `default:"50" help:"How many; 0: all."`
	watchFlag
}

func (listEventsCommand) Help() string {
	return `Examples:

    switchboard events list --tenant acme --last 1h
    switchboard events list --tenant acme --key ticket-20817 -o json`
}

func (c listEventsCommand) Run(ctx context.Context, s *Session) error {
	api, err := s.api()
	if err != nil {
		return err
	}
	return s.watch(ctx, c.Watch, func() (bool, error) {
		after, err := since(c.After, c.Last, s.Now())
		if err != nil {
			return false, err
		}
		filter := switchboard.EventFilter{Tenant: c.Tenant, Type: c.Type, Key: c.Key, After: after, Before: c.Before.Time}
		items, raw, err := gather(s, c.Limit, func(asked switchboard.PageRequest) (switchboard.Page[client.Event], error) {
			return api.ListEvents(ctx, filter, asked)
		})
		if err != nil {
			return false, err
		}
		return false, printList(s, items, raw, s.eventColumns(), "No event matches.")
	})
}

func (s *Session) eventColumns() []column[client.Event] {
	return []column[client.Event]{
		{title: "event", text: func(e client.Event) string { return e.ID }, least: 16},
		{title: "tenant", text: func(e client.Event) string { return e.Tenant }, least: 8, rank: 1},
		{title: "type", text: func(e client.Event) string { return e.Type }, least: 10},
		{title: "key", text: func(e client.Event) string { return e.Key }, least: 8, rank: 3},
		{title: "accepted", text: func(e client.Event) string { return s.relative(e.CreatedAt) }, rank: 2},
	}
}

// oneEvent names an event.
type oneEvent struct {
	ID     string `arg:"" help:"The event's id."`
	Tenant string `help:"Its tenant; needed if several tenants have an event with this id."`
}

type showEventCommand struct {
	oneEvent
}

func (showEventCommand) Help() string {
	return `Examples:

    switchboard events show ticket-20817-created --tenant acme`
}

func (c showEventCommand) Run(ctx context.Context, s *Session) error {
	return act(s, func(api *client.Client) (client.Event, error) { return api.GetEvent(ctx, c.ID, c.Tenant) }, func(e client.Event) {
		s.printFacts(
			fact{"Event", e.ID}, fact{"Type", e.Type}, fact{"Tenant", e.Tenant}, fact{"Key", e.Key},
			fact{"Occurred", s.moment(e.OccurredAt)}, fact{"Accepted", s.moment(e.CreatedAt)}, fact{"Erased", s.moment(e.ErasedAt)},
		)
		s.printData(e.Data)
		if len(e.Deliveries) == 0 {
			s.printf("\nNo subscription got it.\n")
			return
		}
		s.printf("\n")
		printTable(s, []column[client.Delivery]{
			s.deliveryColumns()[0], s.deliveryColumns()[1],
			{title: "why", text: func(d client.Delivery) string { return d.Reason }, least: 8, rank: 1},
			{title: "subscription", text: func(d client.Delivery) string { return d.SubscriptionID }, least: 12},
		}, e.Deliveries)
	})
}

// printData prints an event's data unchanged, except for white space between tokens.
func (s *Session) printData(data json.RawMessage) {
	if len(data) == 0 {
		return
	}
	var indented bytes.Buffer
	if json.Indent(&indented, data, "  ", "  ") == nil {
		s.printf("\n  %s\n", escapeControls(indented.String()))
	}
}
