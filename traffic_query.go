package switchboard

import (
	"slices"
	"time"
)

// TrafficBy is what the attempts of a group have in common.
type TrafficBy string

// What attempts are grouped by.
const (
	TrafficByOutcome      TrafficBy = "outcome"
	TrafficByFailure      TrafficBy = "failure"
	TrafficByStatusCode   TrafficBy = "status_code"
	TrafficByHost         TrafficBy = "host"
	TrafficBySubscription TrafficBy = "subscription"
)

const (
	// MaxTrafficPoints is how many steps an answer has at most.
	MaxTrafficPoints = 500
	// MaxTrafficGroups is how many groups an answer has at most.
	MaxTrafficGroups = 50
	// defaultTrafficPoints is how many steps there are at most if the step is not given: as many
	// bars as a screen shows.
	defaultTrafficPoints = 120
	defaultTrafficSpan   = 24 * time.Hour
)

// TrafficQuery asks for attempts from one time to another. A zero field is filled in by
// [TrafficQuery.Complete], or does not narrow.
type TrafficQuery struct {
	By           TrafficBy
	From         time.Time
	To           time.Time
	Step         time.Duration
	Tenant       string
	Subscription string
}

// PerSubscription reports whether only the rollup by subscription, of whole hours, has the answer
// for the caller: the other rollups have neither tenants nor hosts.
func (q *TrafficQuery) PerSubscription(caller Caller) bool {
	return q.Tenant != "" || q.Subscription != "" || q.By == TrafficByHost || q.By == TrafficBySubscription || !caller.Sees(OperatorTenant)
}

// Complete fills in missing fields, widens the time to whole steps, and refuses times that are no
// longer kept and answers that are too large. An error names the parameter.
func (q *TrafficQuery) Complete(caller Caller, now time.Time) error {
	if q.By == "" {
		q.By = TrafficByOutcome
	}
	if q.To.IsZero() {
		q.To = now
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-defaultTrafficSpan)
	}
	if !q.From.Before(q.To) {
		return InvalidField("from", "must be before to")
	}
	if q.To.After(now.Add(HourTrafficKept)) {
		return InvalidField("to", "is too far in the future")
	}
	if err := q.completeStep(caller, now); err != nil {
		return err
	}
	q.From, q.To = q.From.UTC().Truncate(q.Step), q.To.UTC().Add(q.Step-1).Truncate(q.Step)
	if points := q.To.Sub(q.From) / q.Step; points > MaxTrafficPoints {
		return InvalidField("step", "gives %d points from %s to %s; at most %d are possible: make it longer, or the time shorter",
			points, q.From.Format(time.RFC3339), q.To.Format(time.RFC3339), MaxTrafficPoints)
	}
	return nil
}

// completeStep checks the step, or chooses one, among those that are kept for that time.
func (q *TrafficQuery) completeStep(caller Caller, now time.Time) error {
	shortest, kept, what := time.Minute, HourTrafficKept, "attempts"
	switch {
	case q.PerSubscription(caller):
		shortest, kept, what = time.Hour, SubscriptionTrafficKept, "attempts by tenant, subscription or host"
	case q.From.Before(now.Add(-MinuteTrafficKept)):
		shortest = time.Hour
	}
	if q.From.Before(now.Add(-kept - time.Hour)) { // the time of the request itself does not count
		return InvalidField("from", "is too early: %s are kept for %d days", what, kept/(24*time.Hour))
	}
	steps := []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}
	switch {
	case q.Step == 0:
		i := slices.IndexFunc(steps, func(step time.Duration) bool {
			return step >= shortest && q.To.Sub(q.From) <= defaultTrafficPoints*step
		})
		if i < 0 {
			i = len(steps) - 1
		}
		q.Step = steps[i]
	case q.Step < shortest && shortest == time.Hour && !q.PerSubscription(caller):
		return InvalidField("step", "must be at least 1h for a time before %s: shorter steps are kept for 48 hours", now.Add(-MinuteTrafficKept).UTC().Format(time.RFC3339))
	case q.Step < shortest && shortest == time.Hour:
		return InvalidField("step", "must be at least 1h by tenant, subscription or host")
	case q.Step < time.Hour && (q.Step%time.Minute != 0 || time.Hour%q.Step != 0), q.Step >= time.Hour && q.Step%time.Hour != 0, q.Step < 0:
		return InvalidField("step", "must be whole minutes of which an hour is a multiple, as 1m, 5m or 15m, or whole hours, as 6h or 1d")
	}
	return nil
}
