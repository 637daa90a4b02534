package api

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// verdicts lists the conditions of a match with their results.
func verdicts(t *testing.T, a answer) (matches bool, reasons []string) {
	t.Helper()
	body := a.want(t, http.StatusOK)
	for _, entry := range asList(body["reasons"]) {
		r := entry.(map[string]any)
		if r["text"] == "" || r["path"] == "" {
			t.Errorf("incomplete: %v", r)
		}
		verdict := "no: "
		if r["holds"] == true {
			verdict = "yes: "
		}
		reasons = append(reasons, verdict+r["condition"].(string))
	}
	return body["matches"].(bool), reasons
}

func TestMatchGiven(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cases := []struct {
		name, body string
		matches    bool
		reasons    []string
	}{
		{"all", `{"subscription":{"events":["ticket.*"],"filter":{"data":{"priority":{"$gte":3}}}},"type":"ticket.created","data":{"priority":3}}`,
			true, []string{"yes: events", "yes: state", "yes: filter.data.priority.$gte"}},
		{"by content", `{"subscription":{"events":["ticket.*"],"filter":{"data":{"priority":{"$gte":3},"vip":true}}},"type":"ticket.created","data":{"priority":2,"vip":true}}`,
			false, []string{"yes: events", "yes: state", "no: filter.data.priority.$gte", "yes: filter.data.vip"}},
		{"by type", `{"subscription":{"events":["ticket.*"]},"type":"customer.created","data":1}`, false, []string{"no: events", "yes: state"}},
		{"by another case", `{"subscription":{"events":["Object.*"]},"type":"object.created","data":1}`, true, []string{"yes: events", "yes: state"}},
		{"by metadata", `{"subscription":{"filter":{"metadata":{"key":"42","id":{"$startsWith":"x-"}}}},"type":"t","data":1,"key":"42","id":"x-1"}`,
			true, []string{"yes: events", "yes: state", "yes: filter.metadata.key", "yes: filter.metadata.id.$startsWith"}},
		{"of an unverified one", `{"subscription":{"profile":"signalzen"},"type":"t","data":1}`, true, []string{"yes: events", "yes: state"}},
		{"with the sample", `{"subscription":{"events":["ticket.created"],"profile":"iomnihub","filter":{"data":{"ticket":{"id":88120}}}}}`,
			true, []string{"yes: events", "yes: state", "yes: filter.data.ticket.id"}},
	}
	for _, c := range cases {
		matches, reasons := verdicts(t, b.call(t, supportKey, "POST", "/v1/match", c.body))
		if diff := cmp.Diff(c.reasons, reasons); matches != c.matches || diff != "" {
			t.Errorf("%s: matches %v %s", c.name, matches, diff)
		}
	}
	if b.stored(t) {
		t.Error("something was stored")
	}
}

// TestMatchStates: an event is accepted for a subscription in any state, and held if the
// subscription is not active.
func TestMatchStates(t *testing.T) {
	t.Parallel()
	for state, want := range map[switchboard.SubscriptionState]bool{
		switchboard.SubscriptionActive: true, switchboard.SubscriptionUnverified: true, switchboard.SubscriptionPaused: true, switchboard.SubscriptionDisabled: true,
	} {
		b := setup(t)
		b.change(t, "sub_acme", func(s *switchboard.Subscription) { s.State = state })
		matches, reasons := verdicts(t, b.call(t, integratorKey, "POST", "/v1/subscriptions/sub_acme/match", `{"type":"ticket.created","data":1}`))
		if matches != want || (reasons[1] == "yes: state") != want {
			t.Errorf("%s: matches %v, %v", state, matches, reasons)
		}
	}
}

// TestMatchPosted: a stored event is looked up in the subscription's tenant, for every caller.
func TestMatchPosted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.post(t,
		switchboard.Event{ID: "one", Tenant: "acme", Type: "ticket.created", Data: []byte(`{"n":1}`)},
		switchboard.Event{ID: "two", Tenant: "globex", Type: "ticket.created", Data: []byte(`{"n":2}`)},
	)
	b.change(t, "sub_acme", func(s *switchboard.Subscription) {
		s.Filter = json.RawMessage(`{"data":{"n":1}}`)
	})
	const path = "/v1/subscriptions/sub_acme/match"
	if matches, _ := verdicts(t, b.call(t, integratorKey, "POST", path, `{"event_id":"one"}`)); !matches {
		t.Error("it does not match")
	}
	for _, call := range []struct{ key, path, body string }{
		{integratorKey, path, `{"event_id":"two"}`},
		{integratorKey, path, `{"event_id":"three"}`},
		{acmeIntegratorKey, "/v1/match", `{"subscription":{},"event_id":"two"}`},
		{integratorKey, "/v1/match", `{"subscription":{"tenant":"acme"},"event_id":"two"}`},
	} {
		b.call(t, call.key, "POST", call.path, call.body).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "event_id")
	}
	// A key for all tenants need not name one.
	b.call(t, integratorKey, "POST", "/v1/match", `{"subscription":{},"event_id":"two"}`).want(t, http.StatusOK)
}
