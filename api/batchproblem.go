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
