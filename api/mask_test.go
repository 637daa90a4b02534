package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// TestMasksThatComeBack: a caller who may change a subscription but not read payloads can send back
// what was shown, and masks are never stored.
func TestMasksThatComeBack(t *testing.T) {
	t.Parallel()
	b := marked(t)
	key := matrixKey{switchboard.RoleIntegrator, "acme", false}
	_, err := b.db.CreateKey(t.Context(), anybody(), switchboard.Key{Name: "n", Role: key.role, Tenant: key.tenant}, switchboard.Secret(key.text()))
	must(t, err)
	stored := func() switchboard.Subscription {
		s, err := b.db.GivenSubscription(t.Context(), anybody(), b.id("sub_acme"))
		must(t, err)
		return s
	}
	before := stored()
	shown := b.call(t, key.text(), "GET", "/v1/subscriptions/sub_acme", nil).want(t, http.StatusOK)
	sent := map[string]any{"version": 3}
	for _, name := range []string{"name", "events", "request", "auth", "signature", "retry"} {
		sent[name] = shown[name]
	}
	delete(sent["signature"].(map[string]any), "secrets")
	delete(sent["signature"].(map[string]any), "public_keys")
	b.call(t, key.text(), "PATCH", "/v1/subscriptions/sub_acme", sent).want(t, http.StatusOK)
	if diff := cmp.Diff(before.Request, stored().Request); diff != "" {
		t.Errorf("the request, after all that was shown came back: %s", diff)
	}
	if diff := cmp.Diff(before.Auth.Reveal(), stored().Auth.Reveal()); diff != "" {
		t.Errorf("the authentication, after all that was shown came back: %s", diff)
	}
	for _, c := range []struct{ name, request, field string }{
		{"another header", `{"headers":{"X-Env":"[redacted]","X-New":"1"}}`, ""},
		{"a mask in place of a header that is not there", `{"headers":{"X-Other":"[redacted]"}}`, "request.headers.X-Other"},
		{"a mask with more in a header", `{"headers":{"X-Env":"[redacted]!"}}`, "request.headers.X-Env"},
		{"the mask of another address", `{"url":"https://elsewhere.example.com/[redacted]"}`, "request.url"},
		{"a mask with more in the URL", `{"url":"https://crm.example.com/[redacted]/more"}`, "request.url"},
		{"a mask in place of a parameter that is not there", `{"soap":{"parameters":{"other":"[redacted]"}}}`, "request.soap.parameters.other"},
		{"params that hold a mask", `{"params":{"a":"[redacted]"}}`, "request.params"},
		{"other params", `{"params":{"a":"b"}}`, ""},
	} {
		version := stored().Version
		got := b.call(t, key.text(), "PATCH", "/v1/subscriptions/sub_acme", strings.Replace(`{"version":VERSION,"request":`+c.request+`}`, "VERSION", string(asJSON(version)), 1))
		if c.field != "" {
			got.wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, c.field)
		} else {
			got.want(t, http.StatusOK)
		}
	}
	after := stored().Request
	before.Request.Headers["X-New"], before.Request.Params = "1", []byte(`{"a":"b"}`)
	if diff := cmp.Diff(before.Request, after); diff != "" {
		t.Errorf("the request, after changes: %s", diff)
	}
}

// TestTriggerWithoutPayload: a script with a key without read_payload learns how its call ended,
// but not what the receiver answered.
func TestTriggerWithoutPayload(t *testing.T) {
	t.Parallel()
	for _, reads := range []bool{true, false} {
		b := answering(t, 38, nil, switchboard.Outcome{StatusCode: 200, Response: switchboard.Response{
			Headers: map[string]string{"Content-Type": "application/json", "Etag": payloadMark}, Body: []byte(`{"found":"` + payloadMark + `"}`)}})
		key := matrixKey{switchboard.RolePublisher, "acme", reads}
		_, err := b.db.CreateKey(t.Context(), anybody(), switchboard.Key{Name: "n", Role: key.role, Tenant: key.tenant, ReadPayload: reads}, switchboard.Secret(key.text()))
		must(t, err)
		got := b.call(t, key.text(), "POST", triggerPath+"?wait=1m", `{"data":1}`)
		answer := got.want(t, http.StatusOK)
		if holds := strings.Contains(string(got.body), payloadMark); holds != reads || answer["status_code"] != 200.0 || (answer["body_redacted"] == nil) != reads {
			t.Errorf("read_payload %t: %s", reads, got.body)
		}
	}
}
