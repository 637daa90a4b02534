package webhook

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const clientSecret = "cl1ent:s3cret/%+"

// login is a token endpoint. It gives the tokens tok-1, tok-2, … of which only the last is valid.
type login struct {
	url    string
	asked  atomic.Int32 // requests of any kind
	issued atomic.Int32
	// Where it expects the secret: in the header unless inParams.
	inParams bool
	// Its answer instead of a token; may be nil.
	instead http.HandlerFunc
	expires int // seconds; 0: not in the answer
}

func newLogin(t *testing.T, l *login) *login {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.asked.Add(1)
		id, secret, inHeader := r.BasicAuth()
		if l.inParams {
			id, secret, inHeader = r.PostFormValue("client_id"), r.PostFormValue("client_secret"), !inHeader
		}
		switch {
		case l.instead != nil:
			l.instead(w, r)
		case !inHeader || secret != clientSecret && secret != "cl1ent%3As3cret%2F%25%2B" || id != "switchboard":
			// The answer contains the secret, which no endpoint should do.
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"error":"invalid_request","error_description":%q}`, clientSecret)
		case r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("scope") != "hooks calls" || r.UserAgent() != "Switchboard/1.2.3 (webhook)":
			w.WriteHeader(http.StatusTeapot)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"access_token":"tok-%d","token_type":"Bearer","expires_in":%d}`, l.issued.Add(1), l.expires)
		}
	}))
	t.Cleanup(server.Close)
	l.url = server.URL + "/token?tenant=s3cret"
	return l
}

func (l *login) auth() switchboard.Auth {
	return switchboard.Auth{
		Type: switchboard.AuthOAuth2, TokenURL: l.url, ClientID: "switchboard", ClientSecret: clientSecret, Scopes: []string{"hooks", "calls"},
	}
}

// guarded is a receiver that accepts tokens according to ok. It returns its URL, and what it
// received: token and webhook-id.
func guarded(t *testing.T, ok func(token string) bool) (url string, received func() []string) {
	t.Helper()
	var mu sync.Mutex
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		mu.Lock()
		seen = append(seen, token+" "+r.Header.Get("Webhook-Id")+" "+string(body))
		mu.Unlock()
		if !ok(token) {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), seen...)
	}
}

func anyToken(string) bool { return true }

// attempt makes one attempt that must not be interrupted, and checks that its result shows no
// secret.
func attempt(t *testing.T, s *Sender, w switchboard.LoadedDelivery, timeout time.Duration) switchboard.Outcome {
	t.Helper()
	sent, outcome, err := s.Attempt(t.Context(), w, time.Now(), timeout)
	if err != nil {
		t.Fatalf("Attempt: %v", err)
	}
	tellsNothing(t, []any{sent, outcome, w}, clientSecret, "tok-", "cl1ent")
	return outcome
}

func TestTokenIsFetchedOnce(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]*login{"in the header": {expires: 3600}, "in parameters": {expires: 3600, inParams: true}, "without an end": {}} {
		newLogin(t, l)
		url, received := guarded(t, anyToken)
		s := setup(t, nil)
		w := workWith(url, l.auth())
		for range 3 {
			if o := attempt(t, s, w, plenty); o.StatusCode != 200 {
				t.Fatalf("%s: %+v", name, o)
			}
		}
		for _, got := range received() {
			if got != `tok-1 dlv_01 {"a": 1.0}` {
				t.Errorf("%s: received %q", name, got)
			}
		}
		if n := l.issued.Load(); n != 1 {
			t.Errorf("%s: %d tokens; want 1", name, n)
		}
		// For another subscription, and for a changed one, it is another token.
		other, changed := w, w
		other.Subscription.ID = "sub_02"
		changed.Subscription.Auth.TokenURL += "&changed"
		for _, w := range []switchboard.LoadedDelivery{other, changed} {
			if o := attempt(t, s, w, plenty); o.StatusCode != 200 {
				t.Fatalf("%s: %+v", name, o)
			}
		}
		if n := l.issued.Load(); n != 3 {
			t.Errorf("%s: %d tokens; want 3", name, n)
		}
	}
}

func TestTokenThatExpiresIsFetchedAgain(t *testing.T) {
	t.Parallel()
	l := newLogin(t, &login{expires: 5, inParams: true}) // within the margin in which a token counts as expired
	url, received := guarded(t, anyToken)
	s := setup(t, nil)
	for range 2 {
		attempt(t, s, workWith(url, l.auth()), plenty)
	}
	got := received()
	if len(got) != 2 || !strings.HasPrefix(got[0], "tok-1 ") || !strings.HasPrefix(got[1], "tok-2 ") {
		t.Errorf("received %q; want two tokens", got)
	}
	// The style of sending the secret is found only once.
	if n := l.asked.Load(); n != 3 {
		t.Errorf("%d requests; want 3", n)
	}
}

func TestTokenIsRenewedOnceAfter401(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		ok     func(string) bool
		status int
		want   []string // tokens that the receiver sees
	}{
		"revoked": {func(token string) bool { return token != "tok-1" }, 200, []string{"tok-1", "tok-2"}},
		"never":   {func(string) bool { return false }, 401, []string{"tok-1", "tok-2"}},
		"good":    {anyToken, 200, []string{"tok-1"}},
	}
	for name, test := range tests {
		l := newLogin(t, &login{expires: 3600})
		url, received := guarded(t, test.ok)
		o := attempt(t, setup(t, nil), workWith(url, l.auth()), plenty)
		if o.StatusCode != test.status || o.Failure != switchboard.FailureOfStatus(test.status) {
			t.Errorf("%s: %+v; want %d", name, o, test.status)
		}
		got := received()
		if len(got) != len(test.want) {
			t.Fatalf("%s: received %q; want %v", name, got, test.want)
		}
		for i, token := range test.want {
			if got[i] != token+` dlv_01 {"a": 1.0}` {
				t.Errorf("%s: received %q; want the same delivery with %s", name, got[i], token)
			}
		}
	}
}

func TestTokenThatCannotBeRenewed(t *testing.T) {
	t.Parallel()
	l := &login{expires: 3600}
	newLogin(t, l)
	url, received := guarded(t, func(string) bool { return false })
	s := setup(t, nil)
	w := workWith(url, l.auth())
	if o := attempt(t, s, w, plenty); o.StatusCode != 401 {
		t.Fatalf("%+v", o)
	}
	l.instead = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	o := attempt(t, s, w, plenty)
	want := "the receiver answered 401 Unauthorized; the token endpoint answered 500 Internal Server Error"
	if o.Failure != switchboard.FailureAuth || o.StatusCode != 0 || o.Detail != want {
		t.Errorf("%+v; want %s", o, want)
	}
	if n := len(received()); n != 3 {
		t.Errorf("the receiver got %d requests; want 3", n)
	}
}

func TestConcurrentAttemptsShareOneToken(t *testing.T) {
	t.Parallel()
	l := newLogin(t, &login{expires: 3600})
	url, received := guarded(t, func(token string) bool { return token != "tok-1" })
	s := setup(t, nil)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			if o := attempt(t, s, workWith(url, l.auth()), plenty); o.StatusCode != 200 {
				t.Errorf("%+v", o)
			}
		})
	}
	all.Wait()
	// One for all at the beginning, and one after the first 401.
	if n := l.issued.Load(); n != 2 {
		t.Errorf("%d tokens for %d requests; want 2", n, len(received()))
	}
}

// A mistake of a token endpoint is an outcome, described without secrets. When a subscription is
// saved, it is an error that names the field.
func TestTokenEndpointFailures(t *testing.T) {
	t.Parallel()
	const asIt = "the token endpoint "
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://169.254.169.254/latest/meta-data/")
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	tests := map[string]struct {
		instead http.HandlerFunc
		detail  string
		field   string
	}{
		"server error":      {status(500, clientSecret), asIt + "answered 500 Internal Server Error", "auth.token_url"},
		"busy":              {status(429, ""), asIt + "answered 429 Too Many Requests", "auth.token_url"},
		"not found":         {status(404, "<html>"), asIt + "answered 404 Not Found", "auth.token_url"},
		"redirect":          {status(302, ""), asIt + "answered 302 Found, and redirects are not followed", "auth.token_url"},
		"redirect of POST":  {status(307, ""), asIt + "answered 307 Temporary Redirect, and redirects are not followed", "auth.token_url"},
		"wrong secret":      {status(401, `{"error":"invalid_client","error_description":"`+clientSecret+`"}`), asIt + "answered 401 Unauthorized: invalid_client", "auth.client_secret"},
		"wrong secret, 400": {status(400, `{"error":"invalid_client"}`), asIt + "answered 400 Bad Request: invalid_client", "auth.client_secret"},
		"wrong scope":       {status(400, `{"error":"invalid_scope"}`), asIt + "answered 400 Bad Request: invalid_scope", "auth.scopes"},
		"secret as code":    {status(400, `{"error":"`+clientSecret+`"}`), asIt + "answered 400 Bad Request", "auth.token_url"},
		"error with 200":    {status(200, `{"error":"server_error"}`), asIt + "answered 200 OK: server_error", "auth.token_url"},
		"unusual status":    {status(799, ``), asIt + "answered 799", "auth.token_url"},
		"garbage":           {status(200, "\x00\xff"), asIt[:len(asIt)-1] + "'s answer holds no token", "auth.token_url"},
		"no token":          {status(200, `{"expires_in":1}`), asIt[:len(asIt)-1] + "'s answer holds no token", "auth.token_url"},
		"token with break":  {status(200, `{"access_token":"tok-\r\nX-Evil: 1"}`), asIt[:len(asIt)-1] + "'s token cannot be sent in a header, or is too long", "auth.token_url"},
		"token too long":    {status(200, `{"access_token":"tok-`+strings.Repeat("x", maxToken)+`"}`), asIt[:len(asIt)-1] + "'s token cannot be sent in a header, or is too long", "auth.token_url"},
		"huge": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"access_token":"`)
			flood(w, strings.Repeat("x", 1<<10))
		}, asIt[:len(asIt)-1] + "'s answer holds no token", "auth.token_url"},
		"breaks off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			asIt + "gave no token: the receiver closed the connection before its answer was complete", "auth.token_url"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLogin(t, &login{instead: test.instead})
			url, received := guarded(t, anyToken)
			s := setup(t, nil)
			w := workWith(url, l.auth())
			o := attempt(t, s, w, plenty)
			if o.Failure != switchboard.FailureAuth || o.StatusCode != 0 || o.Detail != test.detail || o.Latency <= 0 {
				t.Errorf("%+v; want %s", o, test.detail)
			}
			if refused := strings.Contains(test.detail, "answered"); (o.RetryAfter == 7*time.Second) != refused {
				t.Errorf("Retry-After %s of %q", o.RetryAfter, o.Detail)
			}
			if got := received(); len(got) != 0 {
				t.Errorf("the receiver got %q without a token", got)
			}
			err := s.CheckAuth(t.Context(), w.Subscription)
			e, ok := errors.AsType[*switchboard.Error](err)
			if !ok || e.Code != switchboard.CodeInvalid || e.Field != test.field || !strings.HasSuffix(e.Message, test.detail) {
				t.Errorf("CheckAuth: %v; want %s and %s", err, test.field, test.detail)
			}
			tellsNothing(t, []any{err}, clientSecret, "tok-", "s3cret")
		})
	}
}

func TestCheckAuthTakesAToken(t *testing.T) {
	t.Parallel()
	for _, inParams := range []bool{false, true} {
		l := newLogin(t, &login{inParams: inParams})
		if err := setup(t, nil).CheckAuth(t.Context(), workWith("https://receiver.invalid", l.auth()).Subscription); err != nil {
			t.Error(err)
		}
	}
}

func TestTokenEndpointIsGuarded(t *testing.T) {
	t.Parallel()
	l := newLogin(t, &login{})
	loginAt := strings.TrimPrefix(l.url, "http://127.0.0.1")
	url, received := guarded(t, anyToken)
	s := setup(t, func(c *Config) {
		// The receiver may be reached, but not the token endpoint on the same machine.
		c.Guard = NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})
		c.Guard.resolver = names{
			"loopback.test": {netip.MustParseAddr("127.0.0.2")}, "private.test": {netip.MustParseAddr("10.0.0.1")},
		}
	})
	for _, host := range []string{"127.0.0.2", "[::1]", "10.0.0.1", "169.254.169.254", "loopback.test", "private.test", "[::ffff:10.0.0.1]"} {
		auth := l.auth()
		auth.TokenURL = "http://" + host + loginAt
		detail := "the token endpoint gave no token: the host has no address that may be reached: only public ones may"
		if o := attempt(t, s, workWith(url, auth), plenty); o.Failure != switchboard.FailureAuth || o.Detail != detail {
			t.Errorf("%s: %+v; want %s", host, o, detail)
		}
		err := s.CheckAuth(t.Context(), workWith(url, auth).Subscription)
		if e, ok := errors.AsType[*switchboard.Error](err); !ok || e.Field != "auth.token_url" || !strings.HasSuffix(e.Message, detail) {
			t.Errorf("%s: CheckAuth: %v; want %s", host, err, detail)
		}
	}
	if l.asked.Load() != 0 || len(received()) != 0 {
		t.Error("the token endpoint was reached, or the receiver without a token")
	}
}

func TestTokenEndpointThatCannotBeReached(t *testing.T) {
	t.Parallel()
	_, closed := bound(t)
	tests := map[string]struct{ url, detail string }{
		"down":    {"http://" + closed, "the token endpoint gave no token: nobody listens at that address and port"},
		"no name": {"https://login.invalid/token", "the token endpoint gave no token: the host's name does not exist, or has no address"},
	}
	for name, test := range tests {
		auth := (&login{url: test.url}).auth()
		s := setup(t, func(c *Config) { c.Guard.resolver = names{} })
		if o := attempt(t, s, workWith("http://127.0.0.1:1", auth), plenty); o.Failure != switchboard.FailureAuth || o.Detail != test.detail || o.RetryAfter != 0 {
			t.Errorf("%s: %+v; want %s", name, o, test.detail)
		}
	}
}

func TestErrorCodeThatHoldsTheSecretIsNotRepeated(t *testing.T) {
	t.Parallel()
	l := newLogin(t, &login{instead: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"error":"bad_hunter_two"}`)
	}})
	auth := l.auth()
	for secret, want := range map[switchboard.Secret]string{
		"hunter_two": "the token endpoint answered 403 Forbidden", "hunter_three": "the token endpoint answered 403 Forbidden: bad_hunter_two",
	} {
		auth.ClientSecret = secret
		if o := attempt(t, setup(t, nil), workWith("http://127.0.0.1:1", auth), plenty); o.Detail != want {
			t.Errorf("%q; want %q", o.Detail, want)
		}
	}
}
