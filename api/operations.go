package api

import (
	"context"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// operation is an operation in the form of the API.
type operation struct {
	switchboard.Operation
	TemporalURL string `json:"temporal_url" doc:"The workflow with the same id in Temporal's web UI; empty if the UI is not configured"`
}

func (s *server) operationOf(o *switchboard.Operation) operation {
	out := operation{*o, s.temporalURL(&switchboard.Delivery{ID: o.ID})}
	out.CreatedAt, out.UpdatedAt, out.FinishedAt, out.ExpectedEndAt = o.CreatedAt.UTC(), o.UpdatedAt.UTC(), o.FinishedAt.UTC(), o.ExpectedEndAt.UTC()
	return out
}

type operationsInput struct {
	Tenant       string `query:"tenant" doc:"Only this tenant"`
	Subscription string `query:"subscription" doc:"Only operations on deliveries of this subscription"`
	State        string `query:"state" enum:"running,paused,finished,cancelled" doc:"Only with this state"`
	Limit        int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Maximum number of entries in a page"`
	Cursor       string `query:"cursor" doc:"next_cursor of the previous page"`
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

type operationItemsInput struct {
	ID      string `path:"id" doc:"Id of the operation" example:"op_01k0000000000000000000000"`
	Outcome string `query:"outcome" enum:"done,skipped,failed" doc:"Only items with this outcome"`
	Limit   int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Maximum number of entries in a page"`
	Cursor  string `query:"cursor" doc:"next_cursor of the previous page"`
}

func (s *server) listOperationItems(ctx context.Context, caller switchboard.Caller, in *operationItemsInput) (*reply[page[switchboard.OperationItem]], error) {
	found, err := s.Store.OperationItems(ctx, caller, in.ID, switchboard.OperationOutcome(in.Outcome), switchboard.PageRequest{Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	return rest.PageOf(found, func(i *switchboard.OperationItem) switchboard.OperationItem { return *i }), nil
}

type stopOperationInput struct {
	ID string `path:"id" doc:"Id of the operation" example:"op_01k0000000000000000000000"`
	payload[requiredReasonInput]
}

func (s *server) pauseOperation(ctx context.Context, caller switchboard.Caller, in *stopOperationInput) (*reply[operation], error) {
	return s.stopOperation(ctx, caller, in, switchboard.PauseOperation)
}

func (s *server) cancelOperation(ctx context.Context, caller switchboard.Caller, in *stopOperationInput) (*reply[operation], error) {
	return s.stopOperation(ctx, caller, in, switchboard.CancelOperation)
}

func (s *server) stopOperation(ctx context.Context, caller switchboard.Caller, in *stopOperationInput, change switchboard.OperationChange) (*reply[operation], error) {
	if err := checkRequiredReason(in.JSON.Reason); err != nil {
		return nil, err
	}
	o, err := s.Store.ChangeOperation(ctx, caller, in.ID, change, in.JSON.Reason)
	if err == nil && change == switchboard.CancelOperation && o.Action.Sends() { // its workflow undoes the rest
		s.signal(ctx, "cancel", o.ID, func(ctx context.Context) error { return s.Engine.ResumeOperation(ctx, o.ID) })
	}
	return &reply[operation]{Body: s.operationOf(&o)}, err
}

type resumeOperationInput struct {
	ID string `path:"id" doc:"Id of the operation" example:"op_01k0000000000000000000000"`
	payload[reasonInput]
}

func (s *server) resumeOperation(ctx context.Context, caller switchboard.Caller, in *resumeOperationInput) (*reply[operation], error) {
	if err := checkReason(in.JSON.Reason); err != nil {
		return nil, err
	}
	o, err := s.Store.ChangeOperation(ctx, caller, in.ID, switchboard.ResumeOperation, in.JSON.Reason)
	if err != nil {
		return nil, err
	}
	s.signal(ctx, "resume", o.ID, func(ctx context.Context) error { return s.Engine.ResumeOperation(ctx, o.ID) })
	return &reply[operation]{Body: s.operationOf(&o)}, nil
}

// operate starts the workflow of an operation that was just stored, if any. The caller gets no
// error if that fails, because the reconciler starts it later.
func (s *server) operate(ctx context.Context, id string) {
	if id != "" {
		s.signal(ctx, "operation", id, func(ctx context.Context) error { return s.Engine.Operate(ctx, id) })
	}
}

// wakeRecovery wakes the workflow that recovers an endpoint, when it has nothing to wait for any
// more. The caller gets no error if that fails, because the workflow notices it at its next date.
func (s *server) wakeRecovery(ctx context.Context, subscriptionID string) {
	s.signal(ctx, "recovery", subscriptionID, func(ctx context.Context) error { return s.Engine.WakeRecovery(ctx, subscriptionID) })
}
