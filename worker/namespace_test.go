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

// TestNamespace: a missing one is made if that is allowed; otherwise the error says how to make it.
// A worker that may not look finds out when it starts.
func TestNamespace(t *testing.T) {
	t.Parallel()
	missing, denied := serviceerror.NewNamespaceNotFound("acme"), serviceerror.NewPermissionDenied("no", "")
	for _, test := range []struct {
		name       string
		look, make error
		made       bool
		says       string
		worker     string // what a worker's says
	}{
		{"there", nil, nil, false, "", ""},
		{"missing", missing, nil, true, "", ""},
		{"missing, in other words", serviceerror.NewNotFound("acme"), nil, true, "", ""},
		{"made by another worker meanwhile", missing, serviceerror.NewNamespaceAlreadyExists("acme"), true, "", ""},
		{"missing, and may not be made", missing, denied, true, "temporal operator namespace create --namespace acme --retention 72h", "temporal operator namespace create"},
		{"missing, and the call is unknown", missing, serviceerror.NewUnimplemented("no"), true, "temporal operator namespace create", "temporal operator namespace create"},
		{"may not be looked at", denied, nil, false, "may not be asked", ""},
		{"Temporal is away", errors.New("away"), nil, false, "away", "away"},
	} {
		for _, by := range []struct {
			who    string
			ensure func(client.Client) error
			says   string
		}{
			{"setup", func(c client.Client) error {
				made, err := EnsureNamespace(t.Context(), c, "acme", NamespaceRetention)
				if made && !test.made {
					t.Errorf("%s: says that it made it", test.name)
				}
				return err
			}, test.says},
			{"a worker", func(c client.Client) error {
				return ensureNamespace(t.Context(), c, "acme", slog.New(slog.DiscardHandler))
			}, test.worker},
		} {
			r := &registry{look: test.look, make: test.make}
			if err := by.ensure(registryClient{registry: r}); !says(err, by.says) {
				t.Errorf("%s, %s: %v, want %q", test.name, by.who, err, by.says)
			}
			if made := strings.Join(r.made, ","); made != map[bool]string{true: "acme 72h0m0s"}[test.made] {
				t.Errorf("%s, %s: made %q", test.name, by.who, made)
			}
		}
	}
}
