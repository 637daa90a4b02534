package api

import (
	"context"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// operation is an operation as it is shown.
type operation struct {
	switchboard.Operation
	TemporalURL string `json:"temporal_url" doc:"The workflow of the same id in Temporal's web UI; empty where that is not set up"`
}

func (s *server) operationOf(o *switchboard.Operation) operation {
	out := operation{*o, s.temporalURL(&switchboard.Delivery{ID: o.ID})}
	out.CreatedAt, out.UpdatedAt, out.FinishedAt = o.CreatedAt.UTC(), o.UpdatedAt.UTC(), o.FinishedAt.UTC()
	return out
}

type operationsInput struct {
	Tenant       string `query:"tenant" doc:"Only this tenant's"`
	Subscription string `query:"subscription" doc:"Only those on deliveries of this subscription"`
	State        string `query:"state" enum:"running,finished,cancelled" doc:"Only this state"`
	Limit        int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Entries in a page"`
	Cursor       string `query:"cursor" doc:"next_cursor of the page before"`
}

func (s *server) listOperations(ctx context.Context, caller switchboard.Caller, in *operationsInput) (*reply[page[operation]], error) {
	tenant, err := tenantFilter(caller, in.Tenant)
	if err != nil {
		return nil, err
	}
	filter := switchboard.OperationFilter{Tenant: tenant, Subscription: in.Subscription, State: switchboard.OperationState(in.State)}
	found, err := s.Store.Operations(ctx, caller, filter, switchboard.PageRequest{Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	return rest.PageOf(found, s.operationOf), nil
}

type operationInput struct {
	ID string `path:"id" doc:"Id of the operation" example:"op_01k0000000000000000000000"`
}

func (s *server) getOperation(ctx context.Context, caller switchboard.Caller, in *operationInput) (*reply[operation], error) {
	o, err := s.Store.Operation(ctx, caller, in.ID)
	return &reply[operation]{Body: s.operationOf(&o)}, err
}

// operate starts the workflow of an operation that was just stored; empty: there is none. A
// failure is no error to the caller: the reconciler starts what was not started.
func (s *server) operate(ctx context.Context, id string) {
	if id != "" {
		s.signal(ctx, "operation", id, func(ctx context.Context) error { return s.Engine.Operate(ctx, id) })
	}
}

// wakeRecovery wakes the workflow that recovers an endpoint for which there is nothing to wait any
// more. A failure is no error to the caller: the workflow sees it at its next date.
func (s *server) wakeRecovery(ctx context.Context, subscriptionID string) {
	s.signal(ctx, "recovery", subscriptionID, func(ctx context.Context) error { return s.Engine.WakeRecovery(ctx, subscriptionID) })
}
