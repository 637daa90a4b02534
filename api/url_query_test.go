package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// TestQueryOfAURL: only callers who may change the URL see its query.
func TestQueryOfAURL(t *testing.T) {
	t.Parallel()
	const url, masked = "https://crm.example.com/hook?token=hunter2&n={{ id }}", "https://crm.example.com/hook?token=[redacted]&n=[redacted]"
	const tokenURL, maskedToken = "https://id.example.com/t?tenant=hunter3", "https://id.example.com/t?tenant=[redacted]"
	b := setup(t)
	b.change(t, "sub_acme", func(s *switchboard.Subscription) {
		s.Request.URL = url
		s.Auth = switchboard.Auth{Type: switchboard.AuthOAuth2, TokenURL: tokenURL, ClientID: "a", ClientSecret: "b"}
	})
	b.sign(t, "sub_acme", signing.Standard)
	b.deliver(t, switchboard.Attempt{Request: switchboard.SentRequest{URL: "https://crm.example.com/hook?token=hunter2&n=1"}, Outcome: switchboard.Outcome{StatusCode: 200}})
	for key, sees := range map[string]bool{adminKey: true, integratorKey: true, acmeIntegratorKey: true, supportKey: false, viewerKey: false} {
		one := b.call(t, key, "GET", "/v1/subscriptions/sub_acme", nil)
		list := b.call(t, key, "GET", "/v1/subscriptions?tenant=acme", nil)
		first := asList(list.want(t, http.StatusOK)["data"])[0].(map[string]any)
		for _, got := range []map[string]any{one.want(t, http.StatusOK), first} {
			want, wantToken := masked, maskedToken
			if sees {
				want, wantToken = url, tokenURL
			}
			if shown := got["request"].(map[string]any)["url"]; shown != want {
				t.Errorf("%s: the URL %v; want %s", key, shown, want)
			}
			if shown := got["auth"].(map[string]any)["token_url"]; shown != wantToken {
				t.Errorf("%s: the token URL %v; want %s", key, shown, wantToken)
			}
		}
		delivery := b.call(t, key, "GET", "/v1/deliveries/dlv_new", nil)
		if delivery.want(t, http.StatusOK); strings.Contains(string(delivery.body), "hunter") || !strings.Contains(string(delivery.body), "hook?token=[redacted]") {
			t.Errorf("%s: %s", key, delivery.body)
		}
		if !sees && strings.Contains(string(one.body)+string(list.body), "hunter") {
			t.Errorf("%s: %s %s", key, one.body, list.body)
		}
	}
	for key, want := range map[string]string{integratorKey: "https://crm.example.com/hook?token=hunter2&n=7", supportKey: masked} {
		got := b.call(t, key, "POST", "/v1/subscriptions/sub_acme/preview", `{"data":{"id":7}}`).want(t, http.StatusOK)
		if want = strings.ReplaceAll(want, "{{ id }}", "7"); got["url"] != want {
			t.Errorf("%s: previewed as %v; want %s", key, got["url"], want)
		}
	}
}

// TestMaskedURLSentBack keeps the stored URL, and masks are never stored.
func TestMaskedURLSentBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.change(t, "sub_acme", func(s *switchboard.Subscription) { s.Request.URL = "https://crm.example.com/hook?token=hunter2" })
	b.sign(t, "sub_acme", signing.Standard)
	patch := func(version, url string) answer {
		return b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", `{"version":`+version+`,"request":{"url":"`+url+`"}}`)
	}
	for _, url := range []string{
		"https://crm.example.com/other?token=[redacted]", "https://evil.example.com/hook?token=[redacted]", "https://crm.example.com/hook?token=[redacted]&x=1",
		"https://crm.example.com/hook?token=%5Bredacted%5D",
	} {
		patch("3", url).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "request.url")
	}
	b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(strings.Replace(okRequest, "https://example.com/", "https://example.com/?token=[redacted]", 1))).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "request.url")
	patch("3", "https://crm.example.com/hook?token=[redacted]").want(t, http.StatusOK)
	if got := b.subscription(t, "sub_acme").Request.URL; got != "https://crm.example.com/hook?token=hunter2" {
		t.Errorf("stored %s", got)
	}
}

// TestBlanksAroundAURL: they come from pasting and are removed.
func TestBlanksAroundAURL(t *testing.T) {
	t.Parallel()
	for _, blanks := range []string{" ", `\u0009`, `\u000d\u000a`, `\u00a0`, `\u2003`} {
		b := setup(t)
		got := b.call(t, integratorKey, "POST", "/v1/subscriptions", `{"tenant":"acme","name":"n","events":["*"],"request":{"url":"`+blanks+`https://crm.example.com/{{ id }}?a=1`+blanks+`"},
			"auth":{"type":"oauth2","token_url":"`+blanks+`https://id.example.com/t`+blanks+`","client_id":"a","client_secret":"b"}}`).want(t, http.StatusCreated)
		if url := got["request"].(map[string]any)["url"]; url != "https://crm.example.com/{{ id }}?a=1" {
			t.Errorf("%q: %q", blanks, url)
		}
		if url := got["auth"].(map[string]any)["token_url"]; url != "https://id.example.com/t" {
			t.Errorf("%q: %q", blanks, url)
		}
	}
	b := setup(t)
	for _, url := range []string{"https://crm.example.com/50%?a=1", "https://crm.example.com/?a=50% off", "https://crm.example.com/%{{ id }}", "https://crm.example.com/?a=%2{{ id }}", `https://crm.example.com/a\u0009b`,
		`https://a\"b.example.com/`, "https://a*b.example.com/{{ id }}", `https://\u200d.example.com/`, "https://-é-.example.com/",
	} {
		b.call(t, integratorKey, "POST", "/v1/subscriptions", `{"tenant":"acme","name":"n","events":["*"],"request":{"url":"`+url+`"}}`).
			wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "request.url")
	}
}
