package api

import (
	"context"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// deliveriesInput requests a page of deliveries.
type deliveriesInput struct {
	DeliveriesFilter
	Limit  int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Maximum number of entries in a page"`
	Cursor string `query:"cursor" doc:"next_cursor of the previous page"`
	Count  bool   `query:"count" doc:"Also counts the matches, up to 10,000"`
}

// DeliveriesFilter holds the conditions for finding deliveries. The name is exported because huma
// only reads the parameters of exported embedded structs.
type DeliveriesFilter struct {
	ID           []string       `query:"id,explode" nullable:"false" maxItems:"250" doc:"Only these ids, up to 250. Repeat the parameter, or separate values by commas"`
	Tenant       string         `query:"tenant" doc:"Only this tenant"`
	Subscription string         `query:"subscription" doc:"Only deliveries to this subscription"`
	Event        string         `query:"event" doc:"Only deliveries of this event"`
	EventType    string         `query:"event_type" doc:"Only deliveries of this event type; case does not matter" example:"ticket.created"`
	State        []string       `query:"state,explode" nullable:"false" doc:"Only these states: pending, retrying, held, blocked, delivered, failed, cancelled. Repeat the parameter, or separate values by commas" example:"retrying"`
	Failure      string         `query:"failure" doc:"Only with this failure of the last attempt, such as timeout or http_5xx" example:"http_5xx"`
	StatusCode   int            `query:"status_code" minimum:"100" maximum:"599" doc:"Only with this status code of the last attempt" example:"503"`
	Host         string         `query:"host" doc:"Only deliveries to this host; with a port, only to that port, such as crm.example.com:8443" example:"crm.example.com"`
	After        rest.TimeParam `query:"after" doc:"Only accepted at or after this time"`
	Before       rest.TimeParam `query:"before" doc:"Only accepted before this time"`
	Stuck        bool           `query:"stuck" doc:"Only overdue deliveries: the date of the next attempt has passed, and nothing happened"`
	Text         string         `query:"text" maxLength:"200" doc:"Only with this text in an id, the event type, the host or the reason; case does not matter"`
}

// filter checks and converts the parameters.
func (in *DeliveriesFilter) filter(caller switchboard.Caller) (switchboard.DeliveryFilter, error) {
	f := switchboard.DeliveryFilter{
		Subscription: in.Subscription, Event: in.Event, EventType: in.EventType,
		Failure: switchboard.Failure(in.Failure), StatusCode: in.StatusCode, Host: strings.ToLower(in.Host),
		After: in.After.Time, Before: in.Before.Time, Stuck: in.Stuck, Text: in.Text,
	}
	var err error
	if f.Tenant, err = tenantFilter(caller, in.Tenant); err != nil {
		return f, err
	}
	for _, list := range in.ID {
		f.IDs = append(f.IDs, strings.Split(list, ",")...)
	}
	if len(f.IDs) > switchboard.MaxPage {
		return f, switchboard.InvalidField("id", "has more than %d ids", switchboard.MaxPage)
	}
	for _, list := range in.State {
		for name := range strings.SplitSeq(list, ",") {
			state := switchboard.State(name)
			if !state.Valid() {
				return f, switchboard.InvalidField("state", "has an unknown state; known: %s", switchboard.JoinWords(switchboard.States()))
			}
			f.States = append(f.States, state)
		}
	}
	if in.Failure != "" && !slices.Contains(switchboard.Failures(), f.Failure) {
		return f, switchboard.InvalidField("failure", "is unknown; known: %s", switchboard.JoinWords(switchboard.Failures()))
	}
	return f, nil
}

// pageDelivery is a page of deliveries, with the number of matches.
type pageDelivery struct {
	rest.Page[delivery]
	Count *switchboard.Count `json:"count,omitempty" doc:"Number of matches on all pages, with count=true. Left out if they could not be counted within 0.3 s"`
}

func (s *server) listDeliveries(ctx context.Context, caller switchboard.Caller, in *deliveriesInput) (*reply[pageDelivery], error) {
	filter, err := in.filter(caller)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Deliveries(ctx, caller, filter, switchboard.PageRequest{Limit: in.Limit, Cursor: in.Cursor, Count: in.Count})
	if err != nil {
		return nil, err
	}
	show, err := s.shown(ctx, caller, idsOf(found.Items))
	if err != nil {
		return nil, err
	}
	return &reply[pageDelivery]{Body: pageDelivery{rest.PageOf(found, show).Body, found.Count}}, nil
}

type deliveryInput struct {
	ID string `path:"id" doc:"Id of the delivery" example:"dlv_01k0000000000000000000000"`
}

func (s *server) getDelivery(ctx context.Context, caller switchboard.Caller, in *deliveryInput) (*reply[delivery], error) {
	found, err := s.Store.Delivery(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	show, err := s.shown(ctx, caller, []string{found.Delivery.ID})
	if err != nil {
		return nil, err
	}
	out := show(&found.Delivery)
	addHistory(&out, caller, &found)
	return &reply[delivery]{Body: out}, nil
}
