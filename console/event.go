package console

import (
	"bytes"
	"context"
	"net/http"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// eventPage shows one event, and what happened to it.
type eventPage struct {
	Event client.Event
	Data  bodyView
	Key   string // leads to the events with the same key; empty: no key

	Text    string // the explanation of the event as a whole
	Rows    []explainedRow
	Hidden  int    // number of subscriptions that do not receive it and are not shown
	All     string // the page with those
	More    bool   // the tenant has more subscriptions
	Missing string // why it could not be explained; empty: it could
}

// explainedRow is a subscription of the event's tenant.
type explainedRow struct {
	client.ExplainedSubscription
	Conditions string          // the event with every condition of this subscription; empty: this person may not
	Reasons    []client.Reason // every condition, if that was requested
	Send       string          // sends the event to this subscription; empty: this person may not
}

// event is the page of an event.
func (c *Console) event(v *visit) (answer, error) {
	if err := v.checkQuery("tenant", "conditions", "all"); err != nil {
		return answer{}, err
	}
	ctx, values, id := v.request.Context(), v.request.URL.Query(), v.path("id")
	e, err := v.api.GetEvent(ctx, id, values.Get("tenant"))
	if err != nil {
		return answer{}, err
	}
	data := eventPage{Event: e, Data: bodyOf(string(e.Data), "", e.Redacted, linkEventData(e.ID, e.Tenant))}
	if e.Key != "" {
		data.Key = linkEventList(eventQuery{filter: switchboard.EventFilter{Tenant: e.Tenant, Key: e.Key}})
	}
	explained, err := v.api.ExplainEvent(ctx, e.ID, e.Tenant)
	if err != nil {
		data.Missing = problemOf(v, err).Text
		return page("event", e.Type, &data), nil
	}
	asked := values.Get("conditions")
	data.explain(&explained, &v.session, func(s *client.ExplainedSubscription) bool {
		return values.Has("all") || len(s.Deliveries) > 0 || s.SubscriptionID == asked
	})
	if asked != "" {
		if err := data.addConditions(ctx, v.api, asked); err != nil {
			return answer{}, err
		}
	}
	return page("event", e.Type, &data), nil
}

// shownUntaken is how many subscriptions without a delivery are shown at first: with 200, the page
// had 168 kB.
const shownUntaken = 50

// explain makes the rows of an explanation: of all subscriptions with a delivery, and of some
// others.
func (p *eventPage) explain(explained *client.Explanation, s *switchboard.Session, wanted func(*client.ExplainedSubscription) bool) {
	e, others := &p.Event, 0
	p.Text, p.More, p.All = explained.Text, explained.More, linkEventAll(e.ID, e.Tenant)
	for _, sub := range explained.Subscriptions {
		if !wanted(&sub) {
			if others++; others > shownUntaken {
				p.Hidden++
				continue
			}
		}
		row := explainedRow{ExplainedSubscription: sub}
		if !sub.Deleted {
			if (operators | editors).includes(s) {
				row.Conditions = linkEventConditions(e.ID, e.Tenant, sub.SubscriptionID)
			}
			row.Send = sendLink(e, sub.SubscriptionID, s)
		}
		p.Rows = append(p.Rows, row)
	}
}

// sendLink returns how this person sends an event to a subscription. People who may start
// operations replay it. Integrators, who may not, send its data again. Empty: they may do neither.
func sendLink(e *client.Event, subscription string, s *switchboard.Session) string {
	switch {
	case !e.ErasedAt.IsZero():
		return ""
	case operators.includes(s):
		return linkSelectionPlan(switchboard.ActionReplay, switchboard.Selection{Tenant: e.Tenant, Event: e.ID, Subscription: subscription})
	case s.Caller.Role == switchboard.RoleIntegrator && s.Caller.ReadPayload:
		return linkEventSend(e.ID, e.Tenant, subscription)
	}
	return ""
}

// addConditions adds every condition of one subscription.
func (p *eventPage) addConditions(ctx context.Context, api *client.Client, subscription string) error {
	for i := range p.Rows {
		if p.Rows[i].SubscriptionID != subscription || p.Rows[i].Deleted {
			continue
		}
		found, err := api.MatchSubscription(ctx, subscription, client.SampleEvent{EventID: p.Event.ID})
		p.Rows[i].Reasons = found.Reasons
		return err
	}
	return nil
}

// eventData returns an event's data as a file, as they were posted.
func (c *Console) eventData(v *visit) (answer, error) {
	if err := v.checkQuery("tenant"); err != nil {
		return answer{}, err
	}
	e, err := v.api.GetEvent(v.request.Context(), v.path("id"), v.request.URL.Query().Get("tenant"))
	switch {
	case err != nil:
		return answer{}, err
	case e.Redacted != nil:
		return answer{}, switchboard.Errorf(switchboard.CodeForbidden, "reading the data of an event needs the permission read_payload")
	case !e.ErasedAt.IsZero():
		return answer{}, switchboard.Errorf(switchboard.CodeNotFound, "the data of this event were erased")
	}
	return download(e.ID+".json", bytes.NewReader(e.Data)), nil
}

// eventSendPage is the form that sends an event's data to one subscription.
type eventSendPage struct {
	Event        client.Event
	Subscription client.Subscription
	Back         string
	Faults       []fieldFault
}

func (c *Console) readEventSend(v *visit) (*eventSendPage, error) {
	if err := v.checkQuery("tenant", "subscription"); err != nil {
		return nil, err
	}
	ctx, values := v.request.Context(), v.request.URL.Query()
	e, err := v.api.GetEvent(ctx, v.path("id"), values.Get("tenant"))
	if err != nil {
		return nil, err
	}
	if e.Redacted != nil {
		return nil, switchboard.Errorf(switchboard.CodeForbidden, "sending the data of an event needs the permission read_payload")
	}
	sub, err := v.api.GetSubscription(ctx, values.Get("subscription"))
	return &eventSendPage{Event: e, Subscription: sub, Back: linkEvent(e.ID, e.Tenant)}, err
}

func (c *Console) eventSendForm(v *visit) (answer, error) {
	data, err := c.readEventSend(v)
	return page("event_send", "Send an event", data), err
}

// eventSend sends a new event with the same type and data to one subscription.
func (c *Console) eventSend(v *visit) (answer, error) {
	data, err := c.readEventSend(v)
	if err != nil {
		return answer{}, err
	}
	accepted, err := v.api.TestSubscription(v.request.Context(), data.Subscription.ID, client.TestEvent{Type: data.Event.Type, Data: data.Event.Data}, v.once())
	if faults := queryFaults(err); len(faults) > 0 {
		data.Faults = faults
		return page("event_send", "Send an event", data).status(http.StatusUnprocessableEntity), nil
	}
	if err != nil || len(accepted.Deliveries) == 0 {
		return answer{}, err
	}
	return redirect(linkDelivery(accepted.Deliveries[0].ID)), nil
}
