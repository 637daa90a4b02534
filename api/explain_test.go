package api

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook"
)

// blindKey makes a support key without read_payload, and returns its text.
func (b *bundle) blindKey(t testing.TB) string {
	t.Helper()
	_, err := b.db.CreateKey(t.Context(), anybody(), switchboard.Key{Name: "blind", Role: switchboard.RoleSupport}, "sbk_blind-1f4c")
	must(t, err)
	return "sbk_blind-1f4c"
}

// TestExplainEvent: the answer says for each subscription of the tenant whether it receives the
// event, why not, and what was different then.
func TestExplainEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	subscribe := func(name string, events []string, filter string) {
		s := switchboard.Subscription{Tenant: "acme", Name: name, Events: events, Filter: json.RawMessage(filter), Request: switchboard.Request{URL: "https://crm.example.com/hook"}}
		s.SetDefaults()
		must(t, b.db.CreateSubscription(t.Context(), anybody(), &s))
		b.rename("sub_"+name, s.ID)
	}
	subscribe("calls", []string{"call.*"}, "")
	subscribe("urgent", []string{"ticket.*"}, `{"data":{"$or":[{"ticket":{"vip":true}},{"ticket":{"id":7}}],"ticket":{"priority":{"$gte":3}}}}`)
	subscribe("gone", []string{"ticket.*"}, "")
	change := func(name string, action switchboard.SubscriptionAction, reason string) {
		t.Helper()
		_, _, err := b.db.ChangeSubscriptionState(t.Context(), anybody(), b.id("sub_"+name), action, reason)
		must(t, err)
	}
	for _, name := range []string{"paused", "resumed", "forgotten", "stopped", "changed"} {
		subscribe(name, []string{"ticket.*"}, "")
	}
	b.db.setClock(created.Add(30 * time.Second))
	for _, name := range []string{"paused", "resumed", "forgotten"} {
		change(name, switchboard.PauseSubscription, "their wish")
	}
	b.db.setClock(created.Add(time.Minute))
	b.post(t, switchboard.Event{ID: "evt_7", Tenant: "acme", Type: "ticket.created", Data: []byte(`{"ticket":{"id":7,"priority":2}}`)})
	b.db.setClock(created.Add(2 * time.Minute))
	subscribe("later", []string{"*"}, "")
	change("resumed", switchboard.ResumeSubscription, "")
	change("forgotten", switchboard.ResumeSubscription, "")
	change("stopped", switchboard.PauseSubscription, "too much")
	_, err := b.db.sql.Exec("DELETE FROM audit WHERE object = $1 AND verb IN ('create', 'pause')", b.id("sub_forgotten")) // older than what is kept
	must(t, err)
	_, _, err = b.db.UpdateSubscription(t.Context(), anybody(), b.id("sub_changed"), 1, func(s *switchboard.Subscription) error {
		s.Filter = json.RawMessage(`{"data":{"ticket":{"id":8}}}`)
		return nil
	})
	must(t, err)
	_, err = b.db.DeleteSubscription(t.Context(), anybody(), b.id("sub_gone"), "r")
	must(t, err)

	texts := func(key string) map[string]string {
		got := b.call(t, key, "GET", "/v1/events/evt_7/explain", nil)
		got.want(t, http.StatusOK)
		var out explanation
		must(t, json.Unmarshal(got.body, &out))
		all := map[string]string{"": out.Text}
		for _, s := range out.Subscriptions {
			all[s.SubscriptionID] = s.Text
			if s.Matches != strings.Contains(s.Text, " takes it") {
				t.Errorf("%+v", s)
			}
		}
		return all
	}
	got := texts(supportKey)
	for id, want := range map[string]string{
		"":           "acme has 9 subscriptions; 6 take the event, and it has 7 deliveries",
		"sub_acme":   "CRM takes it; its delivery is pending",
		"sub_calls":  `calls does not take it: the event type is "ticket.created"; the subscription takes call.*`,
		"sub_urgent": "urgent does not take it: data.ticket.priority is 2; it must be at least 3",
		"sub_paused": "paused takes it; its delivery is held; paused then, so its deliveries were held: paused by key_anybody (their wish), at 2026-01-31T11:00:30Z",
		"sub_resumed": "resumed takes it; its delivery is held; paused then, so its deliveries were held: paused by key_anybody (their wish), at 2026-01-31T11:00:30Z; " +
			"became active after the event by key_anybody, at 2026-01-31T11:02:00Z",
		"sub_forgotten": "forgotten takes it; its delivery is held; paused then, so its deliveries were held; became active after the event by key_anybody, at 2026-01-31T11:02:00Z",
		"sub_stopped":   "stopped takes it; its delivery is pending; active then; became paused after the event by key_anybody (too much), at 2026-01-31T11:02:00Z",
		"sub_changed":   "changed does not take it: data.ticket.id is 7; it must be 8; its delivery is pending; filter was changed since the event, to version 2, at 2026-01-31T11:02:00Z",
		"sub_later":     "later takes it; made after the event, at 2026-01-31T11:02:00Z",
		"sub_gone":      "the subscription sub_gone is deleted",
	} {
		if got[id] != want {
			t.Errorf("%s: %s\nwant %s", id, got[id], want)
		}
	}
	if blind := texts(b.blindKey(t))["sub_urgent"]; strings.Contains(blind, "is 2") || !strings.Contains(blind, "does not take it") {
		t.Errorf("without read_payload: %s", blind)
	}
	b.call(t, supportKey, "GET", "/v1/events/none/explain", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
	b.call(t, globexKey, "GET", "/v1/events/evt_7/explain", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
}

// TestExplainErased: only the type of erased data is known.
func TestExplainErased(t *testing.T) {
	t.Parallel()
	e := &switchboard.Event{Type: "ticket.created", ErasedAt: created}
	for filter, want := range map[string]explainedSubscription{
		"":                 {Matches: true},
		`{"data":{"a":1}}`: {Undecided: true},
	} {
		got := (&against{event: e}).explain(anybody(), &switchboard.Subscription{Name: "n", Events: []string{"*"}, Filter: json.RawMessage(filter), State: switchboard.SubscriptionActive})
		if got.Matches != want.Matches || got.Undecided != want.Undecided || got.Unmet != nil {
			t.Errorf("%s: %+v", filter, got)
		}
	}
}

// TestAttemptRequest: the body is rendered again, and compared with the stored digest.
func TestAttemptRequest(t *testing.T) {
	t.Parallel()
	const body = `{"name":"Ada"}`
	sum := sha256.Sum256([]byte(body))
	b := setup(t, func(c *Config) { c.Sender.(*fakeSender).Previewer = bytesPreview(body) })
	sent := switchboard.SentRequest{Method: "POST", URL: "https://crm.example.com/hook/secret-path", SHA256: sum[:], Bytes: len(body), Headers: map[string]string{"Webhook-Signature": "v1,its-signature"}}
	other := sent
	other.SHA256 = []byte("another")
	unknown := sent
	unknown.SHA256 = nil
	failed := switchboard.Outcome{StatusCode: 503, Failure: switchboard.FailureHTTP5xx, RemoteIP: "203.0.113.7", Response: switchboard.Response{Body: []byte("their words")}}
	b.deliver(t,
		switchboard.Attempt{Request: sent, Outcome: failed, SubscriptionVersion: 2}, switchboard.Attempt{Request: other, Outcome: failed, SubscriptionVersion: 2},
		switchboard.Attempt{Request: other, Outcome: failed, SubscriptionVersion: 3}, switchboard.Attempt{Request: unknown, Outcome: failed})
	blind := b.blindKey(t)
	for n, want := range []struct {
		same sameness
		why  string
	}{
		{isSame, "these are the bytes that were sent"}, {isNotSame, "the subscription has been changed since, from version 2 to 3"}, {isNotSame, "although the subscription is the same"}, {isSameUnknown, "no SHA-256 was kept"},
	} {
		got := b.call(t, supportKey, "GET", "/v1/deliveries/dlv_new/attempts/"+string(rune('1'+n))+"/request", nil)
		got.want(t, http.StatusOK)
		var out attemptRequest
		must(t, json.Unmarshal(got.body, &out))
		if out.Same != want.same || !strings.Contains(out.Why, want.why) || out.Body != body || out.RemoteIP != "203.0.113.7" || out.SHA256 != digest(sum[:]) {
			t.Errorf("attempt %d: %+v", n+1, out)
		}
		hidden := b.call(t, blind, "GET", "/v1/deliveries/dlv_new/attempts/"+string(rune('1'+n))+"/request", nil)
		hidden.want(t, http.StatusOK)
		if text := string(hidden.body); strings.Contains(text, "Ada") || strings.Contains(text, "secret-path") || !strings.Contains(text, `"body_redacted"`) {
			t.Errorf("without read_payload: %s", text)
		}
	}
	b.call(t, supportKey, "GET", "/v1/deliveries/dlv_new/attempts/5/request", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
	b.call(t, globexKey, "GET", "/v1/deliveries/dlv_new/attempts/1/request", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")

	// Only callers who may read the signed content see the signature, in both answers.
	for _, path := range []string{"/v1/deliveries/dlv_new", "/v1/deliveries/dlv_new/attempts/1/request"} {
		for key, want := range map[string]bool{supportKey: true, blind: false} {
			if shown := strings.Contains(string(b.call(t, key, "GET", path, nil).body), "its-signature"); shown != want {
				t.Errorf("%s shows the signature: %t; want %t", path, shown, want)
			}
		}
	}

	// Only callers who may read payloads see the receiver's words.
	said := func(key string) bool {
		return strings.Contains(string(b.call(t, key, "GET", "/v1/deliveries/dlv_new", nil).body), `"receiver_said":"their words"`)
	}
	if !said(supportKey) || said(blind) {
		t.Errorf("the receiver's words: %t for those who may read them, %t for others", said(supportKey), said(blind))
	}
}

// TestReadingAPayloadIsAudited: once for each person, delivery and hour, and only if a body is
// shown.
func TestReadingAPayloadIsAudited(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.Sender.(*fakeSender).Previewer = bytesPreview("its body") })
	blind := b.blindKey(t)
	const path = "/v1/deliveries/dlv_acme/attempts/1/request"
	read := func(key string, person ...string) {
		t.Helper()
		var headers []string
		if len(person) > 0 {
			headers = []string{"Switchboard-Actor", person[0]}
		}
		b.call(t, key, "GET", path, nil, headers...).want(t, http.StatusOK)
	}
	for range 3 {
		read(supportKey, "Ana")
	}
	read(supportKey, "Ben")
	read(supportKey)
	read(blind, "Ana")
	b.db.setClock(created.Add(time.Hour))
	read(supportKey, "Ana")
	b.store.fail("NotePayloadRead", &switchboard.Error{Code: switchboard.CodeUnavailable, Message: "the database is away"})
	if got := b.call(t, supportKey, "GET", path, nil); got.status != http.StatusServiceUnavailable || strings.Contains(string(got.body), "its body") {
		t.Errorf("a body is shown that cannot be noted: %d %s", got.status, got.body)
	}
	var people []string
	for _, e := range b.actions(t) {
		if e.Verb != switchboard.AuditReadPayload || e.Kind != switchboard.AuditDelivery || e.Object != b.id("dlv_acme") || e.Tenant != "acme" {
			t.Errorf("%+v", e)
		}
		people = append(people, e.Person)
	}
	if want := []string{"Ana", "", "Ben", "Ana"}; !slices.Equal(people, want) {
		t.Errorf("newest first %q; want %q", people, want)
	}
}

// TestAttemptRequestThatCannotBeRendered: the answer says why.
func TestAttemptRequestThatCannotBeRendered(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.Sender.(*fakeSender).Previewer = refusingPreview{} })
	got := b.call(t, supportKey, "GET", "/v1/deliveries/dlv_acme/attempts/1/request", nil)
	got.want(t, http.StatusOK)
	var out attemptRequest
	must(t, json.Unmarshal(got.body, &out))
	if out.Same != isSameUnknown || out.Why != "the request cannot be rendered today: request.params.a has no value" || out.Body != "" {
		t.Errorf("%+v", out)
	}
	_, err := b.db.sql.Exec("UPDATE events SET erased_at = now(), data = '' WHERE id = 'evt_acme'")
	must(t, err)
	got = b.call(t, supportKey, "GET", "/v1/deliveries/dlv_acme/attempts/1/request", nil)
	if got.want(t, http.StatusOK); !strings.Contains(string(got.body), "the data of the event are erased") {
		t.Errorf("%s", got.body)
	}
}

// refusingPreview renders nothing.
type refusingPreview struct{}

func (refusingPreview) Preview(switchboard.LoadedDelivery, time.Time) (webhook.Preview, error) {
	return webhook.Preview{}, switchboard.InvalidField("request.params.a", "has no value")
}
