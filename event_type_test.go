package switchboard

import (
	"encoding/json"
	"testing"
)

// TestEventTypeIsKept: a type without schema and sample has none after it was stored either; null
// would be one.
func TestEventTypeIsKept(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(EventType{Name: "order.paid", Platform: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	var kept EventType
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	if kept.Schema != nil || kept.Sample != nil || kept.Name != "order.paid" {
		t.Errorf("kept %s", text)
	}
}
