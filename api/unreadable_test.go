package api

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// TestUnreadableIsShown: a subscription that cannot be read is listed and shown as such, and calls
// that would send for it say why they do not.
func TestUnreadableIsShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.damage("sub_acme", func(s *switchboard.Subscription) {
		s.Request.Headers, s.Unreadable = nil, []string{"request.headers", "secret"}
	})
	want := []any{"request.headers", "secret"}
	if diff := cmp.Diff(want, asList(b.call(t, adminKey, "GET", "/v1/subscriptions/sub_acme", nil).want(t, http.StatusOK)["unreadable"])); diff != "" {
		t.Error(diff)
	}
	first := asList(b.call(t, adminKey, "GET", "/v1/subscriptions?tenant=acme", nil).want(t, http.StatusOK)["data"])[0].(map[string]any)
	if diff := cmp.Diff(want, first["unreadable"]); diff != "" {
		t.Error(diff)
	}
	if _, shown := b.call(t, adminKey, "GET", "/v1/subscriptions/sub_globex", nil).want(t, http.StatusOK)["unreadable"]; shown {
		t.Error("a healthy one is marked")
	}
	b.call(t, adminKey, "POST", "/v1/subscriptions/sub_acme/preview", `{}`).wantProblem(t, http.StatusConflict, switchboard.CodeConflict, "request.headers")
	b.call(t, adminKey, "DELETE", "/v1/subscriptions/sub_acme?reason=r", nil).want(t, http.StatusNoContent)
}

// TestUnreadableIsGivenAnew: a change is accepted if it gives every part that cannot be read.
func TestUnreadableIsGivenAnew(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		unreadable []string
		patch      string
		field      string // what is missing; empty: the change is accepted
	}{
		{[]string{"request.headers"}, `{"name":"n"}`, "request.headers"},
		{[]string{"request.headers"}, `{"request":{"url":"https://crm.example.com/other"}}`, "request.headers"},
		{[]string{"request.headers"}, `{"request":{"headers":{"A":"b"}}}`, ""},
		{[]string{"request.headers"}, `{"request":{"headers":{}}}`, ""},
		{[]string{"request.headers", "auth"}, `{"request":{"headers":{}}}`, "auth"},
		{[]string{"request.url"}, `{"name":"n"}`, "request.url"},
		{[]string{"request.url"}, `{"request":{"url":"https://crm.example.com/other?token=t"}}`, ""},
		{[]string{"auth"}, `{"auth":null}`, ""},
		{[]string{"auth"}, `{"auth":{"type":"bearer","token":"t"}}`, ""},
		{[]string{"auth"}, `{"auth":{"token":"t"}}`, "auth"},
		{[]string{"auth"}, `{"auth":{}}`, "auth"},
		{[]string{"request.params"}, `{"request":{"params":{"a":"b"}}}`, ""},
		{[]string{"request.params"}, `{"request":{"body":"data"}}`, ""},
		{[]string{"request.params"}, `{"request":{"body":"params"}}`, "request.params"},
		{[]string{"request.soap"}, `{"request":{"params":{"a":"b"}}}`, "request.soap"},
		{[]string{"request.soap"}, `{"request":{"params":{"a":"b"},"soap":null}}`, ""},
		{[]string{"request.envelope"}, `{"request":{"envelope":null}}`, ""},
		{[]string{"filter"}, `{"filter":null}`, ""},
		{[]string{"filter"}, `{"events":["a"]}`, "filter"},
		{[]string{"retry"}, `{"retry":{}}`, ""},
		{[]string{"timeout"}, `{"timeout":"5s"}`, ""},
		{[]string{"adaptive"}, `{"adaptive":{"enabled":false}}`, ""},
		{[]string{"secret"}, `{"name":"n"}`, ""},
	} {
		b := setup(t)
		b.damage("sub_acme", func(s *switchboard.Subscription) {
			s.Request.Headers, s.Unreadable = nil, test.unreadable
			if test.unreadable[0] == "request.params" || test.unreadable[0] == "request.soap" {
				s.Request.Body, s.Request.ContentType = switchboard.BodyParams, "text/xml"
			}
		})
		got := b.call(t, adminKey, "PATCH", "/v1/subscriptions/sub_acme", `{"version":3,`+test.patch[1:])
		if test.field != "" {
			got.wantProblem(t, http.StatusConflict, switchboard.CodeConflict, test.field)
			continue
		}
		left := asList(got.want(t, http.StatusOK)["unreadable"])
		if keeps := test.unreadable[0] == "secret"; keeps != (len(left) > 0) {
			t.Errorf("%s: what cannot be read is %v", test.patch, left)
		}
	}
}
