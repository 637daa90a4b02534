package switchboard

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIDsSortByTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var ids []string
	for _, step := range []time.Duration{0, time.Millisecond, 31 * time.Millisecond, time.Second, time.Hour, 24 * time.Hour, 100 * 365 * 24 * time.Hour} {
		ids = append(ids, NewID(DeliveryPrefix, at.Add(step)))
	}
	if !slices.IsSorted(ids) {
		t.Errorf("not in order of time: %q", ids)
	}
}

func TestIDsDiffer(t *testing.T) {
	t.Parallel()
	at := time.Now()
	seen := map[string]bool{}
	for range 10_000 {
		id := NewID(EventPrefix, at)
		if seen[id] || !IsID(EventPrefix, id) || strings.Contains(id, ".") {
			t.Fatalf("%q is made twice, or is no id", id)
		}
		seen[id] = true
	}
}

func TestIsID(t *testing.T) {
	t.Parallel()
	good := NewID(SubscriptionPrefix, time.Now())
	body := strings.TrimPrefix(good, SubscriptionPrefix)
	if !IsID(SubscriptionPrefix, good) {
		t.Errorf("%q is not taken for an id", good)
	}
	for _, bad := range []string{
		"", "sub_", body, "evt_" + body, "SUB_" + body, good + "0", good[:len(good)-1], "sub_" + strings.ToUpper(body) + "A",
		"sub_" + strings.Repeat("u", 26), "sub_" + body[:25] + " ", "sub_" + body[:25] + "'", " " + good, "sub_" + body[:24] + "é",
	} {
		if IsID(SubscriptionPrefix, bad) {
			t.Errorf("%q is taken for an id", bad)
		}
	}
	// An event may have the platform's own id, which is not mistaken for ours.
	event := Event{ID: "order-4711:a@b", Tenant: "acme", Type: "a", Data: []byte("1")}
	if err := event.Validate(10); err != nil || IsID(EventPrefix, event.ID) {
		t.Errorf("the platform's id: %v", err)
	}
}
