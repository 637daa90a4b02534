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

// NamespaceRetention is how long Temporal keeps workflows that are closed, in a namespace that
// Switchboard makes: for its UI alone, since what happened stands in Postgres.
const NamespaceRetention = 72 * time.Hour

// errUnseen is that Temporal refuses to say whether there is a namespace.
var errUnseen = errors.New("whether the namespace exists may not be asked")

// EnsureNamespace makes the namespace if it is not there, and reports whether it did. One that
// is there stays as it is.
func EnsureNamespace(ctx context.Context, c client.Client, namespace string, retention time.Duration) (made bool, err error) {
	_, err = c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	switch {
	case err == nil:
		return false, nil
	case IsDenied(err):
		return false, fmt.Errorf("namespace %s: %w: %w", namespace, errUnseen, err)
	case !IsUnknownNamespace(err):
		return false, err
	}
	_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, Description: "Deliveries of Switchboard", WorkflowExecutionRetentionPeriod: durationpb.New(retention),
	})
	_, exists := errors.AsType[*serviceerror.NamespaceAlreadyExists](err)
	switch {
	case exists: // somebody else was faster
		return false, nil
	case err != nil:
		return false, fmt.Errorf("the namespace %[1]q does not exist and cannot be made from here: "+
			"temporal operator namespace create --namespace %[1]s --retention %[2]dh: %[3]w", namespace, int(retention.Hours()), err)
	}
	return true, nil
}

// ensureNamespace is that of a worker. Where the worker may not look, its start fails with the
// same error and says so.
func ensureNamespace(ctx context.Context, c client.Client, namespace string, log *slog.Logger) error {
	made, err := EnsureNamespace(ctx, c, namespace, NamespaceRetention)
	if errors.Is(err, errUnseen) {
		return nil
	}
	if made {
		log.InfoContext(ctx, "the Temporal namespace was made", "namespace", namespace, "retention", NamespaceRetention.String())
	}
	return err
}

// IsUnknownNamespace reports whether Temporal does not know the namespace, as for some seconds
// after it was made.
func IsUnknownNamespace(err error) bool {
	_, unknown := errors.AsType[*serviceerror.NamespaceNotFound](err)
	return unknown || isNotFound(err)
}

// IsDenied reports whether Temporal has refused a call to whoever we are, or does not have it.
func IsDenied(err error) bool {
	_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
	_, unknown := errors.AsType[*serviceerror.Unimplemented](err)
	return denied || unknown
}
