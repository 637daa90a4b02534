package api

import (
	"net/http"

	"github.com/seed-49a43567/switchboard"
)

// allRefused is the error of a batch of which no event was accepted: a client that looks at
// the status alone must not take it for done.
type allRefused struct {
	err     error
	results []batchResult
}

func (a *allRefused) Error() string { return a.err.Error() }
func (a *allRefused) Unwrap() error { return a.err }

func (a *allRefused) ProblemMembers() (members any, stored bool) {
	return problemMembers{Results: a.results}, false
}

// problemMembers are the members that errors of the resources add to their problems.
type problemMembers struct {
	EventID    string `json:"event_id,omitempty" doc:"Of a trigger that was accepted all the same: the id that waits for it again" example:"evt_01k0000000000000000000000"`
	DeliveryID string `json:"delivery_id,omitempty" doc:"Of a trigger that was accepted all the same" example:"dlv_01k0000000000000000000000"`
	Reason     string `json:"reason,omitempty" doc:"Why that delivery stands where it stands" example:"timeout"`

	Results []batchResult `json:"results,omitempty" nullable:"false" doc:"Of a batch of which no event was accepted: one for each event, as where some are"`
}

// refusedWhole is nil if one of the events was accepted. An event that may be accepted
// the next time says so for all of them.
func refusedWhole(results []batchResult) error {
	err := switchboard.Errorf(switchboard.CodeInvalid, "none of the events was accepted: results says why of each")
	for i := range results {
		p := results[i].Problem
		if p == nil {
			return nil
		}
		if p.Status >= http.StatusInternalServerError || p.Code == switchboard.CodeRateLimited {
			err = &switchboard.Error{Code: p.Code, Message: p.Detail}
		}
	}
	return &allRefused{err, results}
}
