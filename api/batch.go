package api

import (
	"cmp"
	"context"
	"net/http"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
	"github.com/seed-49a43567/switchboard/ingest"
)

type batchInput struct {
	Events []rest.Raw[eventInput] `json:"events" nullable:"false" minItems:"1" maxItems:"1000" doc:"The events, in order"`
}

// batchResults has one result per event, in the order of the events.
type batchResults struct {
	Results []batchResult `json:"results" nullable:"false" doc:"One result for each event, in the order of the events"`
}

type batchResult struct {
	Status     string         `json:"status" enum:"accepted,duplicate,error" doc:"The outcome for the event"`
	ID         string         `json:"id" doc:"The event's id; for an error, the id from the post"`
	Duplicate  bool           `json:"duplicate"`
	Deliveries []acceptedPart `json:"deliveries" nullable:"false"`
	Warnings   []string       `json:"warnings,omitempty" nullable:"false" doc:"Warnings about the accepted event, as for a single event"`
	Problem    *rest.Problem  `json:"problem,omitempty" doc:"Why this event was not stored; its field is relative to the event"`
}

type postBatchInput struct{ payload[batchInput] }

func (s *server) postBatch(ctx context.Context, caller switchboard.Caller, in *postBatchInput) (*reply[batchResults], error) {
	if len(in.JSON.Events) == 0 {
		return nil, switchboard.InvalidField("events", "is required")
	}
	// Events that cannot be decoded are refused here. positions holds the positions of the others.
	results := make([]batchResult, len(in.JSON.Events))
	events, ids, positions := make([]switchboard.Event, 0, len(results)), make([]string, 0, len(results)), make([]int, 0, len(results))
	for i, raw := range in.JSON.Events {
		posted, err := raw.Decode()
		if err != nil {
			results[i] = failed(posted.ID, rest.ProblemOf(err, rest.RequestID(ctx)))
			continue
		}
		e := posted.event()
		e.ID = cmp.Or(e.ID, rest.EventID(ctx, i))
		events, ids, positions = append(events, e), append(ids, posted.ID), append(positions, i)
	}
	taken, err := s.ingest.Accept(ctx, caller, events)
	if err != nil {
		return nil, err
	}
	logWarnings(ctx, taken)
	for i := range taken {
		results[positions[i]] = resultOf(&taken[i], ids[i], rest.RequestID(ctx))
	}
	if err := checkAllRefused(results); err != nil {
		return nil, err
	}
	return &reply[batchResults]{Body: batchResults{results}}, nil
}

func resultOf(r *ingest.Result, postedID, requestID string) batchResult {
	if r.Err != nil {
		return failed(postedID, rest.ProblemOf(r.Err, requestID))
	}
	status := "accepted"
	if r.Duplicate {
		status = "duplicate"
	}
	answer := acceptanceOf(r)
	return batchResult{Status: status, ID: answer.ID, Duplicate: answer.Duplicate, Deliveries: answer.Deliveries, Warnings: answer.Warnings}
}

func failed(id string, p *rest.Problem) batchResult {
	return batchResult{Status: "error", ID: id, Deliveries: []acceptedPart{}, Problem: p}
}

// allRefusedError is the error of a batch in which every event was refused. Without it, a client
// that only looks at the status would take the batch for accepted.
type allRefusedError struct {
	err     error
	results []batchResult
}

func (e *allRefusedError) Error() string { return e.err.Error() }
func (e *allRefusedError) Unwrap() error { return e.err }

func (e *allRefusedError) ProblemMembers() (members any, stored bool) {
	return problemMembers{Results: e.results}, false
}

// problemMembers are the members that errors of the resources add to their problems.
type problemMembers struct {
	EventID    string `json:"event_id,omitempty" doc:"For a trigger that was accepted although this is an error: the id with which to wait again" example:"evt_01k0000000000000000000000"`
	DeliveryID string `json:"delivery_id,omitempty" doc:"For a trigger that was accepted although this is an error: its delivery" example:"dlv_01k0000000000000000000000"`
	Reason     string `json:"reason,omitempty" doc:"Why the delivery has its state" example:"timeout"`

	Current *switchboard.Standing `json:"current,omitempty" doc:"If the delivery's state does not allow the action, or is not the expected one: its actual state"`

	Results []batchResult `json:"results,omitempty" nullable:"false" doc:"For a batch without any accepted event: one result for each event, as in other answers"`
}

// checkAllRefused returns an error if no event was accepted. If one of the events may be accepted
// next time, the error has the code of that event's error.
func checkAllRefused(results []batchResult) error {
	err := switchboard.Errorf(switchboard.CodeInvalid, "none of the events was accepted: results says why for each")
	for i := range results {
		p := results[i].Problem
		if p == nil {
			return nil
		}
		if p.Status >= http.StatusInternalServerError || p.Code == switchboard.CodeRateLimited {
			err = &switchboard.Error{Code: p.Code, Message: p.Detail}
		}
	}
	return &allRefusedError{err, results}
}
