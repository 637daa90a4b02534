package switchboard

// Count is a number that was counted up to a bound.
type Count struct {
	Value int  `json:"value" doc:"The number, or the limit if more is true" example:"10000"`
	More  bool `json:"more" doc:"There are more than the counted ones"`
}

// MaxMatches is up to where the matches of a list are counted while a person waits.
const MaxMatches = 10_000

// Facet is a column of a delivery. The matches of a list are counted by its values.
type Facet string

// The facets.
const (
	FacetState        Facet = "state"
	FacetFailure      Facet = "failure"
	FacetHost         Facet = "host"
	FacetSubscription Facet = "subscription"
	FacetEventType    Facet = "event_type"
	FacetTenant       Facet = "tenant"
)

// AllFacets lists every facet. MaxFacets of them are counted at a time.
func AllFacets() []Facet {
	return []Facet{FacetState, FacetFailure, FacetHost, FacetSubscription, FacetEventType, FacetTenant}
}

const (
	// MaxFacets is how many facets are counted at a time.
	MaxFacets = 4
	// MaxFacetValues is how many values of a facet are shown, the most frequent first.
	MaxFacetValues = 20
)

// FacetValue is how many of the matches have that value. As the filter with the facet's name, it
// narrows the list to them.
type FacetValue struct {
	Value string `json:"value" example:"http_5xx"`
	Count int    `json:"count" example:"312"`
}

// Facets are the values of the newest matches of a list.
type Facets struct {
	Matches Count                  // that were checked, at most MaxMatches
	Values  map[Facet][]FacetValue // by facet, the most frequent first, at most MaxFacetValues
}
