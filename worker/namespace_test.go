package worker

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
)

// registry is a Temporal that knows namespaces, or refuses to.
type registry struct {
	workflowservice.WorkflowServiceClient
	look, make error
	made       []string
}

// registryClient is the client of one.
type registryClient struct {
	client.Client
	registry *registry
}

func (c registryClient) WorkflowService() workflowservice.WorkflowServiceClient { return c.registry }

func (r *registry) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest, ...grpc.CallOption) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{}, r.look
}

func (r *registry) RegisterNamespace(_ context.Context, in *workflowservice.RegisterNamespaceRequest, _ ...grpc.CallOption) (*workflowservice.RegisterNamespaceResponse, error) {
	r.made = append(r.made, in.GetNamespace()+" "+in.GetWorkflowExecutionRetentionPeriod().AsDuration().String())
	return nil, r.make
}

// TestNamespace: it is made where it is missing and may be made; else the error says how.
func TestNamespace(t *testing.T) {
	t.Parallel()
	missing, denied := serviceerror.NewNamespaceNotFound("acme"), serviceerror.NewPermissionDenied("no", "")
	for _, test := range []struct {
		name       string
		look, make error
		made       bool
		says       string
	}{
		{"there", nil, nil, false, ""},
		{"missing", missing, nil, true, ""},
		{"missing, in other words", serviceerror.NewNotFound("acme"), nil, true, ""},
		{"made by another worker meanwhile", missing, serviceerror.NewNamespaceAlreadyExists("acme"), true, ""},
		{"missing, and may not be made", missing, denied, true, "temporal operator namespace create --namespace acme --retention 72h"},
		{"missing, and the call is unknown", missing, serviceerror.NewUnimplemented("no"), true, "temporal operator namespace create"},
		{"may not be looked at", denied, nil, false, ""},
		{"Temporal is away", errors.New("away"), nil, false, "away"},
	} {
		r := &registry{look: test.look, make: test.make}
		err := ensureNamespace(t.Context(), registryClient{registry: r}, "acme", slog.New(slog.DiscardHandler))
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", test.name, err, test.says)
		}
		if made := strings.Join(r.made, ","); made != map[bool]string{true: "acme 72h0m0s"}[test.made] {
			t.Errorf("%s: made %q", test.name, made)
		}
	}
}
