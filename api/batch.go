package api

import (
	"cmp"
	"context"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

type batchInput struct {
	Events []rest.Raw[eventInput] `json:"events" nullable:"false" minItems:"1" maxItems:"1000" doc:"The events, in order"`
}

// batchResults has one result per event, in the order of the events.
type batchResults struct {
	Results []batchResult `json:"results" nullable:"false" doc:"One for each event, in the order of the events"`
}

type batchResult struct {
	Status     string         `json:"status" enum:"accepted,duplicate,error" doc:"What became of the event"`
	ID         string         `json:"id" doc:"The event's id; of an error, the id that it was posted with"`
	Duplicate  bool           `json:"duplicate"`
	Deliveries []acceptedPart `json:"deliveries" nullable:"false"`
	Warnings   []string       `json:"warnings,omitempty" nullable:"false" doc:"What was accepted all the same, as of a single event"`
	Problem    *rest.Problem  `json:"problem,omitempty" doc:"Why this event was not stored; its field is relative to the event"`
}

type postBatchInput struct{ payload[batchInput] }

func (s *server) postBatch(ctx context.Context, caller switchboard.Caller, in *postBatchInput) (*reply[batchResults], error) {
	if len(in.JSON.Events) == 0 {
		return nil, switchboard.InvalidField("events", "is required")
	}
	results := make([]batchResult, len(in.JSON.Events))
	good, places := s.readBatch(ctx, caller, in.JSON.Events, results)
	if err := ctx.Err(); err != nil { // the caller has gone: what was not checked is no fault of theirs
		return nil, err
	}
	if len(good) > 0 {
		accepted, err := s.Store.Accept(ctx, caller, good)
		if err != nil {
			return nil, err
		}
		s.start(ctx, accepted)
		s.noteUndecided(ctx, accepted)
		for i := range accepted {
			result := resultOf(&accepted[i], good[i].ID, rest.RequestID(ctx))
			result.Warnings = append(results[places[i]].Warnings, result.Warnings...)
			results[places[i]] = result
		}
	}
	if err := refusedWhole(results); err != nil {
		return nil, err
	}
	return &reply[batchResults]{Body: batchResults{results}}, nil
}

// readBatch returns the events that can be accepted, and the place of each in the
// batch. It notes the others in results.
func (s *server) readBatch(ctx context.Context, caller switchboard.Caller, raws []rest.Raw[eventInput], results []batchResult) (good []switchboard.Event, places []int) {
	var found schemaMismatch
	defer func() { found.log(ctx) }()
	good, places = make([]switchboard.Event, 0, len(raws)), make([]int, 0, len(raws))
	for i, raw := range raws {
		in, err := raw.Decode()
		e := in.event()
		e.ID = cmp.Or(e.ID, rest.EventID(ctx, i))
		if err == nil {
			results[i].Warnings, err = s.checkPosted(ctx, caller, &e, &found)
		}
		if err != nil {
			results[i] = failed(in.ID, rest.ProblemOf(err, rest.RequestID(ctx)))
			continue
		}
		good, places = append(good, e), append(places, i)
	}
	return good, places
}

func resultOf(a *switchboard.Acceptance, postedID, requestID string) batchResult {
	if a.Err != nil {
		return failed(postedID, rest.ProblemOf(a.Err, requestID))
	}
	status := "accepted"
	if a.Duplicate {
		status = "duplicate"
	}
	answer := acceptanceOf(a)
	return batchResult{Status: status, ID: answer.ID, Duplicate: answer.Duplicate, Deliveries: answer.Deliveries, Warnings: answer.Warnings}
}

func failed(id string, p *rest.Problem) batchResult {
	return batchResult{Status: "error", ID: id, Deliveries: []acceptedPart{}, Problem: p}
}
