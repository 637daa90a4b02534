package api

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

const contactSubscription = `{"profile":"firstline","use_case":"contact","events":["contact.*"],
	"request":{"method":"PUT","url":"https://api.example.com/users/{{ contact.id }}","body":"params",
	"params":{"first_name":"{{ contact.first_name }}","height":"{{czCol.15}}"},"headers":{"X-Ticket":"t-{{ contact.id }}","X-Api-Key":"hunter2"},
	"content_type":"application/x-www-form-urlencoded"}}`

func TestPreviewGiven(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.call(t, supportKey, "POST", "/v1/preview", `{"subscription":`+contactSubscription+`,"type":"contact.created",
		"data":{"contact":{"id":"a/b","first_name":"Ada & Co","czCol":{"15":"1.70"}}}}`).want(t, http.StatusOK)
	if got["method"] != "PUT" || got["url"] != "https://api.example.com/users/a%2Fb" || got["body"] != "first_name=Ada+%26+Co&height=1.70" || got["body_encoding"] != nil {
		t.Errorf("got %v", got)
	}
	headers := got["headers"].(map[string]any)
	if headers["X-Ticket"] != "t-a/b" || headers["X-Api-Key"] != switchboard.Mask || headers["Webhook-Signature"] == nil || headers["Content-Type"] != "application/x-www-form-urlencoded" {
		t.Errorf("headers %v", headers)
	}
	if warnings := asList(got["warnings"]); len(warnings) != 1 || !strings.HasPrefix(warnings[0].(string), "request.params.height: {{ czCol.15 }} ") {
		t.Errorf("warnings %v", warnings)
	}
	if b.stored(t) {
		t.Error("something was stored")
	}
}

// TestPreviewOfSamples: without an event, the preview uses the catalogue's sample of the first
// event type that the subscription receives.
func TestPreviewOfSamples(t *testing.T) {
	t.Parallel()
	b := setup(t)
	base, err := loadCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	sampleOf := func(platform, name string) string {
		e, _ := base.EventType(platform, name)
		return string(e.Sample)
	}
	dataBody := `"request":{"url":"https://example.com/","body":"data"}`
	for body, want := range map[string]string{
		`{"subscription":{"profile":"ziwo","events":["call.*"],` + dataBody + `}}`:                          sampleOf("ziwo", "call.answered"),
		`{"subscription":{"profile":"ziwo","events":["call.*"],` + dataBody + `},"type":"agent.logged_in"}`: sampleOf("ziwo", "agent.logged_in"),
		`{"subscription":{"events":["nobody.knows","user.created"],` + dataBody + `}}`:                      sampleOf("commbox", "user.created"),
		`{"subscription":{"use_case":"agent",` + dataBody + `}}`:                                            sampleOf("ziwo", "agent.logged_in"),
		`{"subscription":{"events":["nobody.knows"],` + dataBody + `},"data":[1, 2]}`:                       `[1, 2]`,
	} {
		if got := b.call(t, integratorKey, "POST", "/v1/preview", body).want(t, http.StatusOK); got["body"] != want || want == "" {
			t.Errorf("%s: got %v, want %s", body, got["body"], want)
		}
	}
	b.call(t, integratorKey, "POST", "/v1/preview", `{"subscription":{"events":["nobody.knows"],`+dataBody+`}}`).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "data")
}

// TestPreviewOfStored: the preview has the signature of a real request.
func TestPreviewOfStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sign(t, "sub_acme", signing.Standard)
	b.post(t, switchboard.Event{ID: "one", Tenant: "acme", Type: "ticket.created", Data: []byte(`{"id": 1}`), OccurredAt: created})
	const path = "/v1/subscriptions/sub_acme/preview"
	got := b.call(t, integratorKey, "POST", path, `{"event_id":"one"}`).want(t, http.StatusOK)
	want := `{"id":"one","type":"ticket.created","timestamp":"` + created.UTC().Format("2006-01-02T15:04:05.000000Z") + `","data":{"id": 1}}`
	if got["body"] != want || got["url"] != "https://crm.example.com/hook" || got["method"] != "POST" || len(asList(got["warnings"])) != 0 {
		t.Errorf("got %v", got)
	}
	shown := http.Header{}
	for name, value := range got["headers"].(map[string]any) {
		shown.Set(name, value.(string))
	}
	if shown.Get("X-Api-Key") != switchboard.Mask || shown.Get("X-Env") != "prod" {
		t.Errorf("headers %v", shown)
	}
	verifier, err := standardwebhooks.NewWebhook(b.subscription(t, "sub_acme").Secrets[0].Secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify([]byte(want), shown); err != nil {
		t.Error(err)
	}
	// A support key may neither send its own data nor get a signature with which to send them.
	got = b.call(t, supportKey, "POST", path, `{"event_id":"one"}`).want(t, http.StatusOK)
	for name, value := range got["headers"].(map[string]any) {
		shown.Set(name, value.(string))
	}
	if err := verifier.Verify([]byte(want), shown); !errors.Is(err, standardwebhooks.ErrNoMatchingSignature) {
		t.Errorf("support is shown a valid signature: %v", err)
	}
	b.call(t, integratorKey, "POST", path, `{"event_id":"two"}`).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "event_id")
}

// TestPreviewNamesThePlaceholder: a template that cannot be rendered is an error of its field.
func TestPreviewNamesThePlaceholder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.call(t, integratorKey, "POST", "/v1/preview", `{"subscription":`+contactSubscription+`,"type":"contact.created","data":{"contact":{"id":1,"first_name":"Ada"}}}`).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "subscription.request.params.height")
	if !strings.Contains(p.Detail, "czCol.15") {
		t.Errorf("detail %q", p.Detail)
	}
	b.change(t, "sub_acme", func(s *switchboard.Subscription) { s.Request.URL = "https://crm.example.com/{{ ticket.nothing }}" })
	b.sign(t, "sub_acme", signing.Standard)
	p = b.call(t, integratorKey, "POST", "/v1/subscriptions/sub_acme/preview", `{"type":"ticket.created","data":{"ticket":{}}}`).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "request.url")
	if !strings.Contains(p.Detail, "ticket.nothing") {
		t.Errorf("detail %q", p.Detail)
	}
}

func TestPreviewBodyThatIsNoText(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.Sender.(*fakeSender).Previewer = bytesPreview("\xff\x00") })
	got := b.call(t, integratorKey, "POST", "/v1/subscriptions/sub_acme/preview", `{"data":1}`).want(t, http.StatusOK)
	if diff := cmp.Diff(map[string]any{
		"method": "POST", "url": "", "headers": map[string]any{}, "warnings": []any{},
		"body": base64.StdEncoding.EncodeToString([]byte("\xff\x00")), "body_encoding": "base64",
	}, got); diff != "" {
		t.Error(diff)
	}
}
