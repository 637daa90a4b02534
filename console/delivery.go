package console

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

func (c *Console) deliveryRoutes() []route {
	const retriers = supporters | integrators | portals
	return []route{
		{"GET /console/deliveries/{id}", readers, c.delivery},
		{"GET /console/deliveries/{id}/attempts/{n}/request", readers, c.attemptRequest},
		{"GET /console/deliveries/{id}/attempts/{n}/response", readers, c.attemptResponse},
		{"GET /console/deliveries/{id}/changes", readers, c.resendChanges},

		{"GET /console/deliveries/{id}/retry", retriers, c.deliveryActionForm(switchboard.ActionRetry)},
		{"POST /console/deliveries/{id}/retry", retriers, c.actOnDelivery(switchboard.ActionRetry)},
		{"GET /console/deliveries/{id}/cancel", operators, c.deliveryActionForm(switchboard.ActionCancel)},
		{"POST /console/deliveries/{id}/cancel", operators, c.actOnDelivery(switchboard.ActionCancel)},
		{"GET /console/deliveries/{id}/hold", operators, c.deliveryActionForm(switchboard.ActionHold)},
		{"POST /console/deliveries/{id}/hold", operators, c.actOnDelivery(switchboard.ActionHold)},
		{"GET /console/deliveries/{id}/release", operators, c.deliveryActionForm(switchboard.ActionRelease)},
		{"POST /console/deliveries/{id}/release", operators, c.actOnDelivery(switchboard.ActionRelease)},
		{"GET /console/deliveries/{id}/resend", supporters | integrators, c.resendForm},
		{"POST /console/deliveries/{id}/resend", supporters | integrators, c.resend},
	}
}

// liveSeconds is how often the page of an open delivery asks for what is new.
const liveSeconds = 2

// deliveryPage is a delivery as its page shows it.
type deliveryPage struct {
	client.Delivery
	Diagnosis    client.Diagnosis
	Next         nextLine
	Side         string // who can end it, in words; empty: nothing is wrong
	Live         int    // how often it asks for itself, in seconds; 0: it has ended
	List         string
	Alike        alikeLink
	Buttons      []actionButton
	Temporal     string // empty: there is no link
	Timeline     []timelineEntry
	Older        int    // so many attempts are older than those in it
	OlderLink    string // the timeline with all of them
	Facts        []fact
	Subscription *subscriptionFacts
	Endpoint     *subscriptionRow // how sending to it goes; nil: it is not read anew
	Copies       []resendLink
	Original     *resendLink
	Tickets      []ticket
	Related      *relatedDeliveries // nil: they are not read anew
}

// nextLine is what follows, with each of its causes once.
type nextLine struct {
	Text   string    // the beginning of a sentence that its time ends, or a whole one
	At     time.Time // zero: the text is a whole sentence
	Causes []string
}

// fact is something that is known of a delivery.
type fact struct {
	Name string
	Text string
	At   any // a time in place of the text; nil: it is none
	Link string
}

// alikeLink leads to the other deliveries that fail alike.
type alikeLink struct {
	Text    string // empty: there are none
	Address string
}

// subscriptionFacts are what the page says of the subscription.
type subscriptionFacts struct {
	Name    string
	Address string // empty: it is deleted
	State   string
	Version int
	Matched string // the pattern that takes the event; empty: none does by now
	URL     string
	Breaker string // in words; empty: it is closed
	Policy  string
}

// resendLink is another delivery of a resend.
type resendLink struct {
	ID      string
	Address string
	Changes string // the page that compares the two
	Changed string // what was changed, in words
}

// relatedDeliveries are those of the same event, and of events with the same key.
type relatedDeliveries struct {
	Event     []relatedDelivery
	EventLink string
	Key       []relatedDelivery
	KeyLink   string // empty: the event has no key
	Failed    string // why they could not be read
}

type relatedDelivery struct {
	ID      string
	Address string
	State   switchboard.State
	Text    string
	At      any
}

// delivery shows a delivery. A poll reads it and its subscription alone.
func (c *Console) delivery(v *visit) (answer, error) {
	if err := v.checkQuery(attemptsParameter); err != nil {
		return answer{}, err
	}
	attempts := v.request.URL.Query().Get(attemptsParameter)
	if attempts != "" && attempts != allAttempts {
		return answer{}, switchboard.InvalidField(attemptsParameter, "must be "+allAttempts)
	}
	d, err := v.api.GetDelivery(v.request.Context(), v.path("id"))
	if err != nil {
		return answer{}, err
	}
	sub, err := v.subscriptionOf(&d)
	if err != nil {
		return answer{}, err
	}
	shown := deliveryPageOf(&d, sub, looker{Session: v.session, link: v.absolute(linkDelivery(d.ID)), now: v.now, everything: attempts == allAttempts})
	if !v.isPoll() {
		var group sync.WaitGroup
		group.Go(func() { shown.Endpoint = v.endpointOf(sub) })
		shown.Related = v.relatedTo(&d)
		group.Wait()
	}
	return page("delivery", "Delivery "+short(d.ID), shown), nil
}

// subscriptionOf is the subscription of a delivery as it is now; nil: it is deleted.
func (v *visit) subscriptionOf(d *client.Delivery) (*client.Subscription, error) {
	if d.Subscription == nil || d.Subscription.Deleted {
		return nil, nil
	}
	sub, err := v.api.GetSubscription(v.request.Context(), d.SubscriptionID)
	switch {
	case switchboard.CodeOf(err) == switchboard.CodeNotFound: // it was deleted just now
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &sub, nil
}

// endpointOf is how sending to the subscription goes; nil: it is deleted, or that could not be read, which
// is no reason to fail.
func (v *visit) endpointOf(sub *client.Subscription) *subscriptionRow {
	if sub == nil {
		return nil
	}
	found, err := v.api.GetSubscription(v.request.Context(), sub.ID, client.IncludeHealth)
	if err != nil {
		return nil
	}
	row := subscriptionRowOf(found, v.now)
	return &row
}

// maxRelated is how many other deliveries of an event, and on each side of one of its key, are shown.
const maxRelated = 20

// relatedTo are the deliveries beside it, all asked for at a time. They are no reason to fail.
func (v *visit) relatedTo(d *client.Delivery) *relatedDeliveries {
	related := &relatedDeliveries{EventLink: linkEvent(d.EventID, d.Tenant)}
	ctx := v.request.Context()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		page, err := v.api.ListDeliveries(ctx, switchboard.DeliveryFilter{Tenant: d.Tenant, Event: d.EventID}, switchboard.PageRequest{Limit: maxRelated})
		related.Event = othersOfEvent(d, page.Items)
		return err
	})
	var later, earlier switchboard.Page[client.Event]
	if d.EventKey != "" {
		ofKey := switchboard.EventFilter{Tenant: d.Tenant, Key: d.EventKey}
		related.KeyLink = linkEvents(ofKey)
		before, after := ofKey, ofKey
		before.Before, after.After = d.CreatedAt, d.CreatedAt
		group.Go(func() (err error) { later, err = v.api.ListEvents(ctx, after, switchboard.PageRequest{}); return err })
		group.Go(func() (err error) {
			earlier, err = v.api.ListEvents(ctx, before, switchboard.PageRequest{Limit: nearEvents + 1})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		related.Failed = problemOf(v, err).Text
		return related
	}
	related.Key = othersOfKey(d, eventsAround(d, later.Items, earlier.Items))
	return related
}

// nearEvents is how many events of the same key are looked at after the delivery's, and before it.
const nearEvents = 3

// eventsAround are the nearest of the later and of the earlier events, newest first, without its own.
func eventsAround(d *client.Delivery, later, earlier []client.Event) []client.Event {
	isOwn := func(e client.Event) bool { return e.ID == d.EventID }
	later, earlier = slices.DeleteFunc(later, isOwn), slices.DeleteFunc(earlier, isOwn)
	return slices.Concat(later[max(0, len(later)-nearEvents):], earlier[:min(len(earlier), nearEvents)])
}

// othersOfEvent are the other deliveries of the same event.
func othersOfEvent(d *client.Delivery, found []client.Delivery) []relatedDelivery {
	var others []relatedDelivery
	for i := range found {
		if found[i].ID != d.ID {
			text := "to another subscription"
			if found[i].SubscriptionID == d.SubscriptionID {
				text = "to the same subscription"
			}
			others = append(others, relatedDelivery{found[i].ID, linkDelivery(found[i].ID), found[i].State, text, found[i].CreatedAt})
		}
	}
	return others
}

// othersOfKey are the deliveries to the same subscription of events with the same key.
func othersOfKey(d *client.Delivery, events []client.Event) []relatedDelivery {
	var others []relatedDelivery
	for i := range events {
		text := cmp.Or(map[bool]string{true: "later"}[events[i].CreatedAt.After(d.CreatedAt)], "earlier") + ": " + events[i].Type
		for _, other := range events[i].Deliveries {
			if other.SubscriptionID == d.SubscriptionID && other.ID != d.ID {
				others = append(others, relatedDelivery{other.ID, linkDelivery(other.ID), other.State, text, events[i].CreatedAt})
			}
		}
	}
	return others
}
