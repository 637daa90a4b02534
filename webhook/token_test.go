package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"golang.org/x/oauth2"
)

// forbids is a receiver that answers 403, with that reason if given, to the tokens in dead.
func forbids(t *testing.T, reason string, dead func(token string) bool) (url string, received func() []string) {
	t.Helper()
	seen := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		seen <- token
		if dead(token) {
			if reason != "" {
				w.Header().Set("WWW-Authenticate", reason)
			}
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() (all []string) {
		for len(seen) > 0 {
			all = append(all, <-seen)
		}
		return all
	}
}

// Some receivers answer 403 to an expired token. Each step is an attempt after a while, with the
// tokens that the receiver sees.
func TestTokenIsRenewedAfter403(t *testing.T) {
	t.Parallel()
	type step struct {
		after time.Duration
		want  []string
	}
	const invalid = `Bearer realm="x", error="invalid_token", error_description="The access token expired"`
	all, none := func(string) bool { return true }, func(string) bool { return false }
	first := func(token string) bool { return token == "tok-1" }
	for name, test := range map[string]struct {
		expires int
		reason  string
		dead    func(string) bool
		steps   []step
	}{
		"undated, given up by the next attempt":  {0, "", first, []step{{0, []string{"tok-1"}}, {time.Second, []string{"tok-1", "tok-2"}}, {time.Second, []string{"tok-2"}}}},
		"undated, 403 to every token":            {0, "", all, []step{{0, []string{"tok-1"}}, {0, []string{"tok-1", "tok-2"}}, {renewWait / 2, []string{"tok-2"}}, {renewWait / 2, []string{"tok-2", "tok-3"}}, {0, []string{"tok-3"}}}},
		"undated, good":                          {0, "", none, []step{{0, []string{"tok-1"}}, {undatedAge - time.Second, []string{"tok-1"}}, {2 * time.Second, []string{"tok-2"}}}},
		"dated, young":                           {3600, "", all, []step{{0, []string{"tok-1"}}, {datedAge - time.Second, []string{"tok-1"}}}},
		"dated, old":                             {3600, "", first, []step{{0, []string{"tok-1"}}, {datedAge, []string{"tok-1", "tok-2"}}, {0, []string{"tok-2"}}}},
		"dated, good":                            {3600, "", none, []step{{0, []string{"tok-1"}}, {time.Hour - 20*time.Second, []string{"tok-1"}}, {15 * time.Second, []string{"tok-2"}}}},
		"said to be invalid, at once":            {3600, invalid, first, []step{{0, []string{"tok-1", "tok-2"}}, {0, []string{"tok-2"}}}},
		"said to be invalid, each":               {3600, invalid, all, []step{{0, []string{"tok-1", "tok-2"}}, {0, []string{"tok-2", "tok-3"}}}},
		"without quotes":                         {3600, `bearer error=invalid_token`, first, []step{{0, []string{"tok-1", "tok-2"}}}},
		"behind another scheme":                  {3600, `Basic realm="a", Bearer realm="b" , error = "invalid_token"`, first, []step{{0, []string{"tok-1", "tok-2"}}}},
		"said to lack a right":                   {0, `Bearer error="insufficient_scope", scope="hooks"`, all, []step{{0, []string{"tok-1"}}, {time.Hour, []string{"tok-2"}}, {0, []string{"tok-2"}}}},
		"a description that looks like a reason": {3600, `Bearer realm="a", error_description="error=invalid_token"`, all, []step{{0, []string{"tok-1"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLogin(t, &login{expires: test.expires})
			url, received := forbids(t, test.reason, test.dead)
			s, clock := setup(t, nil), new(clock)
			s.now = clock.now
			for i, step := range test.steps {
				clock.move(step.after)
				o := attempt(t, s, workWith(url, l.auth()), plenty)
				got := received()
				if !slices.Equal(got, step.want) || o.Requests != len(step.want) {
					t.Errorf("attempt %d: %v and %d requests; want %v", i+1, got, o.Requests, step.want)
				}
				if last := got[len(got)-1]; (o.StatusCode == 403) != test.dead(last) {
					t.Errorf("attempt %d: %+v after %s", i+1, o, last)
				}
			}
		})
	}
}

func TestTokenThatCannotBeRenewedAfter403(t *testing.T) {
	t.Parallel()
	l := &login{}
	newLogin(t, l)
	url, _ := forbids(t, "", func(string) bool { return true })
	s := setup(t, nil)
	w := workWith(url, l.auth())
	attempt(t, s, w, plenty)
	l.instead = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	o := attempt(t, s, w, plenty)
	want := "the receiver answered 403 Forbidden; the token endpoint answered 500 Internal Server Error"
	if o.Failure != switchboard.FailureAuth || o.Detail != want || o.Requests != 1 {
		t.Errorf("%+v; want %s", o, want)
	}
}

// The parameters are sent, and a token belongs to its parameters.
func TestTokenParameters(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	l := newLogin(t, &login{instead: func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked <- r.PostForm.Encode()
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token":"tok-%s","expires_in":3600}`, r.PostFormValue("audience"))
	}})
	url, received := guarded(t, anyToken)
	s := setup(t, nil)
	for _, test := range []struct {
		parameters map[string]switchboard.Secret
		want       string // what is requested from the endpoint; empty: nothing
	}{
		{nil, "grant_type=client_credentials&scope=hooks+calls"},
		{map[string]switchboard.Secret{"audience": "a&b", "resource": "urn:x y"}, "audience=a%26b&grant_type=client_credentials&resource=urn%3Ax+y&scope=hooks+calls"},
		{map[string]switchboard.Secret{"resource": "urn:x y", "audience": "a&b"}, ""},
		{map[string]switchboard.Secret{"audience": "c"}, "audience=c&grant_type=client_credentials&scope=hooks+calls"},
		{map[string]switchboard.Secret{}, ""},
	} {
		auth := l.auth()
		auth.Parameters = test.parameters
		o := attempt(t, s, workWith(url, auth), plenty)
		token := "tok-" + test.parameters["audience"].Reveal()
		if got := received(); o.StatusCode != 200 || !strings.HasPrefix(got[len(got)-1], token+" ") {
			t.Errorf("%+v, the receiver saw %q; want %s", o, got, token)
		}
		got := ""
		select {
		case got = <-asked:
		default:
		}
		if got != test.want {
			t.Errorf("asked with %q; want %q", got, test.want)
		}
	}
	// The end of a list of scopes is not taken for a parameter.
	one, other := workWith(url, l.auth()).Subscription, workWith(url, l.auth()).Subscription
	one.Auth.Scopes, one.Auth.Parameters = []string{"a"}, map[string]switchboard.Secret{"b": "c"}
	other.Auth.Scopes = []string{"a", "b", "c"}
	if tokenKey(&one) == tokenKey(&other) {
		t.Error("parameters and scopes are taken for each other")
	}
}

func TestParametersThatAreNotAccepted(t *testing.T) {
	t.Parallel()
	for code, field := range map[string]string{"invalid_target": "auth.parameters", "invalid_parameter_value": "auth.token_url"} {
		l := newLogin(t, &login{instead: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"error":%q}`, code)
		}})
		auth := l.auth()
		auth.Parameters = map[string]switchboard.Secret{"resource": "parameter_value"}
		err := setup(t, nil).CheckAuth(t.Context(), workWith("http://127.0.0.1:1", auth).Subscription)
		if err == nil || !strings.Contains(fmt.Sprint(err), field) || strings.Contains(fmt.Sprint(err), "parameter_value") {
			t.Errorf("%s: %v; want %s at fault", code, err, field)
		}
	}
}

// A token endpoint's kept connection that ends also costs no attempt, and the endpoint gets at most
// two requests.
func TestTokenEndpointWhoseConnectionEnds(t *testing.T) {
	t.Parallel()
	conns := make(chan struct{}, 10)
	asked := make(chan struct{}, 10)
	addr := listen(t, func(conn net.Conn) {
		conns <- struct{}{}
		first := len(conns) == 1
		for n := 1; readRequest(conn) == nil; n++ {
			asked <- struct{}{}
			if first && n == 2 {
				return
			}
			_, _ = fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n{\"access_token\":\"tok-1\"}")
		}
	})
	url, _ := guarded(t, anyToken)
	s, clock := setup(t, nil), new(clock)
	s.now = clock.now
	w := workWith(url, (&login{url: "http://" + addr}).auth())
	for range 2 {
		if o := attempt(t, s, w, plenty); o.StatusCode != 200 || o.Requests != 1 {
			t.Errorf("%+v", o)
		}
		s.tokens.Purge()
	}
	if len(asked) != 3 || len(conns) != 2 {
		t.Errorf("%d requests for tokens on %d connections; want 3 on 2", len(asked), len(conns))
	}
}

// An HTTP/2 token endpoint that refuses every request gets two, not as many as the time allows.
func TestTokenEndpointThatTurnsDown(t *testing.T) {
	t.Parallel()
	r := newFrames(t, nil, goAway(0, false))
	auth := (&login{url: r.url}).auth()
	_, err := r.s.requestToken(context.Background(), &auth, 1)
	if err == nil || r.requests.Load() != 2 {
		t.Errorf("%v after %d requests; want two", err, r.requests.Load())
	}
}

// waiting is a token endpoint that reports requests, and answers when it may.
func waiting(t *testing.T) (l *login, asked <-chan struct{}, answer func()) {
	t.Helper()
	came, may := make(chan struct{}, 10), make(chan struct{})
	answer = sync.OnceFunc(func() { close(may) })
	l = newLogin(t, &login{instead: func(w http.ResponseWriter, _ *http.Request) {
		came <- struct{}{}
		<-may
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"tok-1"}`)
	}})
	t.Cleanup(answer) // before the server closes, which waits for its handlers
	return l, came, answer
}

func TestSlowTokenEndpointUsesUpTheAttempt(t *testing.T) {
	t.Parallel()
	l, _, _ := waiting(t)
	url, received := guarded(t, anyToken)
	o := attempt(t, setup(t, nil), workWith(url, l.auth()), soon)
	if o.Failure != switchboard.FailureAuth || o.Detail != "the token endpoint gave no token within 300ms" || o.Latency < soon || o.Latency > plenty/2 {
		t.Errorf("%+v", o)
	}
	if len(received()) != 0 {
		t.Error("sent without a token")
	}
}

// One that waits for a token may leave; the others still get it.
func TestWaitersForATokenLeaveAlone(t *testing.T) {
	t.Parallel()
	shutdown := errors.New("shutting down")
	tests := map[string]struct {
		cause error
		want  switchboard.Failure
	}{
		"aborted":  {ErrAborted, switchboard.FailureAborted},
		"shutdown": {shutdown, switchboard.FailureUnknown},
	}
	for name, test := range tests {
		l, asked, answer := waiting(t)
		url, received := guarded(t, anyToken)
		s := setup(t, nil)
		w := workWith(url, l.auth())
		ctx, cancel := context.WithCancelCause(t.Context())
		type result struct {
			outcome switchboard.Outcome
			err     error
		}
		leaves, stays := make(chan result), make(chan result)
		send := func(ctx context.Context, to chan<- result) {
			_, o, err := s.Attempt(ctx, w, time.Now(), plenty)
			to <- result{o, err}
		}
		go send(ctx, leaves)
		<-asked
		go send(t.Context(), stays)
		cancel(test.cause)
		left := <-leaves
		interrupted, ok := errors.AsType[*Interrupted](left.err)
		if left.outcome.Failure != test.want || ok != (test.want == switchboard.FailureUnknown) || ok && (interrupted.Sent || !errors.Is(left.err, test.cause)) {
			t.Errorf("%s: %+v, %v", name, left.outcome, left.err)
		}
		answer()
		if stayed := <-stays; stayed.err != nil || stayed.outcome.StatusCode != 200 {
			t.Errorf("%s: the other: %+v, %v", name, stayed.outcome, stayed.err)
		}
		if n := len(received()); n != 1 || l.asked.Load() != 1 {
			t.Errorf("%s: %d requests, %d for tokens; want one of each", name, n, l.asked.Load())
		}
	}
}

// Additional members of a token endpoint's answer are not kept with the token.
func TestOnlyTheTokenIsKept(t *testing.T) {
	t.Parallel()
	login := newLogin(t, &login{instead: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"tok","expires_in":60,"filler":"`+strings.Repeat("x", 50<<10)+`"}`)
	}})
	auth := login.auth()
	got, err := setup(t, nil).fetchToken(t.Context(), &auth, oauth2.AuthStyleAutoDetect)
	if err != nil {
		t.Fatal(err)
	}
	if got.text != "tok" || !got.dated || got.until.IsZero() { // and grant has no place for the rest
		t.Errorf("kept %q until %s", got.text, got.until)
	}
}
