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

// liveSeconds is the interval at which the page of an open delivery updates itself.
const liveSeconds = 2

// deliveryPage is the page of a delivery.
type deliveryPage struct {
	client.Delivery
	Diagnosis    client.Diagnosis
	Next         nextLine
	Side         string // who can end the failure, in words; empty: nothing is wrong
	Live         int    // interval of its updates in seconds; 0: the delivery has ended
	List         string
	Alike        alikeLink
	Buttons      []actionButton
	Temporal     string // empty: no link
	Timeline     []timelineEntry
	Older        int    // number of attempts older than those in the timeline
	OlderLink    string // the timeline with all of them
	Facts        []fact
	Subscription *subscriptionFacts
	Endpoint     *subscriptionRow // how sending to it goes; nil: not read again
	Copies       []resendLink
	Original     *resendLink
	Tickets      []ticket
	Related      *relatedDeliveries // nil: not read again
}

// nextLine says what follows, and names each cause once.
type nextLine struct {
	Text   string    // a whole sentence, or its beginning if it ends with a time
	At     time.Time // zero: the text is a whole sentence
	Causes []string
}

// fact is a known property of a delivery.
type fact struct {
	Name string
	Text string
	At   any // a time instead of the text; nil: none
	Link string
}

// alikeLink leads to the other deliveries with the same failure.
type alikeLink struct {
	Text    string // empty: none
	Address string
}

// subscriptionFacts is what the page says about the subscription.
type subscriptionFacts struct {
	Name    string
	Address string // empty: deleted
	State   string
	Version int
	Matched string // the pattern that matches the event; empty: no current one does
	URL     string
	Breaker string // in words; empty: closed
	Policy  string
}

// resendLink leads to the original or to a copy of a resend.
type resendLink struct {
	ID      string
	Address string
	Changes string // the page that compares the two
	Changed string // the changes in words
}

// relatedDeliveries are deliveries of the same event, and of events with the same key.
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

// delivery shows a delivery. For an update it only reads the delivery and its subscription.
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

// subscriptionOf returns the current subscription of a delivery; nil: it is deleted.
func (v *visit) subscriptionOf(d *client.Delivery) (*client.Subscription, error) {
	if d.Subscription == nil || d.Subscription.Deleted {
		return nil, nil
	}
	sub, err := v.api.GetSubscription(v.request.Context(), d.SubscriptionID)
	switch {
	case switchboard.CodeOf(err) == switchboard.CodeNotFound: // it has just been deleted
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &sub, nil
}

// endpointOf says how sending to the subscription goes. nil: the subscription is deleted or could
// not be read; the page is still shown.
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

// maxRelated is how many other deliveries of an event are shown, and how many on each side of an
// event of the same key.
const maxRelated = 20

// relatedTo returns related deliveries, all requested at once. If they cannot be read, the page is
// still shown.
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

// nearEvents is how many events of the same key are searched after the delivery's event, and before
// it.
const nearEvents = 3

// eventsAround returns the nearest later and earlier events, newest first, without the delivery's
// own.
func eventsAround(d *client.Delivery, later, earlier []client.Event) []client.Event {
	isOwn := func(e client.Event) bool { return e.ID == d.EventID }
	later, earlier = slices.DeleteFunc(later, isOwn), slices.DeleteFunc(earlier, isOwn)
	return slices.Concat(later[max(0, len(later)-nearEvents):], earlier[:min(len(earlier), nearEvents)])
}

// othersOfEvent returns the other deliveries of the same event.
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

// othersOfKey returns the deliveries to the same subscription of events with the same key.
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
