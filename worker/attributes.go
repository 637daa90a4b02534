package worker

import (
	"context"
	"log/slog"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// The search attributes of a delivery's workflow, set once at its start: what a
// support engineer looks for in Temporal's own list.
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

// registerAttributes registers the search attributes in the namespace; those
// that are registered stay as they are. Where the worker may not do that, as on
// Temporal Cloud, they are made beforehand.
func registerAttributes(ctx context.Context, c client.Client, namespace string, log *slog.Logger) error {
	err := addAttributes(ctx, c, namespace)
	if isDenied(err) {
		log.WarnContext(ctx, "search attributes cannot be registered from here: they must have been made beforehand",
			"attributes", SearchAttributes(), "error", err)
		return nil
	}
	return err
}

func addAttributes(ctx context.Context, c client.Client, namespace string) error {
	listed, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return err
	}
	missing := map[string]enumspb.IndexedValueType{}
	for _, key := range attributeKeys() {
		if _, ok := listed.GetCustomAttributes()[key.GetName()]; !ok {
			missing[key.GetName()] = key.GetValueType()
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing})
	return err
}
