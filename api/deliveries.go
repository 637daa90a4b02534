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
	Limit  int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Entries in a page"`
	Cursor string `query:"cursor" doc:"next_cursor of the page before"`
	Count  bool   `query:"count" doc:"Also count how many match, up to 10,000"`
}

// DeliveriesFilter holds the conditions for finding deliveries. The name is exported because huma
// only reads the parameters of exported embedded structs.
type DeliveriesFilter struct {
	ID           []string       `query:"id,explode" nullable:"false" maxItems:"250" doc:"Only these, up to 250. Repeat it, or join them with commas"`
	Tenant       string         `query:"tenant" doc:"Only this tenant's"`
	Subscription string         `query:"subscription" doc:"Only deliveries to this subscription"`
	Event        string         `query:"event" doc:"Only deliveries of this event"`
	EventType    string         `query:"event_type" doc:"Only deliveries of this event type, in any case" example:"ticket.created"`
	State        []string       `query:"state,explode" nullable:"false" doc:"Only these states: pending, retrying, held, blocked, delivered, failed, cancelled. Repeat it, or join them with commas" example:"retrying"`
	Failure      string         `query:"failure" doc:"Only where the last attempt failed like this, as timeout or http_5xx" example:"http_5xx"`
	StatusCode   int            `query:"status_code" minimum:"100" maximum:"599" doc:"Only where the last attempt was answered with this" example:"503"`
	Host         string         `query:"host" doc:"Only deliveries to this host; with a port only to that one, as crm.example.com:8443" example:"crm.example.com"`
	After        rest.TimeParam `query:"after" doc:"Only what was accepted at that time or later"`
	Before       rest.TimeParam `query:"before" doc:"Only what was accepted before that time"`
	Stuck        bool           `query:"stuck" doc:"Only what is overdue: the date of its next attempt has passed, and nothing happened"`
	Text         string         `query:"text" maxLength:"200" doc:"Only where an id, the event type, the host or the reason holds this, in any case"`
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
	Count *switchboard.Count `json:"count,omitempty" doc:"How many match, whatever page it is: where count=true asks for it. Left out where they could not be counted within 0.3 s"`
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
