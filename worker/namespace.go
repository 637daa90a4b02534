package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
)

// retention is how long Temporal keeps workflows that are closed, in a namespace that the
// worker makes: for its UI alone, since what happened stands in Postgres.
const retention = 72 * time.Hour

// ensureNamespace makes the namespace if it is not there, as it makes the search
// attributes. One that is there stays as it is.
func ensureNamespace(ctx context.Context, c client.Client, namespace string, log *slog.Logger) error {
	_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	_, missing := errors.AsType[*serviceerror.NamespaceNotFound](err)
	switch {
	case isDenied(err):
		return nil // the worker's start fails with the same error and says so
	case !missing && !isNotFound(err):
		return err
	}
	_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, Description: "Deliveries of Switchboard", WorkflowExecutionRetentionPeriod: durationpb.New(retention),
	})
	_, exists := errors.AsType[*serviceerror.NamespaceAlreadyExists](err)
	switch {
	case exists: // another worker was faster
		return nil
	case err != nil:
		return fmt.Errorf("the namespace %[1]q does not exist and cannot be made from here: "+
			"temporal operator namespace create --namespace %[1]s --retention %[2]dh: %[3]w", namespace, int(retention.Hours()), err)
	}
	log.InfoContext(ctx, "the Temporal namespace was made", "namespace", namespace, "retention", retention.String())
	return nil
}

// isDenied reports whether Temporal has refused a call to whoever we are, or does not have it.
func isDenied(err error) bool {
	_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
	_, unknown := errors.AsType[*serviceerror.Unimplemented](err)
	return denied || unknown
}
