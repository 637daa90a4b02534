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
	Count  bool   // whether to count the matches too, if the list can
}

// Page is one page of a list, newest first.
type Page[T any] struct {
	Items      []T
	NextCursor string // empty: this is the last page
	// SearchedTo is how far back in time the list was searched, if no index finds the matches and
	// the time was used up: older matches may follow, even if the page has none. Zero: the page is
	// complete.
	SearchedTo time.Time
	// Count is the number of matches; nil: it was not asked for, or could not be counted in time.
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
	IDs          []string // only these, at most MaxPage
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
	Stuck        bool      // the date of its next attempt is more than StuckAfter ago, whether or not its workflow was started
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

// LoadedDelivery has everything that an attempt needs: the delivery, its event, and the current
// subscription, with its secrets and the health of its endpoint.
type LoadedDelivery struct {
	Delivery     Delivery
	Event        Event
	Subscription Subscription
	Health       Health

	// Overrides are those of a resend, not applied yet; nil: none.
	Overrides *Overrides
	// Body replaces the rendered body with that of a resend; nil: it does not.
	Body *string
	// Elsewhere means that this is a resend to another address than the subscription's: its outcome
	// says nothing of the subscription's endpoint.
	Elsewhere bool
	// Withdrawn means that the operation that sends it is cancelled: it must not be sent.
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
	Health   Health    // of its endpoint, if it is held; otherwise zero
	ResendOf string    // the original of this copy; empty: it is no copy
	Changed  []string  // the changes of that resend: url, headers, body, timeout
	ResentAs []string  // its copies, in order of time
	// Subscription is the delivery's current subscription, deleted or not, without its signing
	// secrets.
	Subscription Subscription
	SecretMadeAt time.Time // when its current signing secret was made; zero: it has none
	Event        Event     // without its data
	Alike        *Alike    // nil: not counted
	ReadAt       time.Time // when all of this was read
}

// TenantUsage says where a tenant is used. There is no list of tenants.
type TenantUsage struct {
	Known      bool     // an event, a subscription or a key names it
	EventTypes []string // of its last events, as they were posted
	Keyless    []string // types without a key in any of those events
}

// Stats counts what is open, for metrics.
type Stats struct {
	Open         map[State]int  // deliveries in each state that is not final
	Overdue      int            // as in DeliveryFilter.Stuck
	RelayBacklog int            // deliveries whose workflow should have been started by now, and cancelled ones whose workflow should have been ended
	Breakers     map[string]int // open or half open breakers, by the last failure
	RelayOldest  time.Duration  // how late the workflow start that has waited longest is; 0: none waits
	Oldest       string         // the open delivery that was accepted first; empty: none is open
}

// FlowStats counts what may not be sent now, and why, for metrics.
type FlowStats struct {
	Parked           []ParkedStats
	HoldsEnding      int           // parked deliveries whose hold ends within [HoldsEndingWithin], so that they fail
	BreakerOldest    time.Duration // how long the breaker that opened first has been open; 0: none is open
	Deferred         int           // subscriptions whose receiver asked to wait
	Slow             int           // subscriptions whose endpoint is slow
	Operations       int           // running operations
	OperationStalled time.Duration // the longest time since the last step of a running one, beyond the date of its next step
	RollupLag        time.Duration // age of the latest count of attempts, or the delay of a past hour's count
}

// HoldsEndingWithin is how long before its end a hold is counted as ending: enough time to repair
// the receiver and to resume its subscription.
const HoldsEndingWithin = 24 * time.Hour

// ParkedStats counts the deliveries that are parked for one reason.
type ParkedStats struct {
	State  State
	Reason string
	Count  int
	Oldest time.Duration // how long the one that was parked first has been parked
}
