package api

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// FuzzPostEvent: whatever is posted, the answer is 202 or a problem that blames the caller. What
// was accepted is what encoding/json would have read.
func FuzzPostEvent(f *testing.F) {
	for _, seed := range []string{
		postedEvent, `{}`, `[]`, `null`, ``, `{"tenant":"acme","type":"t","data": [1 , "\u0000\"]" ] }`, "{\"tenant\":\"acme\"\n,\"type\":\"t\",\"data\":-1e+5\t}",
		`{"tenant":"acme","type":"t","data":1,"occurred_at":null,"key":"\ud800"}`, `{"tenant":{"a":[]}}`, "{\"\xff\":1}", `{"data":"`, `{"a":1}}`,
	} {
		f.Add([]byte(seed))
	}
	b := setup(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		stored := b.eventCount(t)
		got := b.call(t, adminKey, "POST", "/v1/events", body)
		switch got.status {
		case http.StatusAccepted, http.StatusConflict:
		case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
			if b.eventCount(t) != stored {
				t.Error("something was stored")
			}
		default:
			t.Errorf("status %d: %s", got.status, got.body)
		}
		if b.eventCount(t) == stored {
			return
		}
		var reference struct {
			eventInput
			OccurredAt *string `json:"occurred_at"` // encoding/json reads other times than we do
		}
		if err := json.Unmarshal(body, &reference); err != nil {
			t.Fatalf("accepted, but %v", err)
		}
		e := b.events(t)[stored]
		want := reference.event()
		if reference.OccurredAt != nil {
			at, err := switchboard.ParseTime(*reference.OccurredAt)
			if err != nil {
				t.Fatalf("accepted, but occurred_at %v", err)
			}
			want.OccurredAt = at
		}
		if reference.ID == "" {
			want.ID = e.ID
		}
		want.CreatedAt = e.CreatedAt
		if want.OccurredAt.IsZero() {
			want.OccurredAt = e.CreatedAt
		}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Error(diff)
		}
	})
}

// FuzzDecode compares with encoding/json: a subscription has nested objects, lists,
// maps, numbers and durations.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"tenant":"a","name":null,"events":["a","b"],"request":{"url":"u","headers":{"a":"b","a":"c"}},"retry":{"backoff_coefficient":1e3,"maximum_attempts":3},"timeout":"5s"}`,
		`{"auth":null,"filter":null,"request":{"soap":null,"envelope":{"id":"i","vendor_type":true},"params":[{"a":null}]},"adaptive":{"enabled":false}}`,
		`{"request":null,"signature":{},"max_in_flight":7,"secret":"x"}`, `{ "retry" : { "initial_interval" : "1h" } , "tenant" : "\n" }`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want newSubscription
		if err := rest.Decode(body, &got); err != nil {
			if code := switchboard.CodeOf(err); code != switchboard.CodeInvalid && code != switchboard.CodeTooLarge {
				t.Errorf("code %s", code)
			}
			return
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("accepted, but %v", err)
		}
		if diff := cmp.Diff(want.Subscription, got.Subscription); diff != "" {
			t.Error(diff)
		}
	})
}
