package switchboard

// Count is how many there are, counted up to a bound.
type Count struct {
	Value int  `json:"value" doc:"How many there are, or the bound where more is true" example:"10000"`
	More  bool `json:"more" doc:"There are more than were counted"`
}

// MaxMatches is up to where the matches of a list are counted while somebody waits.
const MaxMatches = 10_000

// Facet is a column of a delivery by whose values the matches of a list are counted.
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

// FacetValue is how many of the matches have that value. Given as the filter of the facet's
// name, it narrows the list to them.
type FacetValue struct {
	Value string `json:"value" example:"http_5xx"`
	Count int    `json:"count" example:"312"`
}

// Facets are the values that the newest matches of a list have.
type Facets struct {
	Matches Count                  // that were looked at, at most MaxMatches
	Values  map[Facet][]FacetValue // by facet, the most frequent first, at most MaxFacetValues
}
