package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// newOperation requests an operation, or its plan.
type newOperation struct {
	Plan   string                 `json:"plan,omitempty" doc:"The plan of a dry run: starts exactly that. Leave out action and filter then"`
	Action switchboard.ActionKind `json:"action,omitempty" enum:"retry,cancel,hold,release,replay" doc:"The action on each delivery. replay: delivers events again, to the filter's subscription" example:"retry"`
	Filter *switchboard.Selection `json:"filter,omitempty" doc:"Selects deliveries, or events; the names are those of the list of deliveries"`
	Rate   *float64               `json:"rate,omitempty" doc:"Deliveries a second, from 0.01 to 1000. Default: 1000 for cancel and hold, and 50 for actions that send" example:"50"`
	Reason string                 `json:"reason,omitempty" doc:"The reason, in your own words; required unless it is a dry run" maxLength:"500" example:"receiver repaired"`
	DryRun bool                   `json:"dry_run,omitempty" doc:"Answers with the plan, and does nothing"`
}

// operationPlan is a plan in the form of the API.
type operationPlan struct {
	Plan            string                      `json:"plan" doc:"Post it as plan to start exactly this, within 15 minutes and with the same key"`
	ExpiresAt       time.Time                   `json:"expires_at"`
	Action          switchboard.ActionKind      `json:"action" enum:"retry,cancel,hold,release,replay"`
	Filter          switchboard.Selection       `json:"filter" doc:"The filter, limited to what the key may act on"`
	BoundID         string                      `json:"bound_id" doc:"Deliveries that are accepted from now on have greater ids, and are not touched" example:"dlv_01k000000"`
	Rate            float64                     `json:"rate" example:"50"`
	Count           switchboard.PlanCount       `json:"count" doc:"Number of deliveries or events that the action applies to"`
	Limit           int                         `json:"limit" doc:"Maximum number that this key may act on at once; 0: any number" example:"10000"`
	DurationSeconds float64                     `json:"duration_seconds" doc:"Duration at that rate" example:"68.2"`
	ByState         []switchboard.PlanPart      `json:"by_state" nullable:"false" doc:"The 20 largest parts of the count; like the others, empty for a replay and if not everything was counted"`
	ByFailure       []switchboard.PlanPart      `json:"by_failure" nullable:"false" doc:"By failure of the last attempt"`
	BySubscription  []switchboard.PlanPart      `json:"by_subscription" nullable:"false"`
	ByTenant        []switchboard.PlanPart      `json:"by_tenant" nullable:"false"`
	ByEventType     []switchboard.PlanPart      `json:"by_event_type" nullable:"false" doc:"By event type, for a replay"`
	Excluded        []switchboard.PlanExclusion `json:"excluded" nullable:"false" doc:"Matches of the filter that are left unchanged, and why"`
	Sample          []delivery                  `json:"sample" nullable:"false" doc:"The 3 newest, the 3 oldest, and 4 between, newest first"`
	SampleEvents    []event                     `json:"sample_events" nullable:"false" doc:"The same for a replay: events, without data and deliveries"`
}

type startOperationInput struct{ payload[newOperation] }

// startOperationReply is 200 with a plan, or 202 with the operation.
type startOperationReply struct {
	Status int
	Body   any
}

func (s *server) startOperation(ctx context.Context, caller switchboard.Caller, in *startOperationInput) (*startOperationReply, error) {
	request, err := in.JSON.request()
	if err != nil {
		return nil, err
	}
	if in.JSON.DryRun {
		plan, err := s.Store.PlanOperation(ctx, caller, request)
		if err != nil {
			return nil, err
		}
		show, err := s.shown(ctx, caller, idsOf(plan.Sample))
		if err != nil {
			return nil, err
		}
		return &startOperationReply{http.StatusOK, operationPlanOf(&plan, show)}, nil
	}
	o, err := s.Store.StartOperation(ctx, caller, in.JSON.Plan, request)
	if err != nil {
		return nil, err
	}
	s.operate(ctx, o.ID)
	return &startOperationReply{http.StatusAccepted, s.operationOf(&o)}, nil
}

// request checks the requested operation.
func (n *newOperation) request() (switchboard.OperationRequest, error) {
	r := switchboard.OperationRequest{Action: n.Action, Reason: n.Reason}
	if n.Rate != nil {
		if r.Rate = *n.Rate; switchboard.CheckRate(r.Rate) != nil {
			return r, switchboard.CheckRate(r.Rate)
		}
	}
	if !n.DryRun && strings.TrimSpace(n.Reason) == "" {
		return r, switchboard.InvalidField("reason", "is required: it stands with each delivery that is changed")
	}
	if err := checkReason(n.Reason); err != nil {
		return r, err
	}
	switch {
	case n.Plan != "" && n.DryRun:
		return r, switchboard.InvalidField("dry_run", "makes a plan, and there is one already")
	case n.Plan != "" && n.Action != "":
		return r, switchboard.InvalidField("action", "is in the plan already")
	case n.Plan != "" && n.Filter != nil:
		return r, switchboard.InvalidField("filter", "is in the plan already")
	case n.Plan != "":
		return r, nil
	case n.Action == "":
		return r, switchboard.InvalidField("action", "is required, or a plan")
	case n.Filter != nil:
		r.Filter = *n.Filter
	}
	return r, r.Filter.Check(n.Action)
}

func operationPlanOf(p *switchboard.OperationPlan, show func(*switchboard.Delivery) delivery) operationPlan {
	out := operationPlan{
		Plan: p.Plan, ExpiresAt: p.ExpiresAt.UTC(), Action: p.Action, Filter: p.Filter, BoundID: p.BoundID, Rate: p.Rate, Count: p.Count, Limit: p.Limit,
		DurationSeconds: p.Duration().Seconds(), ByState: some(p.ByState), ByFailure: some(p.ByFailure), BySubscription: some(p.BySubscription),
		ByTenant: some(p.ByTenant), ByEventType: some(p.ByEventType), Excluded: some(p.Excluded), Sample: []delivery{}, SampleEvents: []event{},
	}
	for i := range p.Sample {
		out.Sample = append(out.Sample, show(&p.Sample[i]))
	}
	for _, e := range p.SampleEvents {
		out.SampleEvents = append(out.SampleEvents, eventOf(&switchboard.EventDetail{Event: e}, show))
	}
	return out
}

// some returns the list in the form for JSON: [] if it is empty.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
