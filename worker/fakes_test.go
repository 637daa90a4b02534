package worker

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"github.com/seed-49a43567/switchboard"
)

// fakeOutbox is a store's outbox in memory.
type fakeOutbox struct {
	mu      sync.Mutex
	due     []switchboard.Delivery
	claims  int
	away    error    // what a claim fails with; nil: it does not
	started []string // marked as dispatched, in order
	soon    []string // left to the relay
}

func (o *fakeOutbox) ClaimDispatches(_ context.Context, limit int, _ time.Duration) ([]switchboard.Delivery, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.claims++
	n := min(limit, len(o.due))
	claimed := o.due[:n]
	o.due = o.due[n:]
	return claimed, o.away
}

func (o *fakeOutbox) TraceParents(context.Context, []switchboard.Delivery) (map[string]string, error) {
	return nil, o.away
}

func (o *fakeOutbox) MarkDispatched(_ context.Context, deliveries []switchboard.Delivery) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range deliveries {
		o.started = append(o.started, d.ID)
	}
	return nil
}

func (o *fakeOutbox) DispatchNow(_ context.Context, ids []string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.soon = append(o.soon, ids...)
	return nil
}

func (o *fakeOutbox) Operation(_ context.Context, _ switchboard.Caller, id string) (switchboard.Operation, error) {
	return switchboard.Operation{ID: id, Tenant: "acme", SubscriptionID: "sub_1", Action: switchboard.ActionRelease}, o.away
}

// fakeTemporal is a client of a Temporal that gives prepared answers.
type fakeTemporal struct {
	client.Client // for methods that the tests do not need

	start func(client.StartWorkflowOptions) error
	pause error // what a pause is answered
	seen  *workflowservice.DescribeWorkflowExecutionResponse

	history client.HistoryEventIterator

	mu    sync.Mutex
	calls []string
}

func (c *fakeTemporal) note(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call)
}

func (c *fakeTemporal) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
	c.note("start " + options.ID)
	return nil, c.start(options)
}

func (c *fakeTemporal) CancelWorkflowWithOptions(_ context.Context, options client.CancelWorkflowOptions) error {
	c.note("cancel " + options.WorkflowID + " " + options.RunID)
	return nil
}

func (c *fakeTemporal) WorkflowService() workflowservice.WorkflowServiceClient {
	return pauses{room: c}
}

// pauses is the part of the client that pauses activities.
type pauses struct {
	workflowservice.WorkflowServiceClient
	room *fakeTemporal
}

func (p pauses) PauseActivityExecution(_ context.Context, in *workflowservice.PauseActivityExecutionRequest, _ ...grpc.CallOption) (*workflowservice.PauseActivityExecutionResponse, error) {
	p.room.note("pause " + in.GetWorkflowId())
	return nil, p.room.pause
}

func (p pauses) UnpauseActivityExecution(ctx context.Context, in *workflowservice.UnpauseActivityExecutionRequest, _ ...grpc.CallOption) (*workflowservice.UnpauseActivityExecutionResponse, error) {
	p.room.note("unpause " + in.GetWorkflowId())
	return nil, ctx.Err()
}

func (c *fakeTemporal) DescribeWorkflowExecution(ctx context.Context, _, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return c.seen, ctx.Err()
}

func newEngine(t *testing.T, c *fakeTemporal, o *fakeOutbox) *Engine {
	t.Helper()
	return NewEngine(c, "default", "me", o, nil, slog.New(slog.DiscardHandler))
}
