package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

func with(a switchboard.Auth, parameters map[string]switchboard.Secret) switchboard.Auth {
	a.Parameters = parameters
	return a
}

// TestHTTPVersion creates, reads and changes the version of HTTP.
func TestHTTPVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	shown := func(got map[string]any) any {
		request, _ := got["request"].(map[string]any)
		return request["http_version"]
	}
	if got := shown(b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest)).want(t, http.StatusCreated)); got != "auto" {
		t.Errorf("left out: shown as %v; want auto", got)
	}
	for i, version := range []string{"1.1", "auto", "1.1"} {
		body := fmt.Sprintf(`{"version":%d,"request":{"http_version":%q}}`, i+1, version)
		if got := shown(b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", body).want(t, http.StatusOK)); got != version {
			t.Errorf("shown as %v; want %s", got, version)
		}
	}
	for _, version := range []string{"2", "1.0", "h2"} {
		got := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", fmt.Sprintf(`{"version":4,"request":{"http_version":%q}}`, version))
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(string(got.body), "request.http_version") {
			t.Errorf("%q: %d, %s", version, got.status, got.body)
		}
	}
}

// TestAuth creates, reads and changes each type: secrets are kept and never shown.
func TestAuth(t *testing.T) {
	t.Parallel()
	basic := switchboard.Auth{Type: switchboard.AuthBasic, Username: "joe", Password: "hunter2"}
	bearer := switchboard.Auth{Type: switchboard.AuthBearer, Token: "hunter2"}
	apiKey := switchboard.Auth{Type: switchboard.AuthAPIKey, Header: "X-Key", Value: "hunter2"}
	oauth2 := switchboard.Auth{Type: switchboard.AuthOAuth2, TokenURL: "https://id.example.com/token", ClientID: "me", ClientSecret: "hunter2", Scopes: []string{"a", "b"}}
	cases := map[string]struct {
		given string
		want  switchboard.Auth
		shown map[string]any
		patch string
		then  switchboard.Auth
	}{
		"basic": {`{"type":"basic","username":"joe","password":"hunter2"}`, basic, map[string]any{"type": "basic", "username": "joe", "password": "[redacted]"},
			`{"username":"ann","password":"[redacted]"}`, switchboard.Auth{Type: switchboard.AuthBasic, Username: "ann", Password: "hunter2"}},
		"basic, no password": {`{"type":"basic","username":"joe"}`, switchboard.Auth{Type: switchboard.AuthBasic, Username: "joe"}, map[string]any{"type": "basic", "username": "joe"},
			`{"password":"hunter3"}`, switchboard.Auth{Type: switchboard.AuthBasic, Username: "joe", Password: "hunter3"}},
		"bearer": {`{"type":"bearer","token":"hunter2"}`, bearer, map[string]any{"type": "bearer", "token": "[redacted]"},
			`{"type":"bearer","token":"[redacted]"}`, bearer},
		"api_key": {`{"type":"api_key","header":"X-Key","value":"hunter2"}`, apiKey, map[string]any{"type": "api_key", "header": "X-Key", "value": "[redacted]"},
			`{"type":"bearer","token":"hunter3"}`, switchboard.Auth{Type: switchboard.AuthBearer, Token: "hunter3"}},
		"oauth2": {`{"type":"oauth2","token_url":"https://id.example.com/token","client_id":"me","client_secret":"hunter2","scopes":["a","b"]}`, oauth2,
			map[string]any{"type": "oauth2", "token_url": "https://id.example.com/token", "client_id": "me", "client_secret": "[redacted]", "scopes": []any{"a", "b"}},
			`null`, switchboard.Auth{}},
		"oauth2 with parameters": {`{"type":"oauth2","token_url":"https://id.example.com/token","client_id":"me","client_secret":"hunter2","scopes":["a","b"],"parameters":{"audience":"urn:a","user_password":"hunter3"}}`,
			with(oauth2, map[string]switchboard.Secret{"audience": "urn:a", "user_password": "hunter3"}),
			map[string]any{"type": "oauth2", "token_url": "https://id.example.com/token", "client_id": "me", "client_secret": "[redacted]", "scopes": []any{"a", "b"},
				"parameters": map[string]any{"audience": "urn:a", "user_password": "[redacted]"}},
			`{"parameters":{"audience":null,"resource":"urn:b","user_password":"[redacted]"}}`, with(oauth2, map[string]switchboard.Secret{"resource": "urn:b", "user_password": "hunter3"})},
		"oauth2 without parameters again": {`{"type":"oauth2","token_url":"https://id.example.com/token","client_id":"me","client_secret":"hunter2","scopes":["a","b"],"parameters":{"audience":"urn:a"}}`,
			with(oauth2, map[string]switchboard.Secret{"audience": "urn:a"}),
			map[string]any{"type": "oauth2", "token_url": "https://id.example.com/token", "client_id": "me", "client_secret": "[redacted]", "scopes": []any{"a", "b"},
				"parameters": map[string]any{"audience": "urn:a"}},
			`{"parameters":null}`, oauth2},
		"none": {`null`, switchboard.Auth{}, nil, `{"type":"bearer","token":"hunter2"}`, bearer},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			got := b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+`,"auth":`+c.given)).want(t, http.StatusCreated)
			shown, _ := got["auth"].(map[string]any)
			if diff := cmp.Diff(c.shown, shown); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.want, b.subscription(t, "sub_new").Auth); diff != "" {
				t.Error(diff)
			}
			again := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":1,"auth":`+c.patch+`}`)
			again.want(t, http.StatusOK)
			if diff := cmp.Diff(c.then, b.subscription(t, "sub_new").Auth); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(string(again.body), "hunter") {
				t.Errorf("a secret is shown: %s", again.body)
			}
		})
	}
}
