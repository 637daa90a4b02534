package client

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Operation is an action on many deliveries, in the form of the API.
type Operation struct {
	switchboard.Operation
	TemporalURL string `json:"temporal_url"`
}

// ListOperations returns a page of operations, newest first.
func (c *Client) ListOperations(ctx context.Context, filter switchboard.OperationFilter, asked switchboard.PageRequest) (switchboard.Page[Operation], error) {
	values := query("tenant", filter.Tenant, "subscription", filter.Subscription, "state", string(filter.State))
	return list[Operation](ctx, c, path("operations"), values, asked)
}

// Operations iterates over all operations that match the filter, see [Client.ListOperations].
func (c *Client) Operations(ctx context.Context, filter switchboard.OperationFilter) iter.Seq2[Operation, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[Operation], error) {
		return c.ListOperations(ctx, filter, asked)
	})
}

// GetOperation returns an operation.
func (c *Client) GetOperation(ctx context.Context, id string) (Operation, error) {
	return call[Operation](ctx, c, request{method: http.MethodGet, path: path("operations", id)})
}

// NewOperation requests an operation, or its plan: an action with a filter, or a plan from
// [Client.PlanOperation].
type NewOperation struct {
	Plan   string                 `json:"plan,omitempty"`
	Action switchboard.ActionKind `json:"action,omitempty"`
	Filter *switchboard.Selection `json:"filter,omitempty"`
	Rate   float64                `json:"rate,omitempty"` // deliveries per second; 0: the action's default
	Reason string                 `json:"reason,omitempty"`
	DryRun bool                   `json:"dry_run,omitempty"` // set by PlanOperation
}

// OperationPlan is what an operation would do.
type OperationPlan struct {
	Plan            string                      `json:"plan"`
	ExpiresAt       time.Time                   `json:"expires_at"`
	Action          switchboard.ActionKind      `json:"action"`
	Filter          switchboard.Selection       `json:"filter"`
	BoundID         string                      `json:"bound_id"`
	Rate            float64                     `json:"rate"`
	Count           switchboard.PlanCount       `json:"count"`
	Limit           int                         `json:"limit"`
	DurationSeconds float64                     `json:"duration_seconds"`
	ByState         []switchboard.PlanPart      `json:"by_state"`
	ByFailure       []switchboard.PlanPart      `json:"by_failure"`
	BySubscription  []switchboard.PlanPart      `json:"by_subscription"`
	ByTenant        []switchboard.PlanPart      `json:"by_tenant"`
	ByEventType     []switchboard.PlanPart      `json:"by_event_type"`
	Excluded        []switchboard.PlanExclusion `json:"excluded"`
	Sample          []Delivery                  `json:"sample"`
	SampleEvents    []Event                     `json:"sample_events"`
}

// PlanOperation returns what an operation would do, and changes nothing. It may take half a minute.
// [Client.StartOperation] can start the plan.
func (c *Client) PlanOperation(ctx context.Context, asked NewOperation, options ...Option) (OperationPlan, error) {
	asked.DryRun = true
	return call[OperationPlan](ctx, c, request{method: http.MethodPost, path: path("operations"), body: asked, safe: true, options: options})
}

// StartOperation starts an operation: that of a plan, with a reason, or one without a plan.
func (c *Client) StartOperation(ctx context.Context, asked NewOperation, options ...Option) (Operation, error) {
	asked.DryRun = false
	return call[Operation](ctx, c, request{method: http.MethodPost, path: path("operations"), body: asked, options: options})
}

// ListOperationItems returns a page of what the operation did to each delivery. An empty outcome
// means all outcomes.
func (c *Client) ListOperationItems(ctx context.Context, id string, outcome switchboard.OperationOutcome, asked switchboard.PageRequest) (switchboard.Page[switchboard.OperationItem], error) {
	return list[switchboard.OperationItem](ctx, c, path("operations", id, "items"), query("outcome", string(outcome)), asked)
}

// OperationItems iterates over what the operation did to each delivery, see
// [Client.ListOperationItems].
func (c *Client) OperationItems(ctx context.Context, id string, outcome switchboard.OperationOutcome) iter.Seq2[switchboard.OperationItem, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[switchboard.OperationItem], error) {
		return c.ListOperationItems(ctx, id, outcome, asked)
	})
}

// PauseOperation stops an operation, within two seconds, until it is resumed.
func (c *Client) PauseOperation(ctx context.Context, id, why string, options ...Option) (Operation, error) {
	return call[Operation](ctx, c, request{method: http.MethodPost, path: path("operations", id, "pause"), body: reason{why}, options: options})
}

// ResumeOperation continues a paused operation. The reason may be empty.
func (c *Client) ResumeOperation(ctx context.Context, id, why string, options ...Option) (Operation, error) {
	return call[Operation](ctx, c, request{method: http.MethodPost, path: path("operations", id, "resume"), body: reason{why}, options: options})
}

// CancelOperation stops an operation permanently. What it has not sent yet is taken back, and the
// rest does not change.
func (c *Client) CancelOperation(ctx context.Context, id, why string, options ...Option) (Operation, error) {
	return call[Operation](ctx, c, request{method: http.MethodPost, path: path("operations", id, "cancel"), body: reason{why}, options: options})
}
