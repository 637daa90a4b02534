package switchboard

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// Selection is the set of deliveries of an operation, or of events of a replay. Its members have
// the names of the filters of lists. A zero field does not narrow.
type Selection struct {
	IDs          []string  `json:"id,omitempty" nullable:"false" maxItems:"250" doc:"Only deliveries with these ids" example:"[\"dlv_01k0000000000000000000000\"]"`
	Tenant       string    `json:"tenant,omitempty" doc:"Only this tenant" example:"acme"`
	Subscription string    `json:"subscription,omitempty" doc:"Only deliveries to this subscription. For a replay: the subscription that gets the events; required" example:"sub_01k0000000000000000000000"`
	Event        string    `json:"event,omitempty" doc:"Only deliveries of this event; for a replay, only this event" example:"evt_01k0000000000000000000000"`
	EventType    string    `json:"event_type,omitempty" doc:"Only this event type; case does not matter" example:"ticket.created"`
	Key          string    `json:"key,omitempty" doc:"Only events with this key; only for a replay" example:"ticket-4711"`
	States       []State   `json:"state,omitempty" nullable:"false" doc:"Only these states. Default: retrying and failed for a retry, held for a release, and for the others every state that they apply to" example:"[\"failed\"]"`
	Failure      Failure   `json:"failure,omitempty" doc:"Only with this failure of the last attempt, such as timeout or http_5xx" example:"http_5xx"`
	StatusCode   int       `json:"status_code,omitempty" doc:"Only with this status code of the last attempt" example:"503"`
	Host         string    `json:"host,omitempty" doc:"Only deliveries to this host; with a port, only to that port" example:"crm.example.com"`
	After        time.Time `json:"after,omitzero" doc:"Only accepted at or after this time"`
	Before       time.Time `json:"before,omitzero" doc:"Only accepted before this time"`
	Stuck        bool      `json:"stuck,omitempty" doc:"Only overdue deliveries"`
	Text         string    `json:"text,omitempty" maxLength:"200" doc:"Only with this text in an id, the event type, the host or the reason; case does not matter"`
}

const maxSearchText = 200

// Deliveries returns the filter of a list with the same deliveries, in the states that the
// operation handles.
func (s *Selection) Deliveries(action ActionKind) DeliveryFilter {
	return DeliveryFilter{
		IDs: s.IDs, Tenant: s.Tenant, Subscription: s.Subscription, Event: s.Event, EventType: strings.ToLower(s.EventType), States: s.StatesFor(action), Failure: s.Failure,
		StatusCode: s.StatusCode, Host: strings.ToLower(s.Host), After: s.After, Before: s.Before, Stuck: s.Stuck, Text: s.Text,
	}
}

// IsEmpty reports whether nothing narrows the selection.
func (s *Selection) IsEmpty() bool { return reflect.ValueOf(*s).IsZero() }

// StatesFor returns the states of the deliveries that an operation with that action handles.
func (s *Selection) StatesFor(action ActionKind) []State {
	return slices.DeleteFunc(States(), func(state State) bool {
		if len(s.States) == 0 {
			return !action.takes(state)
		}
		return !slices.Contains(s.States, state) || !action.applies(state)
	})
}

// OperationActions lists the actions of people's operations.
func OperationActions() []ActionKind {
	return []ActionKind{ActionRetry, ActionCancel, ActionHold, ActionRelease, ActionReplay}
}

// Sends reports whether the action sends deliveries.
func (k ActionKind) Sends() bool { return k == ActionRetry || k == ActionRelease || k == ActionReplay }

// OperationRate returns the default rate of an operation with that action, in deliveries a second.
func (k ActionKind) OperationRate() float64 {
	if k.Sends() {
		return SendRate
	}
	return MaxOperationRate
}

// applies reports whether the action changes a delivery in that state, as in the lifecycle.
func (k ActionKind) applies(state State) bool {
	now := time.Unix(1, 0)
	d := Delivery{State: state, Reason: "reason", NextAttemptAt: now.Add(time.Second)}
	before := d
	var err error
	switch k {
	case ActionRetry:
		err = d.Retry(now, now, Obstacles{})
	case ActionCancel:
		err = d.Cancel(now, ReasonOperator, now)
	case ActionHold:
		err = d.SetAside(now, held(ReasonOperator, ""), now)
	case ActionRelease:
		err = d.Release(now, now, Admission{Kind: AdmissionSend})
	}
	return err == nil && d != before
}

// takes reports whether an operation handles deliveries in that state if its filter names none. A
// retry then handles only retrying and failed ones: the receiver has the delivered ones, and somebody
// may have stopped the others.
func (k ActionKind) takes(state State) bool {
	switch k {
	case ActionRetry:
		return state == StateRetrying || state == StateFailed
	case ActionRelease:
		return state == StateHeld
	}
	return k.applies(state)
}

// WhyNot says why an operation does not handle deliveries in that state.
func (s *Selection) WhyNot(action ActionKind, state State) string {
	if action.applies(state) {
		return string(state) + ": the filter has to name this state"
	}
	return string(state) + ": a " + string(action) + " does not apply to this state"
}

// Check refuses a selection that makes no sense for the action, with the path of the member.
func (s *Selection) Check(action ActionKind) error {
	if !slices.Contains(OperationActions(), action) {
		return InvalidField("action", "is unknown; known: %s", JoinWords(OperationActions()))
	}
	if s.IsEmpty() {
		return InvalidField("filter", "is empty: it would be about everything; narrow it by tenant, subscription, host, time or another member")
	}
	for _, state := range s.States {
		if !state.Valid() {
			return InvalidField("filter.state", "has an unknown state; known: %s", JoinWords(States()))
		}
	}
	switch {
	case s.Failure != "" && !slices.Contains(Failures(), s.Failure):
		return InvalidField("filter.failure", "is unknown; known: %s", JoinWords(Failures()))
	case s.StatusCode != 0 && (s.StatusCode < 100 || s.StatusCode > 599):
		return InvalidField("filter.status_code", "must be from 100 to 599")
	case len(s.IDs) > MaxPage:
		return InvalidField("filter.id", "has more than %d ids", MaxPage)
	case LongerThan(s.Text, maxSearchText):
		return InvalidField("filter.text", "is longer than %d characters", maxSearchText)
	case !s.After.IsZero() && !s.Before.IsZero() && !s.After.Before(s.Before):
		return InvalidField("filter.before", "is not later than after")
	case action == ActionReplay:
		return s.checkReplay()
	case s.Key != "":
		return InvalidField("filter.key", "is of events, and only a replay is about those")
	case len(s.StatesFor(action)) == 0:
		return InvalidField("filter.state", "has no state that a %s applies to", action)
	}
	return nil
}

// checkReplay refuses members that only deliveries have.
func (s *Selection) checkReplay() error {
	if s.Subscription == "" {
		return InvalidField("filter.subscription", "is required: it gets the events")
	}
	for _, member := range []struct {
		name  string
		given bool
	}{{"id", len(s.IDs) > 0}, {"state", len(s.States) > 0}, {"failure", s.Failure != ""}, {"status_code", s.StatusCode != 0}, {"host", s.Host != ""}, {"stuck", s.Stuck}, {"text", s.Text != ""}} {
		if member.given {
			return InvalidField("filter."+member.name, "is of deliveries, and a replay is about events")
		}
	}
	return nil
}
