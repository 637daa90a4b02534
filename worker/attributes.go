package worker

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// The search attributes of a delivery's workflow, which are set once at its start. Support
// engineers find the workflow by them in Temporal's own list.
var (
	tenantAttribute       = temporal.NewSearchAttributeKeyKeyword("SwitchboardTenant")
	subscriptionAttribute = temporal.NewSearchAttributeKeyKeyword("SwitchboardSubscription")
	eventTypeAttribute    = temporal.NewSearchAttributeKeyKeyword("SwitchboardEventType")
	eventAttribute        = temporal.NewSearchAttributeKeyKeyword("SwitchboardEventId")
)

// SearchAttributes lists the names of the search attributes, all keywords.
func SearchAttributes() []string {
	var names []string
	for _, key := range attributeKeys() {
		names = append(names, key.GetName())
	}
	return names
}

func attributeKeys() []temporal.SearchAttributeKeyKeyword {
	return []temporal.SearchAttributeKeyKeyword{tenantAttribute, subscriptionAttribute, eventTypeAttribute, eventAttribute}
}

// EnsureSearchAttributes registers the missing search attributes of the namespace, and returns
// their names. It does not change existing ones. An attribute with another type is an error,
// because every start of a delivery would fail.
func EnsureSearchAttributes(ctx context.Context, c client.Client, namespace string) (added []string, err error) {
	listed, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, err
	}
	missing := map[string]enumspb.IndexedValueType{}
	for _, key := range attributeKeys() {
		found, ok := listed.GetCustomAttributes()[key.GetName()]
		switch {
		case !ok:
			missing[key.GetName()] = key.GetValueType()
		case found != key.GetValueType():
			return nil, fmt.Errorf("the search attribute %s is of type %s in namespace %s, and Switchboard needs it as %s: use a namespace of its own",
				key.GetName(), found, namespace, key.GetValueType())
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing})
	return slices.Sorted(maps.Keys(missing)), err
}

// registerAttributes does the same for a worker. If the worker may not do it, for example on
// Temporal Cloud, somebody has registered them before.
func registerAttributes(ctx context.Context, c client.Client, namespace string, log *slog.Logger) error {
	_, err := EnsureSearchAttributes(ctx, c, namespace)
	if IsDenied(err) {
		log.WarnContext(ctx, "search attributes cannot be registered from here: they must have been made beforehand",
			"attributes", SearchAttributes(), "error", err)
		return nil
	}
	return err
}

// CheckSearchAttributes searches for workflows by each of the search attributes. A server that has
// just registered them refuses this for some seconds, and also the start of deliveries.
func CheckSearchAttributes(ctx context.Context, c client.Client, namespace string) error {
	var conditions []string
	for _, name := range SearchAttributes() {
		conditions = append(conditions, name+" = ''")
	}
	_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: strings.Join(conditions, " AND ")})
	return err
}
