package switchboard

import (
	"math"
	"time"
)

// OperationRequest asks for an operation, or for its plan.
type OperationRequest struct {
	Action ActionKind
	Filter Selection
	Rate   float64 // items a second; 0: the default of the action
	Reason string
}

// CheckRate refuses a rate that an operation cannot have.
func CheckRate(rate float64) error {
	if math.IsNaN(rate) || rate < MinOperationRate || rate > MaxOperationRate {
		return InvalidField("rate", "must be from %g to %g deliveries a second", MinOperationRate, MaxOperationRate)
	}
	return nil
}

// OperationPlan says what an operation would do. Nothing changes until it is started.
type OperationPlan struct {
	Plan      string // starts the operation, for the caller that asked for it
	ExpiresAt time.Time
	Action    ActionKind
	Filter    Selection // narrowed to what the caller may act on
	BoundID   string    // later deliveries are not included
	Rate      float64
	Count     PlanCount // matches that the action applies to
	Limit     int       // how many the caller may act on at once; 0: any number
	// Parts of the count, the largest first.
	ByState, ByFailure, BySubscription, ByTenant, ByEventType []PlanPart
	Excluded                                                  []PlanExclusion
	Sample                                                    []Delivery // the newest, the oldest and some between them
	SampleEvents                                              []Event    // of a replay; without their data
}

// Duration returns how long the operation takes at its rate.
func (p *OperationPlan) Duration() time.Duration {
	return time.Duration(float64(p.Count.Value) / p.Rate * float64(time.Second))
}

// PlanCount is a count. It is a lower bound if counting took too long.
type PlanCount struct {
	Value int  `json:"value" example:"3412"`
	Exact bool `json:"exact" doc:"false: there are at least so many; counting them all took too long"`
}

// PlanPart is the part of a count with that value.
type PlanPart struct {
	Value string `json:"value" example:"http_5xx"`
	Count int    `json:"count" example:"3102"`
}

// PlanExclusion counts matches of the filter that the operation leaves as they are.
type PlanExclusion struct {
	Why   string    `json:"why" example:"delivered: the filter has to name this state"`
	Count PlanCount `json:"count"`
}
