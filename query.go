package switchboard

import "time"

// StuckAfter is how long after the date of its next attempt a delivery counts as overdue. It
// is longer than the longest attempt, so that a running attempt does not count.
const StuckAfter = time.Duration(MaxTimeout) + 15*time.Second

// Limits of a page.
const (
	DefaultPage = 50
	MaxPage     = 250
)

// PageRequest asks for one page of a list.
type PageRequest struct {
	Limit  int    // 0: DefaultPage
	Cursor string // NextCursor of the page before; empty: the first page
	Count  bool   // how many match is asked for too, where the list can say so
}

// Page is one page of a list, newest first.
type Page[T any] struct {
	Items      []T
	NextCursor string // empty: this is the last page
	// SearchedTo is how far back in time the list was searched, where no index finds the
	// matches and the time for it was used up: older ones may follow, even if the page has
	// none. Zero: the page is complete.
	SearchedTo time.Time
	// Count is how many match; nil: it was not asked for, or could not be counted in time.
	Count *Count
}

// EventFilter narrows a list of events. A zero field does not narrow.
type EventFilter struct {
	Tenant string
	Type   string
	Key    string
	After  time.Time // created at or after
	Before time.Time // created before
}

// DeliveryFilter narrows a list of deliveries. A zero field does not narrow.
type DeliveryFilter struct {
	IDs          []string // just these, MaxPage at most
	Tenant       string
	Subscription string
	Event        string
	EventType    string
	States       []State
	Failure      Failure // of the last attempt
	StatusCode   int     // of the last attempt
	Host         string
	After        time.Time // created at or after
	Before       time.Time // created before
	Stuck        bool      // the date of its next attempt is more than StuckAfter ago, whether its workflow was started or not
	Text         string    // part of an id, event type, host or reason, in any case
}

// SubscriptionFilter narrows a list of subscriptions. A zero field does not narrow.
type SubscriptionFilter struct {
	Tenant    string
	State     SubscriptionState
	EventType string // that it takes, by its patterns
	Failing   *bool  // whether the breaker is not closed, or the last [FailingAfter] attempts have failed
	Text      string // part of an id, name, tenant or host, in any case
}

// Acceptance is the result of posting one event.
type Acceptance struct {
	Event      Event // as stored; of a duplicate, as it was stored the first time
	Duplicate  bool  // the same id with the same type, key and value of data was accepted before
	Deliveries []Delivery
	Differs    []string // fields in which a duplicate differs from the first: "data" in other bytes of the same value, "type" in another case, or "occurred_at"
	Err        error    // CodeConflict: the same id with another type, key or value of data; nothing was stored
	Undecided  []string // subscriptions that get the event because their filter's budget was used up before the answer was known
}

// LoadedDelivery is all that an attempt needs: the delivery, its event, and the
// subscription as it is now, with its secrets and the health of its endpoint.
type LoadedDelivery struct {
	Delivery     Delivery
	Event        Event
	Subscription Subscription
	Health       Health

	// Overrides are those of a resend, which are not applied yet; nil: there are none.
	Overrides *Overrides
	// Body takes the place of the rendered one, with the bytes of a resend; nil: it does not.
	Body *string
	// Elsewhere says that it is a resend to another address than the subscription's: what is seen
	// there says nothing of the subscription's endpoint.
	Elsewhere bool
	// Withdrawn says that the operation that has it sent is cancelled: it is not to be sent.
	Withdrawn bool
}

// EventDetail is an event with its deliveries.
type EventDetail struct {
	Event      Event // in a list without its data
	Deliveries []Delivery
}

// DeliveryDetail is a delivery with its history.
type DeliveryDetail struct {
	Delivery Delivery
	Attempts []Attempt // in order of their numbers
	Actions  []Action  // in order of time
	Health   Health    // of its endpoint, if it is held; else zero
	ResendOf string    // the delivery that it is a copy of; empty: of none
	Changed  []string  // what that resend has changed: url, headers, body, timeout
	ResentAs []string  // its copies, in order of time
	// Subscription is that of the delivery as it is now, deleted or not, without its signing secrets.
	Subscription Subscription
	SecretMadeAt time.Time // when its current signing secret was made; zero: it has none
	Event        Event     // without its data
	Alike        *Alike    // nil: they were not counted
	ReadAt       time.Time // when all of this was read
}

// TenantUsage says where a tenant is named. There is no list of tenants.
type TenantUsage struct {
	Known      bool     // an event, a subscription or a key names it
	EventTypes []string // of its last events, as they were posted
	Keyless    []string // those of them of which no event had a key
}

// Stats counts what is open, for metrics.
type Stats struct {
	Open         map[State]int  // deliveries in each state that is not final
	Overdue      int            // deliveries that are stuck, as DeliveryFilter.Stuck has it
	RelayBacklog int            // deliveries whose workflow should be started by now and is not, and cancelled ones whose workflow is due to be ended
	Breakers     map[string]int // breakers that are open or half open, by the last failure
	RelayOldest  time.Duration  // how long the one that has waited longest for its workflow is late; 0: there is none
	Oldest       string         // the open delivery that was accepted first; empty: none is open
}

// FlowStats counts what may not be sent now, and why, for metrics.
type FlowStats struct {
	Parked           []ParkedStats
	HoldsEnding      int           // parked deliveries whose hold ends, and which fail, within [HoldsEndingWithin]
	BreakerOldest    time.Duration // how long ago the breaker that has been open longest opened; 0: none is open
	Deferred         int           // subscriptions whose receiver asked to wait
	Slow             int           // subscriptions whose endpoint is slow
	Operations       int           // that run
	OperationStalled time.Duration // the longest time since the last step of one that runs, beyond the date of its next step
	RollupLag        time.Duration // how old the latest count of attempts is, or how late that of an hour that is over
}

// HoldsEndingWithin is how long before the end of a hold it is counted as ending: time enough to
// repair the receiver, and to resume its subscription.
const HoldsEndingWithin = 24 * time.Hour

// ParkedStats counts the deliveries that are parked for one reason.
type ParkedStats struct {
	State  State
	Reason string
	Count  int
	Oldest time.Duration // how long the one that has been parked longest is so
}
