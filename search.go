package switchboard

// SearchKind is the kind of a search hit.
type SearchKind string

// The kinds of hits.
const (
	HitDelivery     SearchKind = "delivery"
	HitEvent        SearchKind = "event"
	HitSubscription SearchKind = "subscription"
	HitOperation    SearchKind = "operation"
	HitEventKey     SearchKind = "event_key" // events have that key
	HitTenant       SearchKind = "tenant"
	HitHost         SearchKind = "host" // a subscription of the tenant sends there
)

// SearchKinds lists every kind of hits.
func SearchKinds() []SearchKind {
	return []SearchKind{HitDelivery, HitEvent, HitSubscription, HitOperation, HitEventKey, HitTenant, HitHost}
}

const (
	// MaxHits is how many hits a search has at most.
	MaxHits = 10
	// MinSearch is the shortest text of a search.
	MinSearch = 2
	// MaxSearch is the longest text of a search.
	MaxSearch = 255
)

// SearchHit is one object that a search found.
type SearchHit struct {
	Kind   SearchKind `json:"kind" enum:"delivery,event,subscription,operation,event_key,tenant,host" doc:"The kind of the thing"`
	ID     string     `json:"id,omitempty" doc:"Its id; keys, tenants and hosts have none" example:"dlv_01k0000000000000000000000"`
	Tenant string     `json:"tenant" doc:"The tenant that it belongs to" example:"acme"`
	Text   string     `json:"text" doc:"Its name: the event type of a delivery or an event, the name of a subscription, the action of an operation, the key, the tenant, or the host" example:"ticket.created"`
	Exact  bool       `json:"exact" doc:"true: it equals the searched text; false: it only begins with it"`
}
