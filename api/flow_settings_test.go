package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// TestBadFlowSettings: creating and changing a subscription refuse each with the member's name, and
// nothing is stored.
func TestBadFlowSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ fields, field string }{
		{`"max_in_flight":101`, "max_in_flight"},
		{`"max_in_flight":0`, "max_in_flight"},
		{`"max_in_flight":-1`, "max_in_flight"},
		{`"max_in_flight":1.5`, "max_in_flight"},
		{`"rate_limit":7`, "rate_limit"},
		{`"rate_limit":[]`, "rate_limit"},
		{`"rate_limit":{}`, "rate_limit.per_second"},
		{`"rate_limit":{"burst":5}`, "rate_limit.per_second"},
		{`"rate_limit":{"per_second":null}`, "rate_limit.per_second"},
		{`"rate_limit":{"per_second":0}`, "rate_limit.per_second"},
		{`"rate_limit":{"per_second":-1}`, "rate_limit.per_second"},
		{`"rate_limit":{"per_second":0.009}`, "rate_limit.per_second"},
		{`"rate_limit":{"per_second":1000.1}`, "rate_limit.per_second"},
		{`"rate_limit":{"per_second":1e400}`, "rate_limit.per_second"},
		{`"rate_limit":{"per_second":"10"}`, "rate_limit.per_second"},
		{`"rate_limit":{"per_second":1,"burst":0}`, "rate_limit.burst"},
		{`"rate_limit":{"per_second":1,"burst":-1}`, "rate_limit.burst"},
		{`"rate_limit":{"per_second":1,"burst":1001}`, "rate_limit.burst"},
		{`"rate_limit":{"per_second":1,"burst":1.5}`, "rate_limit.burst"},
		{`"rate_limit":{"per_second":1,"per_minute":1}`, "rate_limit.per_minute"},
		{`"rate_limit":{"per_second":1,"per_second":2}`, "rate_limit.per_second"},
		{`"ordering":"keys"`, "ordering"},
		{`"ordering":"KEY"`, "ordering"},
		{`"ordering":true`, "ordering"},
		{`"ordering":{"by":"key"}`, "ordering"},
		{`"deliver_within":"999ms"`, "deliver_within"},
		{`"deliver_within":"720h0m1s"`, "deliver_within"},
		{`"deliver_within":"-1m"`, "deliver_within"},
		{`"deliver_within":"0s"`, "deliver_within"},
		{`"deliver_within":30`, "deliver_within"},
		{`"deliver_within":"half an hour"`, "deliver_within"},
		{`"supersede":"yes"`, "supersede"},
		{`"supersede":1`, "supersede"},
		{`"hold_for":"59s"`, "hold_for"},
		{`"hold_for":"2160h0m1s"`, "hold_for"},
		{`"hold_for":"0s"`, "hold_for"},
		{`"hold_for":2592000`, "hold_for"},
		{`"release_rate":0`, "release_rate"},
		{`"release_rate":-1`, "release_rate"},
		{`"release_rate":1001`, "release_rate"},
		{`"release_rate":0.5`, "release_rate"},
		{`"release_rate":"fast"`, "release_rate"},
		{`"breaker":"off"`, "breaker"},
		{`"breaker":{"mode":"on"}`, "breaker.mode"},
		{`"breaker":{"mode":false}`, "breaker.mode"},
		{`"breaker":{"minimum_attempts":0}`, "breaker.minimum_attempts"},
		{`"breaker":{"minimum_attempts":-1}`, "breaker.minimum_attempts"},
		{`"breaker":{"minimum_attempts":1001}`, "breaker.minimum_attempts"},
		{`"breaker":{"failure_percent":0}`, "breaker.failure_percent"},
		{`"breaker":{"failure_percent":101}`, "breaker.failure_percent"},
		{`"breaker":{"failure_percent":70.5}`, "breaker.failure_percent"},
		{`"breaker":{"window":"9s"}`, "breaker.window"},
		{`"breaker":{"window":"61m"}`, "breaker.window"},
		{`"breaker":{"window":300}`, "breaker.window"},
		{`"breaker":{"failures_in_a_row":0}`, "breaker.failures_in_a_row"},
		{`"breaker":{"failures_in_a_row":1001}`, "breaker.failures_in_a_row"},
		{`"breaker":{"disable_after":"59m"}`, "breaker.disable_after"},
		{`"breaker":{"disable_after":"91d"}`, "breaker.disable_after"},
		{`"breaker":{"disable_after":"never"}`, "breaker.disable_after"},
		{`"breaker":{"threshold":5}`, "breaker.threshold"},
		{`"state":"paused"`, "state"},
		{`"state_reason":"holiday"`, "state_reason"},
		{`"state_by":"me"`, "state_by"},
		{`"state_since":"2026-01-31T12:00:00Z"`, "state_since"},
		{`"health":null`, "health"},
		{`"request":{"url":"https://example.com/","headers":{"X-A":"1","X-A":"2"}}`, "request.headers.X-A"},
		{`"request":{"url":"https://example.com/","headers":{"X-A":"1","X-\u0041":"2"}}`, "request.headers.X-A"},
		{`"auth":{"type":"oauth2","token_url":"https://id.example.com/","client_id":"me","client_secret":"hunter2","parameters":{"a":"1","a":"2"}}`, "auth.parameters.a"},
	} {
		for _, call := range []struct{ method, path, head string }{
			{"POST", "/v1/subscriptions", `{"tenant":"acme","name":"n","events":["*"],`},
			{"PATCH", "/v1/subscriptions/sub_acme", `{"version":3,`},
			{"POST", "/v1/preview", `{"type":"t","data":1,"subscription":{`},
		} {
			t.Run(call.method+" "+call.path+" "+c.fields, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				body, field := call.head+c.fields+`}`, c.field
				if call.method == "POST" && !strings.HasPrefix(c.fields, `"request"`) {
					body = call.head + okRequest + "," + c.fields + `}`
				}
				if call.path == "/v1/preview" {
					body, field = body+`}`, "subscription."+field
				}
				b.call(t, integratorKey, call.method, call.path, body).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, field)
				if b.stored(t) {
					t.Error("something was stored")
				}
			})
		}
	}
}

// everyFlowSetting has each setting with another value than its default.
const everyFlowSetting = `"max_in_flight":100,"rate_limit":{"per_second":2.5,"burst":10},"ordering":"key","deliver_within":"30m","supersede":true,"hold_for":"48h","release_rate":200,
	"breaker":{"mode":"off","minimum_attempts":20,"failure_percent":50,"window":"10m","failures_in_a_row":5,"disable_after":"24h"}`

// TestFlowSettings: a given setting is shown, stays when something else is changed, and can be sent
// back.
func TestFlowSettings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var given map[string]any
	if err := json.Unmarshal([]byte("{"+everyFlowSetting+"}"), &given); err != nil {
		t.Fatal(err)
	}
	got := b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+","+everyFlowSetting)).want(t, http.StatusCreated)
	within(t, "created: ", given, got)
	got = b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":1,"name":"new"}`).want(t, http.StatusOK)
	within(t, "changed: ", given, got)
	got = b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":2,`+everyFlowSetting+`}`).want(t, http.StatusOK)
	if within(t, "sent back: ", given, got); got["version"] != 2.0 {
		t.Errorf("a change of nothing makes version %v", got["version"])
	}
}

// TestChangesOfFlowSettings: null removes a member, and an object is changed member by member.
func TestChangesOfFlowSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		patch string
		path  []string // of the member in the answer
		want  any      // nil: removed
	}{
		{`"max_in_flight":null`, []string{"max_in_flight"}, 16.0},
		{`"rate_limit":null`, []string{"rate_limit"}, nil},
		{`"rate_limit":{"burst":null}`, []string{"rate_limit"}, map[string]any{"per_second": 2.5, "burst": 1.0}},
		{`"rate_limit":{"per_second":5}`, []string{"rate_limit"}, map[string]any{"per_second": 5.0, "burst": 10.0}},
		{`"ordering":null`, []string{"ordering"}, "none"},
		{`"ordering":"none"`, []string{"ordering"}, "none"},
		{`"deliver_within":null`, []string{"deliver_within"}, nil},
		{`"deliver_within":"1s"`, []string{"deliver_within"}, "1s"},
		{`"deliver_within":"30d"`, []string{"deliver_within"}, "720h"},
		{`"supersede":null`, []string{"supersede"}, nil},
		{`"supersede":false`, []string{"supersede"}, nil},
		{`"hold_for":null`, []string{"hold_for"}, "720h"},
		{`"hold_for":"90d"`, []string{"hold_for"}, "2160h"},
		{`"hold_for":"1m"`, []string{"hold_for"}, "1m"},
		{`"release_rate":null`, []string{"release_rate"}, 50.0},
		{`"release_rate":1000`, []string{"release_rate"}, 1000.0},
		{`"breaker":null`, []string{"breaker", "mode"}, "auto"},
		{`"breaker":{"mode":null}`, []string{"breaker", "mode"}, "auto"},
		{`"breaker":{"mode":"auto"}`, []string{"breaker", "failures_in_a_row"}, 5.0},
		{`"breaker":{"window":"1h"}`, []string{"breaker", "window"}, "1h"},
		{`"breaker":{"disable_after":"1h"}`, []string{"breaker", "disable_after"}, "1h"},
		{`"breaker":{"failure_percent":100}`, []string{"breaker", "failure_percent"}, 100.0},
	} {
		t.Run(c.patch, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+","+everyFlowSetting)).want(t, http.StatusCreated)
			b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":1,`+c.patch+`}`).want(t, http.StatusOK)
			member := any(b.call(t, integratorKey, "GET", "/v1/subscriptions/sub_new", nil).want(t, http.StatusOK))
			for _, name := range c.path {
				object, _ := member.(map[string]any)
				member = object[name]
			}
			if diff := cmp.Diff(c.want, member); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestProfileWithFlowSettings: a platform may set them, and given values replace its values.
func TestProfileWithFlowSettings(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.Catalogue = orderedCatalogue{c.Catalogue} })
	got := b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+`,"profile":"ordered","rate_limit":{"burst":3},"hold_for":null`)).want(t, http.StatusCreated)
	within(t, "", map[string]any{"ordering": "key", "rate_limit": map[string]any{"per_second": 10.0, "burst": 3.0}, "hold_for": "720h"}, got)
}

// TestKeyWarnings: events without a key have no order, and a caller who requests an order should
// know that.
func TestKeyWarnings(t *testing.T) {
	t.Parallel()
	const ordering = "ordering: of ticket.created no event that was posted lately had a key, and events without one are sent as if there were no ordering"
	for _, c := range []struct {
		members string
		want    any // the warnings
	}{
		{`"events":["ticket.*"]`, nil},
		{`"events":["ticket.*"],"ordering":"key"`, []any{ordering}},
		{`"events":["ticket.created"],"supersede":true`, []any{strings.ReplaceAll(ordering, "ordering", "supersede")}},
		{`"events":["ticket.solved"],"ordering":"key"`, nil}, // one of them had a key
		{`"events":["call.ringing"],"ordering":"key"`, nil},  // none was posted
	} {
		t.Run(c.members, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.post(t, switchboard.Event{Tenant: "acme", Type: "ticket.solved", Data: []byte(`1`)}, switchboard.Event{Tenant: "acme", Type: "ticket.solved", Key: "k", Data: []byte(`1`)})
			got := b.call(t, integratorKey, "POST", "/v1/subscriptions", `{"tenant":"acme","name":"n",`+okRequest+`,`+c.members+`}`).want(t, http.StatusCreated)
			if diff := cmp.Diff(c.want, got["warnings"]); diff != "" {
				t.Error(diff)
			}
		})
	}
	b := setup(t)
	got := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", `{"version":3,"ordering":"key"}`).want(t, http.StatusOK)
	if diff := cmp.Diff([]any{ordering}, got["warnings"]); diff != "" {
		t.Error(diff)
	}
	got = b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", `{"version":4,"name":"new"}`).want(t, http.StatusOK)
	if got["warnings"] != nil {
		t.Errorf("warned again: %v", got["warnings"])
	}
}

// orderedCatalogue has a platform whose profile has settings of flow control.
type orderedCatalogue struct{ Catalogue }

func (orderedCatalogue) Platforms() []switchboard.Platform {
	return []switchboard.Platform{{Name: "ordered", Profile: json.RawMessage(`{"ordering":"key","rate_limit":{"per_second":10},"hold_for":"1h"}`)}}
}
