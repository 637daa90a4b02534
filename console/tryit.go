package console

import (
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

func (c *Console) tryItRoutes() []route {
	return []route{{"GET /console/try", operators, c.tryIt}}
}

// tryItWindow is how far back the page looks for actions and failures.
const tryItWindow = 24 * time.Hour

// tryItPage shows a support engineer's typical steps, on current failures.
type tryItPage struct {
	Steps []tryItStep
	Done  int
	Empty *emptyState // nothing fails
}

// tryItStep is one step, and where to do it.
type tryItStep struct {
	Title    string
	Text     string
	Address  string // empty: nothing to do it with now
	LinkText string
	Done     bool
}

// tryItData is the data for the page: the newest delivery in each state, if any, and the person's
// recent actions.
type tryItData struct {
	held, retrying, failed *client.Delivery
	actions                []switchboard.AuditEntry
}

// tryIt is the page for people who use the console for the first time.
func (c *Console) tryIt(v *visit) (answer, error) {
	if err := v.checkQuery(); err != nil {
		return answer{}, err
	}
	var data tryItData
	for _, wanted := range []struct {
		state switchboard.State
		into  **client.Delivery
	}{{switchboard.StateHeld, &data.held}, {switchboard.StateRetrying, &data.retrying}, {switchboard.StateFailed, &data.failed}} {
		filter := switchboard.DeliveryFilter{States: []switchboard.State{wanted.state}}
		found, err := v.api.ListDeliveries(v.request.Context(), filter, switchboard.PageRequest{Limit: 1})
		if err != nil {
			return answer{}, err
		}
		if len(found.Items) > 0 {
			*wanted.into = &found.Items[0]
		}
	}
	caller := v.session.Caller
	done, err := v.api.ListActions(v.request.Context(), switchboard.AuditFilter{Actor: caller.KeyID, Person: caller.Person, After: v.now.Add(-tryItWindow)}, switchboard.PageRequest{Limit: 100})
	if err != nil {
		return answer{}, err
	}
	data.actions = done.Items
	return page("tryit", "Try it", newTryItPage(&data)), nil
}

func newTryItPage(data *tryItData) tryItPage {
	steps := []tryItStep{
		{
			Title: "See what fails", Text: "The overview groups failures by host and kind: is it one customer, or everybody? If an endpoint fails again and again, its breaker opens, and its deliveries are held.",
			Address: Root, LinkText: "Overview, failing now",
		},
		{Title: "Read why", Text: "Each delivery says what happened, what happens next and when, who can end it, and what to do. Its attempts are below, with requests and responses.", LinkText: "A delivery that does not arrive"},
		{Title: "Send one again", Text: "A failed delivery starts again with all its attempts. Your reason is stored with your name.", LinkText: "Retry a failed delivery"},
		{Title: "Send all that failed", Text: "The plan counts first, and shows samples. Deliveries that are accepted later are not touched. Start it when the receiver works again; a delivery that fails again can be retried again.", LinkText: "Plan a retry of all that failed"},
		{Title: "Pause an endpoint", Text: "Nothing is sent to a paused subscription, and nothing is lost: its deliveries are held until it is resumed.", LinkText: "Pause a subscription"},
	}
	for _, d := range []*client.Delivery{data.failed, data.retrying, data.held} { // the last of them counts
		if d != nil {
			steps[1].Address, steps[4].Address = linkDelivery(d.ID), linkSubscriptionAction(d.SubscriptionID, string(switchboard.AuditPause))
		}
	}
	if d := data.retrying; d != nil { // its next attempt has a date, so there is more to read
		steps[1].Address = linkDelivery(d.ID)
	}
	if d := data.failed; d != nil {
		steps[2].Address = linkDeliveryAction(d.ID, string(switchboard.ActionRetry))
		steps[3].Address = linkPlan(switchboard.ActionRetry, switchboard.DeliveryFilter{Subscription: d.SubscriptionID, States: []switchboard.State{switchboard.StateFailed}}, "24h")
	}
	page := tryItPage{Steps: steps}
	for _, a := range data.actions {
		switch {
		case a.Kind == switchboard.AuditDelivery && a.Verb == switchboard.AuditRetry:
			steps[2].Done = true
		case a.Kind == switchboard.AuditOperation && a.Verb == switchboard.AuditStart:
			steps[3].Done = true
		case a.Kind == switchboard.AuditSubscription && a.Verb == switchboard.AuditPause:
			steps[4].Done = true
		}
	}
	// Looking leaves no trace, but a person who has acted has also looked.
	looked := steps[2].Done || steps[3].Done || steps[4].Done
	steps[0].Done, steps[1].Done = looked, looked
	for _, s := range steps {
		if s.Done {
			page.Done++
		}
	}
	if data.held == nil && data.retrying == nil && data.failed == nil {
		page.Empty = &emptyState{Text: "Nothing fails now, so there is nothing to try this with. The development stack has endpoints that fail on purpose: make run."}
	}
	return page
}
