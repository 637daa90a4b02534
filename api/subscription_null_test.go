package api

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// TestNullInAChange: null removes a member, which returns to its default, or is refused with the
// member's name if every subscription needs it. A refused change changes nothing.
func TestNullInAChange(t *testing.T) {
	t.Parallel()
	const everything = `"use_case":"contact","filter":{"data":{"vip":true}},"verification":"none","timeout":"3s","adaptive":{"enabled":true,"minimum_timeout":"2s","maximum_interval_factor":3,"minimum_attempts":2},
		"retry":{"initial_interval":"1m","backoff_coefficient":2,"maximum_interval":"1h","maximum_attempts":5},"max_in_flight":3,
		"signature":{"scheme":"hmac-sha256-hex","header":"X-Sig","prefix":"sha256="},
		"auth":{"type":"oauth2","token_url":"https://id.example.com/token","client_id":"me","client_secret":"hunter2","scopes":["s"],"parameters":{"audience":"a"}},
		"request":{"method":"PUT","url":"https://example.com/","body":"params","params":{"a":"b"},"missing":"empty","content_type":"text/xml","http_version":"1.1","headers":{"X-A":"1","X-B":"2"},
			"xml":{"root":"r","attributes":true,"elements":["e"],"json":["j"]},"soap":{"version":"1.1","action":"urn:a","namespace":"urn:n","elements":"unqualified","parameters":{"p":"q"}}}`
	for _, c := range []struct {
		patch string
		path  []string // of the member in the answer
		want  any      // nil: removed
		field string   // of the problem; empty: the change is accepted
	}{
		{`"name":null`, nil, nil, "name"},
		{`"events":null`, nil, nil, "events"},
		{`"request":null`, nil, nil, "request"},
		{`"request":{"url":null}`, nil, nil, "request.url"},
		{`"use_case":null`, nil, nil, "use_case"},
		{`"version":null`, nil, nil, "version"},
		{`"filter":null`, []string{"filter"}, map[string]any{}, ""},
		{`"auth":null`, []string{"auth"}, nil, ""},
		{`"auth":{"scopes":null}`, []string{"auth", "scopes"}, nil, ""},
		{`"auth":{"parameters":null}`, []string{"auth", "parameters"}, nil, ""},
		{`"auth":{"parameters":{"audience":null}}`, []string{"auth", "parameters"}, nil, ""},
		{`"auth":{"client_secret":null}`, nil, nil, "auth.client_secret"},
		{`"auth":{"token_url":null}`, nil, nil, "auth.token_url"},
		{`"verification":null`, []string{"verification"}, "none", ""},
		{`"timeout":null`, []string{"timeout"}, "10s", ""},
		{`"max_in_flight":null`, []string{"max_in_flight"}, 16.0, ""},
		{`"retry":null`, []string{"retry", "maximum_interval"}, "4h", ""},
		{`"retry":{"initial_interval":null}`, []string{"retry", "initial_interval"}, "5s", ""},
		{`"retry":{"backoff_coefficient":null}`, []string{"retry", "backoff_coefficient"}, 3.0, ""},
		{`"retry":{"maximum_interval":null}`, []string{"retry", "maximum_interval"}, "4h", ""},
		{`"retry":{"maximum_attempts":null}`, []string{"retry", "maximum_attempts"}, 38.0, ""},
		{`"adaptive":{"minimum_timeout":null}`, []string{"adaptive", "minimum_timeout"}, "3s", ""},
		{`"adaptive":{"maximum_interval_factor":null}`, []string{"adaptive", "maximum_interval_factor"}, 2.0, ""},
		{`"adaptive":{"minimum_attempts":null}`, []string{"adaptive", "minimum_attempts"}, 5.0, ""},
		{`"adaptive":{"enabled":null}`, []string{"adaptive", "enabled"}, true, ""},
		{`"request":{"soap":{"parameters":{"p":null}}}`, []string{"request", "soap", "parameters"}, nil, ""},
		{`"adaptive":null`, []string{"adaptive"}, map[string]any{"enabled": false}, ""}, // the timeout is given alone
		{`"signature":null`, []string{"signature", "scheme"}, "standard", ""},
		{`"signature":{"header":null}`, []string{"signature", "header"}, "X-Webhook-Signature", ""},
		{`"signature":{"prefix":null}`, []string{"signature", "prefix"}, nil, ""},
		{`"request":{"method":null}`, []string{"request", "method"}, "POST", ""},
		{`"request":{"headers":null}`, []string{"request", "headers"}, map[string]any{}, ""},
		{`"request":{"headers":{"X-A":null}}`, []string{"request", "headers"}, map[string]any{"X-B": "2"}, ""},
		{`"request":{"missing":null}`, []string{"request", "missing"}, nil, ""},
		{`"request":{"http_version":null}`, []string{"request", "http_version"}, "auto", ""},
		{`"request":{"xml":null}`, []string{"request", "xml"}, nil, ""},
		{`"request":{"xml":{"root":null}}`, []string{"request", "xml", "root"}, nil, ""},
		{`"request":{"soap":null}`, []string{"request", "soap"}, nil, ""},
		{`"request":{"soap":{"elements":null}}`, []string{"request", "soap", "elements"}, nil, ""},
		{`"request":{"soap":{"version":null}}`, nil, nil, "request.soap.version"},
		{`"request":{"params":null}`, nil, nil, "request.params"},
		{`"request":{"body":null,"params":null,"soap":null,"xml":null,"content_type":null}`, []string{"request", "body"}, "envelope", ""},
		{`"request":{"content_type":null}`, nil, nil, "request.content_type"},
	} {
		t.Run(c.patch, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(everything)).want(t, http.StatusCreated)
			patch := `{"version":1,` + c.patch + `}`
			if c.field == "version" {
				patch = `{` + c.patch + `}`
			}
			got := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", patch)
			if c.field != "" {
				got.wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, c.field)
				if version := b.subscription(t, "sub_new").Version; version != 1 {
					t.Errorf("the version is %d", version)
				}
				return
			}
			got.want(t, http.StatusOK)
			read := b.call(t, integratorKey, "GET", "/v1/subscriptions/sub_new", nil).want(t, http.StatusOK)
			member := any(read)
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

// TestFilterAndParamsAreReplaced: they are separate documents, in which null is a value.
func TestFilterAndParamsAreReplaced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(`"filter":{"data":{"a":1}},"request":{"url":"https://example.com/","body":"params","params":{"a":{"b":1}}}`)).want(t, http.StatusCreated)
	got := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":1,"filter":{"data":{"b":null}},"request":{"params":{"a":{"c":null}}}}`).want(t, http.StatusOK)
	if diff := cmp.Diff(map[string]any{"data": map[string]any{"b": nil}}, got["filter"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"a": map[string]any{"c": nil}}, got["request"].(map[string]any)["params"]); diff != "" {
		t.Error(diff)
	}
}

// TestTrialsNeedLittle: previews and matches accept everything that the document calls optional as
// missing.
func TestTrialsNeedLittle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		path, body, field string
	}{
		{"/v1/match", `{"subscription":{},"type":"ticket.created","data":1}`, ""},
		{"/v1/match", `{"subscription":{"filter":{"data":1}},"type":"ticket.created","data":1}`, ""},
		{"/v1/match", `{"subscription":{"request":{"method":"PUT"}},"type":"ticket.created","data":1}`, ""},
		{"/v1/match", `{"type":"ticket.created","data":1}`, "subscription"},
		{"/v1/match", `{"subscription":null,"type":"ticket.created","data":1}`, "subscription"},
		{"/v1/match", `{"subscription":{"naem":"n"},"type":"ticket.created","data":1}`, "subscription.naem"},
		{"/v1/preview", `{"subscription":{"request":{"url":"https://example.com/"}},"type":"ticket.created","data":1}`, ""},
		{"/v1/preview", `{"subscription":{},"type":"ticket.created","data":1}`, "subscription.request.url"},
		{"/v1/preview", `{"subscription":{"request":{}},"type":"ticket.created","data":1}`, "subscription.request.url"},
		{"/v1/preview", `{"subscription":{"request":{"url":"https://example.com/","xml":{"roots":"r"}}},"type":"ticket.created","data":1}`, "subscription.request.xml.roots"},
	} {
		got := b.call(t, integratorKey, "POST", c.path, c.body)
		if c.field == "" {
			got.want(t, http.StatusOK)
		} else {
			got.wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, c.field)
		}
	}
}
