package faults

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const (
	// inFlow is the maximum time from the post to the arrival of a healthy endpoint's event if
	// nothing is wrong: a hundred times the usual, for a busy machine.
	inFlow = 2 * time.Second
	// flowSpan is how long every event must have been in flow.
	flowSpan = 3 * time.Second
)

// outcome is what happened to the events that were posted during one fault.
type outcome struct {
	Fault   string  `json:"fault"`
	What    string  `json:"what"`
	Seconds float64 `json:"seconds"` // how long it lasted

	Accepted   int `json:"accepted"`   // events that were answered 202
	Delivered  int `json:"delivered"`  // of these, those at their receiver
	Lost       int `json:"lost"`       // of these, those that are missing
	Duplicates int `json:"duplicates"` // requests after one that the receiver had accepted

	// Undated are deliveries that `switchboard verify` found without a next date, end or workflow.
	// Violations are everything that it found, including these.
	Undated    int                     `json:"undated"`
	Violations []switchboard.Violation `json:"violations,omitempty"`
	Unchecked  []switchboard.Violation `json:"unchecked,omitempty"`

	// Times from the end of the fault. Flow: until the first event after which all events of
	// healthy endpoints arrive in time. All: until the last accepted event has arrived. Clean:
	// until a verification found every promise kept.
	Flow  float64 `json:"seconds_until_flow"`
	All   float64 `json:"seconds_until_all"`
	Clean float64 `json:"seconds_until_clean"`

	// Ended is how often processes ended, whether the fault killed them or they gave up.
	Ended map[string]int `json:"ended,omitempty"`
	// Failed says why the fault could not be caused or did not pass; empty: neither.
	Failed string `json:"failed,omitempty"`

	ended  time.Time
	events []posted
}

// undatedChecks are the checks of `switchboard verify` for states that would never end.
var undatedChecks = []string{"undated", "parked_without_reason", "parked_without_end", "delivery_without_workflow", "breaker_without_probe", "blocked_by_none", "held_without_cause"}

// count counts what happened to the events, according to what their receivers have seen so far.
func (o *outcome) count(seen *arrivals) {
	o.Accepted, o.Delivered, o.Duplicates, o.All = 0, 0, 0, 0
	for _, event := range o.events {
		if event.accepted.IsZero() {
			continue
		}
		o.Accepted++
		found := seen.of(event.id)
		if found.good == 0 {
			continue
		}
		o.Delivered++
		o.Duplicates += found.good - 1
		o.All = max(o.All, found.first.Sub(o.ended).Seconds())
	}
	o.Lost = o.Accepted - o.Delivered
}

// report adds the results of a verification.
func (o *outcome) report(found switchboard.VerifyReport) {
	o.Violations, o.Unchecked, o.Undated = found.Violations, found.Unchecked, 0
	for _, violation := range found.Violations {
		if slices.Contains(undatedChecks, violation.Check) {
			o.Undated++
		}
	}
}

// err returns what is wrong with the outcome. Duplicates are not wrong.
func (o *outcome) err() error {
	var errs []error
	if o.Failed != "" {
		errs = append(errs, errors.New(o.Failed))
	}
	if o.Accepted == 0 {
		errs = append(errs, errors.New("nothing was accepted, so that nothing was tried"))
	}
	if o.Lost > 0 {
		errs = append(errs, fmt.Errorf("%d events were accepted and did not arrive", o.Lost))
	}
	if n := len(o.Violations); n > 0 {
		errs = append(errs, fmt.Errorf("switchboard verify found %d broken promises, the first is %+v", n, o.Violations[0]))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s: %w", o.Fault, err)
	}
	return nil
}

// flow returns how long after the end of a fault events flow again, as far as is known now. settled
// says that they have flowed for long enough.
func flow(ended, now time.Time, events []posted, arrived func(id string) time.Time) (after time.Duration, settled bool) {
	since, last, late := ended, ended, false
	for _, event := range events {
		if event.at.Before(ended) {
			continue
		}
		at := arrived(event.id)
		if at.IsZero() && now.Sub(event.at) <= inFlow {
			break // it may still come in time; later events are checked when that is known
		}
		switch inTime := !at.IsZero() && at.Sub(event.at) <= inFlow; {
		case !inTime:
			late = true
		case late:
			since, late = event.at, false
		}
		last = event.at
	}
	return since.Sub(ended), !late && last.Sub(since) >= flowSpan
}
