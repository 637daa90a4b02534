package e2e

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	sdk "go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/cmd/switchboard/app"
	"github.com/seed-49a43567/switchboard/worker"
)

// TestSetup: `switchboard setup` creates what is missing on the Temporal server, says so, and does
// not change what exists.
func TestSetup(t *testing.T) {
	t.Parallel()
	address, namespace, other := shared.addr(t), namespaceOf(t), switchboard.NewID("other-", time.Now())
	c, err := sdk.Dial(sdk.Options{HostPort: address, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	made := namespace + " on " + address + ": made, with a retention of 48h\n"
	for _, step := range []struct {
		name, address, namespace string
		before                   func() error
		prints, fails            string
	}{
		{"nothing is there", address, namespace, nil, "namespace " + made + "search attributes: added SwitchboardEventId, SwitchboardEventType, SwitchboardSubscription, SwitchboardTenant\n", ""},
		{"everything is there", address, namespace, nil, "namespace " + namespace + " on " + address + ": is there\nsearch attributes: are there\n", ""},
		{"an attribute has another type", address, other, func() error { return makeOther(t, c, other) }, "namespace " + other + " on " + address + ": is there\n", "SwitchboardTenant is of type Int in namespace " + other},
		{"no server", freeAddr(t), namespace, nil, "", "no Temporal server answers on 127.0.0.1:"},
	} {
		if step.before != nil {
			if err := step.before(); err != nil {
				t.Fatal(err)
			}
		}
		config := app.Config{Temporal: func() (sdk.Options, error) {
			return sdk.Options{HostPort: step.address, Namespace: step.namespace}, nil
		}}
		var printed strings.Builder
		err := app.Setup(t.Context(), config, 48*time.Hour, &printed)
		if (err == nil) != (step.fails == "") || err != nil && !strings.Contains(err.Error(), step.fails) {
			t.Errorf("%s: %v, want %q", step.name, err, step.fails)
		}
		if printed.String() != step.prints {
			t.Errorf("%s: printed\n%s\nwant\n%s", step.name, printed.String(), step.prints)
		}
	}
	if err := worker.CheckSearchAttributes(t.Context(), c, namespace); err != nil {
		t.Errorf("the server refuses the search attributes: %v", err)
	}
	described, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	if err != nil || described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration() != 48*time.Hour {
		t.Errorf("the namespace: %v, %v", described, err)
	}
}

// makeOther makes a namespace in which one of our search attributes is used for something else.
func makeOther(t *testing.T, c sdk.Client, namespace string) error {
	if _, err := worker.EnsureNamespace(t.Context(), c, namespace, worker.NamespaceRetention); err != nil {
		return err
	}
	var err error
	await(t, "known to the server", func() bool {
		_, err = c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
			Namespace: namespace, SearchAttributes: map[string]enumspb.IndexedValueType{"SwitchboardTenant": enumspb.INDEXED_VALUE_TYPE_INT},
		})
		return !worker.IsUnknownNamespace(err)
	})
	return err
}
