package catalogue

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// TestOperationalEventsMatchTheirSchemas: Switchboard's own events match the catalogue.
func TestOperationalEventsMatchTheirSchemas(t *testing.T) {
	t.Parallel()
	c := loaded(t)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	health := &switchboard.Health{SubscriptionID: "sub_1", BreakerSince: at, ProbeAt: at}
	announced := []switchboard.OperationalEvent{
		switchboard.NewBreakerOpened(health), switchboard.NewBreakerClosed(health, at, "a request to the endpoint succeeded"),
		switchboard.NewSubscriptionDisabled(&switchboard.Subscription{ID: "sub_1", StateSince: at, StateBy: "switchboard"}),
		switchboard.NewDeliveryFailed(&switchboard.Delivery{ID: "dlv_1", SubscriptionID: "sub_1", CreatedAt: at, CompletedAt: at, State: switchboard.StateFailed}),
		switchboard.NewOperationFinished(&switchboard.Operation{ID: "op_1", Action: switchboard.ActionRetry, Actor: "key_1", Reason: "repaired", CreatedAt: at, FinishedAt: at}),
	}
	if got := len(c.EventTypes(switchboard.OperationalPlatform)); got != len(announced) {
		t.Errorf("the catalogue has %d types, and %d are announced", got, len(announced))
	}
	for _, e := range announced {
		data, err := switchboard.EncodeJSON(e.Data)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(t.Context(), e.Type, data); err != nil {
			t.Errorf("%s: %v", e.Type, err)
		}
		without := strings.NewReplacer(`"subscription"`, `"endpoint"`, `"operation"`, `"workflow"`).Replace(string(data))
		if c.Validate(t.Context(), e.Type, []byte(without)) == nil {
			t.Errorf("%s: data without what it happened to are valid", e.Type)
		}
		known, _ := c.EventType(switchboard.OperationalPlatform, e.Type)
		for _, sample := range known.Samples {
			var read switchboard.OperationalData
			if err := decodeStrict(sample.Data, &read); err != nil {
				t.Fatalf("%s, sample %s: %v", e.Type, sample.Name, err)
			}
			written, _ := switchboard.EncodeJSON(read)
			if diff := cmp.Diff(decoded(t, sample.Data), decoded(t, written)); diff != "" {
				t.Errorf("%s, sample %s, read and written again: %s", e.Type, sample.Name, diff)
			}
		}
	}
}

func decoded(t *testing.T, text []byte) (value any) {
	t.Helper()
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}
