package webhook

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// recorder is a receiver that records the requests, and answers 200.
type recorder struct {
	url      string
	received chan *http.Request
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{received: make(chan *http.Request, 100)}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) { r.received <- request }))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// workWith is a valid work with that auth.
func workWith(url string, auth switchboard.Auth) switchboard.LoadedDelivery {
	w := work(url)
	w.Subscription.Auth = auth
	return w
}

// tellsNothing fails the test if printing the values shows any of the secrets.
func tellsNothing(t *testing.T, values []any, secrets ...string) {
	t.Helper()
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			printed := fmt.Sprintf(verb, value)
			for _, secret := range secrets {
				if strings.Contains(printed, secret) {
					t.Errorf("%s shows %q: %s", verb, secret, printed)
				}
			}
		}
	}
}

func TestAuthHeaders(t *testing.T) {
	t.Parallel()
	receiver := newRecorder(t)
	tests := map[string]struct {
		auth  switchboard.Auth
		name  string
		value string
	}{
		"basic": {
			switchboard.Auth{Type: switchboard.AuthBasic, Username: "Aladdin", Password: "open sesame"},
			"Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", // RFC 7617
		},
		"basic without a password": {
			switchboard.Auth{Type: switchboard.AuthBasic, Username: "Aladdin"}, "Authorization", "Basic QWxhZGRpbjo=",
		},
		"bearer": {
			switchboard.Auth{Type: switchboard.AuthBearer, Token: "s3cret-token"}, "Authorization", "Bearer s3cret-token",
		},
		// The name does not show that it is sensitive.
		"api_key": {
			switchboard.Auth{Type: switchboard.AuthAPIKey, Header: "x-crm-account", Value: "s3cret value"}, "X-Crm-Account", "s3cret value",
		},
		"api_key in Authorization": {
			switchboard.Auth{Type: switchboard.AuthAPIKey, Header: "authorization", Value: "ApiKey s3cret"}, "Authorization", "ApiKey s3cret",
		},
	}
	for name, test := range tests {
		w := workWith(receiver.url, test.auth)
		w.Subscription.Request.Headers = map[string]string{"X-Env": "prod"}
		s := setup(t, nil)
		sent, o, err := s.Attempt(t.Context(), w, time.Now(), plenty)
		if err != nil || o.StatusCode != 200 {
			t.Fatalf("%s: %+v, %v", name, o, err)
		}
		got := (<-receiver.received).Header
		if got.Get(test.name) != test.value || got.Get("X-Env") != "prod" || got.Get("Webhook-Signature") == "" {
			t.Errorf("%s: received %v; want %s: %s", name, got, test.name, test.value)
		}
		if sent.Headers[test.name] != "[redacted]" || sent.Headers["X-Env"] != "prod" {
			t.Errorf("%s: shown as sent %v; want %s masked", name, sent.Headers, test.name)
		}
		m, err := s.Prepare(w, time.Now())
		if err != nil || m.Header.Get(test.name) != "" {
			t.Errorf("%s: prepared with %v, %v; want it without", name, m.Header, err)
		}
		tellsNothing(t, []any{sent, o, m, w}, test.value, "s3cret", "open sesame")
	}
}

func TestNoAuthAddsNothing(t *testing.T) {
	t.Parallel()
	receiver := newRecorder(t)
	w := work(receiver.url)
	w.Subscription.Request.Headers = map[string]string{"Authorization": "Bearer mine"}
	sent, o, err := setup(t, nil).Attempt(t.Context(), w, time.Now(), plenty)
	if err != nil || o.StatusCode != 200 || sent.Headers["Authorization"] != "[redacted]" {
		t.Fatalf("%+v, %+v, %v", sent, o, err)
	}
	if got := (<-receiver.received).Header.Get("Authorization"); got != "Bearer mine" {
		t.Errorf("Authorization %q; want the subscription's own", got)
	}
}

func TestCheckAuthAsksNobodyWithoutNeed(t *testing.T) {
	t.Parallel()
	for _, auth := range []switchboard.Auth{{}, {Type: switchboard.AuthBasic, Username: "a"}, {Type: switchboard.AuthBearer, Token: "t"}} {
		if err := setup(t, nil).CheckAuth(t.Context(), workWith("https://receiver.invalid", auth).Subscription); err != nil {
			t.Errorf("%s: %v", auth.Type, err)
		}
	}
}
