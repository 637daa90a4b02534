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

// NamespaceRetention is how long Temporal keeps closed workflows in a namespace that Switchboard
// makes. It only serves Temporal's UI, because the history of deliveries is in Postgres.
const NamespaceRetention = 72 * time.Hour

// errUnseen means that Temporal refuses to say whether the namespace exists.
var errUnseen = errors.New("whether the namespace exists may not be asked")

// EnsureNamespace makes the namespace if it does not exist, and reports whether it did. An existing
// one is not changed.
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
	case exists: // somebody else has made it
		return false, nil
	case err != nil:
		return false, fmt.Errorf("the namespace %[1]q does not exist and cannot be made from here: "+
			"temporal operator namespace create --namespace %[1]s --retention %[2]dh: %[3]w", namespace, int(retention.Hours()), err)
	}
	return true, nil
}

// ensureNamespace does so for a worker. If the worker may not look, its start fails with the same
// error and says so.
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

// IsUnknownNamespace reports whether Temporal does not know the namespace, as is the case for some
// seconds after it was made.
func IsUnknownNamespace(err error) bool {
	_, unknown := errors.AsType[*serviceerror.NamespaceNotFound](err)
	return unknown || isNotFound(err)
}

// IsDenied reports whether Temporal refused a call for lack of permission, or does not implement
// it.
func IsDenied(err error) bool {
	_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
	_, unknown := errors.AsType[*serviceerror.Unimplemented](err)
	return denied || unknown
}
