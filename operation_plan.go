package switchboard

import (
	"math"
	"time"
)

// OperationRequest asks for an operation, or for its plan.
type OperationRequest struct {
	Action ActionKind
	Filter Selection
	Rate   float64 // items a second; 0: that of the action
	Reason string
}

// CheckRate refuses a rate that an operation cannot have.
func CheckRate(rate float64) error {
	if math.IsNaN(rate) || rate < MinOperationRate || rate > MaxOperationRate {
		return InvalidField("rate", "must be from %g to %g deliveries a second", MinOperationRate, MaxOperationRate)
	}
	return nil
}

// OperationPlan says what an operation would do. Until it is started nothing has changed.
type OperationPlan struct {
	Plan      string // starts the operation, for the caller that asked for it
	ExpiresAt time.Time
	Action    ActionKind
	Filter    Selection // as narrowed to what the caller may touch
	BoundID   string    // what was accepted later is not touched
	Rate      float64
	Count     PlanCount // that the action applies to
	Limit     int       // how many the caller may act on at once; 0: any number
	// Parts of the count, the largest first.
	ByState, ByFailure, BySubscription, ByTenant, ByEventType []PlanPart
	Excluded                                                  []PlanExclusion
	Sample                                                    []Delivery // the newest, the oldest and some between
	SampleEvents                                              []Event    // of a replay; without their data
}

// Duration is how long the operation takes at its rate.
func (p *OperationPlan) Duration() time.Duration {
	return time.Duration(float64(p.Count.Value) / p.Rate * float64(time.Second))
}

// PlanCount is a count, which is a lower bound where counting took too long.
type PlanCount struct {
	Value int  `json:"value" example:"3412"`
	Exact bool `json:"exact" doc:"false: there are at least so many; counting them all took too long"`
}

// PlanPart is a part of a count: of those with that value.
type PlanPart struct {
	Value string `json:"value" example:"http_5xx"`
	Count int    `json:"count" example:"3102"`
}

// PlanExclusion is what matches the filter and is left as it is.
type PlanExclusion struct {
	Why   string    `json:"why" example:"delivered: the filter has to name this state"`
	Count PlanCount `json:"count"`
}
