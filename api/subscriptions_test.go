package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

func TestCreateSubscription(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.call(t, integratorKey, "POST", "/v1/subscriptions", `{"tenant":"acme","name":"CRM sync","events":["ticket.*"],
		"request":{"url":"https://crm.example.com/hook","headers":{"Authorization":"Bearer hunter2","X-Env":"prod"}}}`).want(t, http.StatusCreated)
	secret, _ := got["secret"].(string)
	if err := signing.CheckSecret(signing.Standard, switchboard.Secret(secret)); err != nil {
		t.Errorf("secret %q: %v", secret, err)
	}
	delete(got, "secret")
	want := map[string]any{
		"id": "sub_new", "tenant": "acme", "name": "CRM sync", "events": []any{"ticket.*"},
		"request": map[string]any{
			"method": "POST", "url": "https://crm.example.com/hook", "body": "envelope", "content_type": "application/json", "http_version": "auto",
			"headers": map[string]any{"Authorization": "[redacted]", "X-Env": "prod"},
		},
		"filter": map[string]any{}, "verification": "none",
		"adaptive":       map[string]any{"enabled": true, "minimum_timeout": "5s", "maximum_interval_factor": 2.0, "minimum_attempts": 38.0},
		"signature":      map[string]any{"scheme": "standard", "secrets": []any{map[string]any{"since": "2026-01-31T11:00:00Z", "until": nil}}},
		"retry":          map[string]any{"initial_interval": "5s", "backoff_coefficient": 3.0, "maximum_interval": "4h", "maximum_attempts": 38.0},
		"retry_schedule": append([]any{"5s", "15s", "45s", "2m15s", "6m45s", "20m15s", "1h0m45s", "3h2m15s"}, slices.Repeat([]any{"4h"}, 29)...),
		"retry_span":     "120h33m20s",
		"timeout":        "10s", "max_in_flight": 16.0, "state": "active", "state_reason": "", "version": 1.0,
		"ordering": "none", "hold_for": "720h", "release_rate": 50.0,
		"breaker":     map[string]any{"mode": "auto", "minimum_attempts": 10.0, "failure_percent": 70.0, "window": "5m", "failures_in_a_row": 10.0, "disable_after": "120h"},
		"state_since": "2026-01-31T11:00:00Z", "state_by": "key_integrator",
		"created_at": "2026-01-31T11:00:00Z", "updated_at": "2026-01-31T11:00:00Z",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	stored := b.subscription(t, "sub_new")
	if stored.Request.Headers["Authorization"] != "Bearer hunter2" || stored.Secrets[0].Secret.Reveal() != secret {
		t.Errorf("stored: %+v", stored)
	}
	again := b.call(t, viewerKey, "GET", "/v1/subscriptions/sub_new", nil)
	if again.want(t, http.StatusOK)["secret"] != nil || strings.Contains(string(again.body), "hunter2") {
		t.Errorf("a secret is shown again: %s", again.body)
	}
}

func TestCreateSubscriptionWithEverything(t *testing.T) {
	t.Parallel()
	b := setup(t)
	secret := signing.NewSecret(signing.Standard).Reveal()
	got := b.call(t, integratorKey, "POST", "/v1/subscriptions", `{"tenant":"acme","name":"n","events":["a","b.*"],"secret":"`+secret+`",
		"request":{"url":"https://example.com/","method":"put","body":"data","content_type":"text/xml"},"signature":{"scheme":"standard"},
		"retry":{"initial_interval":"12h","backoff_coefficient":1.5,"maximum_attempts":3},"timeout":"1s","max_in_flight":1}`).want(t, http.StatusCreated)
	if got["secret"] != secret {
		t.Errorf("secret %v", got["secret"])
	}
	stored := b.subscription(t, "sub_new")
	hours := switchboard.Duration(12 * time.Hour)
	want := switchboard.Subscription{
		ID: stored.ID, Tenant: "acme", Name: "n", Events: []string{"a", "b.*"}, State: switchboard.SubscriptionActive,
		Request:   switchboard.Request{Method: "PUT", URL: "https://example.com/", Body: switchboard.BodyData, ContentType: "text/xml", HTTPVersion: switchboard.HTTPVersionAuto},
		Signature: switchboard.Signature{Scheme: signing.Standard}, Secrets: []switchboard.SigningSecret{{Secret: switchboard.Secret(secret), CreatedAt: created}},
		Retry:        switchboard.RetryPolicy{InitialInterval: hours, BackoffCoefficient: 1.5, MaximumInterval: hours, MaxAttempts: 3},
		Verification: switchboard.VerificationNone, Timeout: switchboard.MinTimeout, MaxInFlight: 1, Version: 1, CreatedAt: created, UpdatedAt: created,
		StateSince: created.UTC(), StateBy: stored.StateBy, // the key's id
	}
	want.SetDefaults() // of flow control
	if diff := cmp.Diff(want, stored); diff != "" {
		t.Error(diff)
	}
}

// TestUpdateSubscription changes what is given and nothing else.
func TestUpdateSubscription(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		body   string
		change func(*switchboard.Subscription)
	}{
		"nothing": {`{"version":3}`, func(*switchboard.Subscription) {}},
		"null":    {`{"version":3,"timeout":null}`, func(*switchboard.Subscription) {}},
		"name":    {`{"version":3,"name":"new"}`, func(s *switchboard.Subscription) { s.Name = "new" }},
		"events":  {`{"version":3,"events":["a"]}`, func(s *switchboard.Subscription) { s.Events = []string{"a"} }},
		"url":     {`{"version":3,"request":{"url":"https://crm.example.com/b"}}`, func(s *switchboard.Subscription) { s.Request.URL = "https://crm.example.com/b" }},
		"method":  {`{"version":3,"request":{"method":"patch"}}`, func(s *switchboard.Subscription) { s.Request.Method = "PATCH" }},
		"retry":   {`{"version":3,"retry":{"maximum_attempts":2}}`, func(s *switchboard.Subscription) { s.Retry.MaxAttempts = 2 }},
		"limits": {`{"version":3,"timeout":"2s","max_in_flight":2,"signature":{"scheme":"standard"}}`, func(s *switchboard.Subscription) {
			s.Timeout, s.MaxInFlight = switchboard.Duration(2*time.Second), 2
		}},
		"headers": {`{"version":3,"request":{"headers":{"X-Env":"test"}}}`, func(s *switchboard.Subscription) {
			s.Request.Headers = map[string]string{"X-Api-Key": "hunter2", "X-Env": "test"}
		}},
		"no such header": {`{"version":3,"request":{"headers":{"X-Env":null,"X-None":null}}}`, func(s *switchboard.Subscription) {
			s.Request.Headers = map[string]string{"X-Api-Key": "hunter2"}
		}},
		"headers, masked": {`{"version":3,"request":{"headers":{"x-api-key":"[redacted]","X-New":"1"}}}`, func(s *switchboard.Subscription) {
			s.Request.Headers = map[string]string{"x-api-key": "hunter2", "X-Env": "prod", "X-New": "1"}
		}},
		"filter":                   {`{"version":3,"filter":{"data": {"vip":true}}}`, func(s *switchboard.Subscription) { s.Filter = json.RawMessage(`{"data":{"vip":true}}`) }},
		"no filter":                {`{"version":3,"filter":null}`, func(*switchboard.Subscription) {}},
		"what is fixed, sent back": {`{"version":3,"use_case":"","profile":""}`, func(*switchboard.Subscription) {}},
		"envelope": {`{"version":3,"request":{"envelope":{"type":"event","time_format":"unix"}}}`, func(s *switchboard.Subscription) {
			s.Request.Envelope = &switchboard.EnvelopeFields{Type: "event", TimeFormat: switchboard.TimeFormatUnix}
		}},
		"params in XML": {`{"version":3,"request":{"body":"params","params":{"a":"{{ b }}"},"missing":"empty","content_type":"text/xml",
			"xml":{"root":"r","attributes":true,"elements":["e"],"json":["j"]},"soap":{"version":"1.1","action":"urn:a","namespace":"urn:n","parameters":{"p":"{{ c }}"}}}}`,
			func(s *switchboard.Subscription) {
				r := &s.Request
				r.Body, r.Params, r.Missing, r.ContentType = switchboard.BodyParams, json.RawMessage(`{"a":"{{ b }}"}`), switchboard.MissingEmpty, "text/xml"
				r.XML = &switchboard.XMLStyle{Root: "r", Attributes: true, Elements: []string{"e"}, JSON: []string{"j"}}
				r.SOAP = &switchboard.SOAP{Version: "1.1", Action: "urn:a", Namespace: "urn:n", Parameters: map[string]string{"p": "{{ c }}"}}
			}},
		"limits that follow the load": {`{"version":3,"timeout":"20s","adaptive":{"enabled":true,"maximum_interval_factor":3}}`, func(s *switchboard.Subscription) {
			s.Timeout = switchboard.Duration(20 * time.Second)
			s.Adaptive = switchboard.Adaptive{Enabled: true, MinimumTimeout: switchboard.Duration(5 * time.Second), MaxIntervalFactor: 3, MinimumAttempts: 38}
		}},
		"no headers":        {`{"version":3,"request":{"headers":null}}`, func(s *switchboard.Subscription) { s.Request.Headers = nil }},
		"no further header": {`{"version":3,"request":{"headers":{}}}`, func(*switchboard.Subscription) {}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			before := b.subscription(t, "sub_acme")
			want := before
			c.change(&want)
			if !cmp.Equal(before, want) { // a change of nothing does not change the version
				want.Version++
			}
			got := b.call(t, acmeIntegratorKey, "PATCH", "/v1/subscriptions/sub_acme", c.body)
			if got.want(t, http.StatusOK)["version"] != float64(want.Version) || strings.Contains(string(got.body), "hunter2") {
				t.Errorf("answer: %s", got.body)
			}
			after := b.subscription(t, "sub_acme")
			want.UpdatedAt = after.UpdatedAt
			if diff := cmp.Diff(want, after); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestReadChangeWrite sends back what was read, as an editor does, and keeps the secrets.
func TestReadChangeWrite(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.change(t, "sub_acme", func(s *switchboard.Subscription) {
		s.Filter = json.RawMessage(`{"data":{"vip":true}}`)
		s.Request.Body, s.Request.Params = switchboard.BodyParams, json.RawMessage(`{"a":"{{ b }}"}`)
		s.Request.XML = &switchboard.XMLStyle{Root: "r"}
		s.Signature = switchboard.Signature{Scheme: signing.HMACHex, Header: "X-Sig", Prefix: "sha256="}
		s.Auth = switchboard.Auth{Type: switchboard.AuthBasic, Username: "joe", Password: "hunter2"}
		s.Adaptive = switchboard.Adaptive{Enabled: true, MinimumTimeout: s.Timeout, MaxIntervalFactor: 1.5, MinimumAttempts: 3}
	})
	before := b.subscription(t, "sub_acme")
	read := b.call(t, integratorKey, "GET", "/v1/subscriptions/sub_acme", nil).want(t, http.StatusOK)
	written := map[string]any{}
	for _, field := range []string{"version", "name", "events", "filter", "request", "signature", "auth", "verification", "retry", "timeout", "adaptive", "max_in_flight"} {
		written[field] = read[field]
	}
	b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", written).want(t, http.StatusOK)
	if len(b.receivers.authorized)+len(b.receivers.challenged) > 0 {
		t.Error("somebody was asked about what did not change")
	}
	after := b.subscription(t, "sub_acme")
	before.UpdatedAt = after.UpdatedAt
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
}

// TestClear: null removes optional members.
func TestClear(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := b.subscription(t, "sub_acme")
	b.change(t, "sub_acme", func(s *switchboard.Subscription) {
		s.Filter = json.RawMessage(`{"data":{"vip":true}}`)
		s.Request.Envelope, s.Request.XML, s.Request.SOAP = &switchboard.EnvelopeFields{ID: "i"}, &switchboard.XMLStyle{}, &switchboard.SOAP{Version: "1.1"}
		s.Request.ContentType = "text/xml"
		s.Auth = switchboard.Auth{Type: switchboard.AuthBearer, Token: "hunter2"}
	})
	b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", `{"version":3,"filter":{},"auth":null,
		"request":{"envelope":null,"params":null,"xml":null,"soap":null,"content_type":"application/json"}}`).want(t, http.StatusOK)
	want.Version++
	got := b.subscription(t, "sub_acme")
	want.UpdatedAt = got.UpdatedAt
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestLimitsOfChanges: bounds that were defaults follow the limits that they depend on, and a
// timeout without adaptive is fixed.
func TestLimitsOfChanges(t *testing.T) {
	t.Parallel()
	seconds := func(n int) switchboard.Duration { return switchboard.Duration(time.Duration(n) * time.Second) }
	cases := map[string]struct {
		body string
		want switchboard.Adaptive
	}{
		"fewer attempts":           {`{"version":3,"retry":{"maximum_attempts":3}}`, switchboard.Adaptive{Enabled: true, MinimumTimeout: seconds(5), MaxIntervalFactor: 2, MinimumAttempts: 3}},
		"more attempts":            {`{"version":3,"retry":{"maximum_attempts":20}}`, switchboard.Adaptive{Enabled: true, MinimumTimeout: seconds(5), MaxIntervalFactor: 2, MinimumAttempts: 20}},
		"a timeout":                {`{"version":3,"timeout":"3s"}`, switchboard.Adaptive{}},
		"a timeout that follows":   {`{"version":3,"timeout":"3s","adaptive":{"enabled":true}}`, switchboard.Adaptive{Enabled: true, MinimumTimeout: seconds(3), MaxIntervalFactor: 2, MinimumAttempts: 38}},
		"a bound":                  {`{"version":3,"adaptive":{"minimum_attempts":4}}`, switchboard.Adaptive{Enabled: true, MinimumTimeout: seconds(5), MaxIntervalFactor: 2, MinimumAttempts: 4}},
		"fixed":                    {`{"version":3,"adaptive":{"enabled":false}}`, switchboard.Adaptive{}},
		"nothing of limits at all": {`{"version":3,"name":"x"}`, switchboard.Adaptive{Enabled: true, MinimumTimeout: seconds(5), MaxIntervalFactor: 2, MinimumAttempts: 38}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.change(t, "sub_acme", func(s *switchboard.Subscription) { s.Adaptive.Enabled = true })
			b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", c.body).want(t, http.StatusOK)
			if diff := cmp.Diff(c.want, b.subscription(t, "sub_acme").Adaptive); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestListSubscriptions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"sub_acme", "sub_globex"} {
		b.change(t, name, func(s *switchboard.Subscription) { s.State = switchboard.SubscriptionPaused })
	}
	got := b.call(t, viewerKey, "GET", "/v1/subscriptions?state=paused&tenant=acme&text=ACME&failing=false", nil)
	if body := got.want(t, http.StatusOK); body["next_cursor"] != nil || len(body["data"].([]any)) != 1 {
		t.Errorf("got %v", body)
	}
	if strings.Contains(string(got.body), "hunter2") {
		t.Errorf("a secret is shown: %s", got.body)
	}
	if diff := cmp.Diff(switchboard.SubscriptionFilter{Tenant: "acme", State: switchboard.SubscriptionPaused, Failing: new(false), Text: "ACME"}, b.store.subscriptions); diff != "" {
		t.Error(diff)
	}
}

func TestDeleteSubscription(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.call(t, integratorKey, "DELETE", "/v1/subscriptions/sub_acme?reason=moved", nil)
	got.want(t, http.StatusNoContent)
	if len(got.body) > 0 {
		t.Errorf("body %q", got.body)
	}
	started := b.started()
	if len(started) != 2 || !strings.HasPrefix(started[0], "operate op_") || started[1] != "wake sub_acme" {
		t.Fatalf("started %v", started)
	}
	cancels := b.call(t, viewerKey, "GET", "/v1/operations/"+strings.TrimPrefix(started[0], "operate "), nil).want(t, http.StatusOK)
	if cancels["action"] != "cancel" || cancels["reason"] != "moved" || cancels["subscription_id"] != "sub_acme" {
		t.Errorf("operation %v", cancels)
	}
	b.call(t, integratorKey, "DELETE", "/v1/subscriptions/sub_acme?reason=moved", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
}

func TestRotateSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, grace := range map[string]time.Duration{``: 24 * time.Hour, `{}`: 24 * time.Hour, `{"grace":"0s"}`: 0, `{"grace":"168h"}`: 168 * time.Hour} {
		got := b.call(t, integratorKey, "POST", "/v1/subscriptions/sub_acme/rotate_secret", body).want(t, http.StatusOK)
		if b.store.rotation != (switchboard.Rotation{Grace: grace}) {
			t.Errorf("%s: %+v", body, b.store.rotation)
		}
		if current := b.subscription(t, "sub_acme").Secrets[0].Secret.Reveal(); got["secret"] != current {
			t.Errorf("%s: answered %v, stored %v", body, got["secret"], current)
		}
	}
}

func TestTestSubscription(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sample := func(platform, name string) string {
		base, err := loadCatalogue()
		if err != nil {
			t.Fatal(err)
		}
		e, _ := base.EventType(platform, name)
		return string(e.Sample)
	}
	for i, c := range []struct {
		profile            string
		events             []string
		body               string
		wantType, wantData string
	}{
		{"", []string{"ticket.*"}, ``, "ticket.created", sample("firstline", "ticket.created")},
		{"iomnihub", []string{"ticket.*"}, ``, "ticket.created", sample("iomnihub", "ticket.created")},
		{"iomnihub", []string{"Ticket.Resolved"}, `{}`, "ticket.resolved", sample("iomnihub", "ticket.resolved")},
		{"ziwo", []string{"*"}, ``, "agent.logged_in", sample("ziwo", "agent.logged_in")},
		{"", []string{"order.paid", "user.created"}, ``, "user.created", sample("commbox", "user.created")},
		{"", []string{"*"}, ``, "switchboard.test", testData},
		{"", []string{"order.paid"}, ``, "switchboard.test", testData},
		{"", []string{"*"}, `{"type":"order.paid"}`, "order.paid", testData},
		{"", []string{"*"}, `{"type":"Agent.Logged_In"}`, "Agent.Logged_In", sample("ziwo", "agent.logged_in")},
		{"", []string{"*"}, `{"data": {"x" : null} }`, "switchboard.test", `{"x" : null}`},
		{"", []string{"ticket.*"}, `{"data":null}`, "ticket.created", `null`},
	} {
		b.change(t, "sub_acme", func(s *switchboard.Subscription) { s.Profile, s.Events = c.profile, c.events })
		got := b.call(t, acmeIntegratorKey, "POST", "/v1/subscriptions/sub_acme/test", c.body).want(t, http.StatusAccepted)
		if d := got["deliveries"].([]any); len(d) != 1 || d[0].(map[string]any)["subscription_id"] != "sub_acme" {
			t.Errorf("%s: %v", c.body, got)
		}
		e := b.events(t)[i]
		if e.Tenant != "acme" || e.Type != c.wantType || string(e.Data) != c.wantData {
			t.Errorf("%s %q %s: stored %s of %s with %s", c.profile, c.events, c.body, e.Type, e.Tenant, e.Data)
		}
	}
	if started := b.started(); len(started) != 11 {
		t.Errorf("started %v", started)
	}
	if !json.Valid([]byte(testData)) {
		t.Error("the sample is not JSON")
	}
}
