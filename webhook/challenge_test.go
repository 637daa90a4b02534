package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// challenged is a receiver that answers a challenge with answer's result for its value. It returns
// its URL, and the requests with their bodies.
func challenged(t *testing.T, answer func(w http.ResponseWriter, value string)) (url string, got <-chan *http.Request, bodies <-chan []byte) {
	t.Helper()
	requests, read := make(chan *http.Request, 10), make(chan []byte, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var asked struct{ Challenge string }
		if err := json.Unmarshal(body, &asked); err != nil || asked.Challenge == "" {
			t.Errorf("the challenge %q: %v", body, err)
		}
		requests <- r
		read <- body
		answer(w, asked.Challenge)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests, read
}

func bare(w http.ResponseWriter, value string) { _, _ = io.WriteString(w, value) }

func TestChallengeIsSentAsADeliveryIs(t *testing.T) {
	t.Parallel()
	url, requests, bodies := challenged(t, bare)
	seen := map[string]bool{}
	for _, scheme := range signing.Schemes() {
		sub := work(url).Subscription
		sub.ID = "" // as before it is created
		sub.Request.Method, sub.Request.ContentType = "PUT", "text/xml"
		sub.Request.Headers = map[string]string{"X-Env": "prod", "X-Ticket": "{{ ticket.id }}", "X-If": "{% if a %}"}
		sub.Auth = switchboard.Auth{Type: switchboard.AuthBearer, Token: "s3cret"}
		sub.Signature = switchboard.Signature{Scheme: scheme}
		sub.Secrets = []switchboard.SigningSecret{{Secret: signing.NewSecret(scheme)}}
		if scheme == signing.HMACHex {
			sub.Signature.Header = "x-signalzen-signature"
		}
		if err := setup(t, nil).Challenge(t.Context(), sub); err != nil {
			t.Fatalf("%s: %v", scheme, err)
		}
		r, body := <-requests, <-bodies
		if r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Env") != "prod" || r.Header.Get("Authorization") != "Bearer s3cret" ||
			r.Header.Get("User-Agent") != "Switchboard/1.2.3 (webhook)" || r.Header.Values("X-Ticket") != nil || r.Header.Values("X-If") != nil {
			t.Errorf("%s: received %s with %v", scheme, r.Method, r.Header)
		}
		id, seconds := r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp")
		at, err := strconv.ParseInt(seconds, 10, 64)
		want := http.Header{}
		if err == nil {
			err = signing.Sign(want, sub.Signature, id, time.Unix(at, 0), body, sub.Secrets)
		}
		if err != nil {
			t.Fatalf("%s: %v", scheme, err)
		}
		signed := true
		for _, name := range []string{"Webhook-Signature", "X-Signalzen-Signature"} {
			signed = signed && r.Header.Get(name) == want.Get(name)
		}
		if !signed || id == "" || seen[id] || seen[string(body)] {
			t.Errorf("%s: not signed as it should be, or an id or value is used again: %v %s", scheme, r.Header, body)
		}
		seen[id], seen[string(body)] = true, true
	}
}

func TestChallengeAnswers(t *testing.T) {
	t.Parallel()
	const wrong = "must answer the challenge with its bare value and a status of 2xx, and answered "
	tests := map[string]struct {
		answer func(w http.ResponseWriter, value string)
		want   string // the message; empty: accepted
	}{
		"bare":        {bare, ""},
		"white space": {func(w http.ResponseWriter, v string) { _, _ = io.WriteString(w, " \r\n"+v+"\n") }, ""},
		"JSON string": {func(w http.ResponseWriter, v string) { _, _ = fmt.Fprintf(w, "%q\n", v) }, ""},
		"202":         {func(w http.ResponseWriter, v string) { w.WriteHeader(202); bare(w, v) }, ""},
		"nothing":     {func(http.ResponseWriter, string) {}, wrong + "200 without a body"},
		"other text":  {func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, "OK\x00\"\xff") }, wrong + "200 with \"OK \\\"\uFFFD\""},
		"more text":   {func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, strings.Repeat("é", 500)) }, wrong + `200 with "` + strings.Repeat("é", 50) + `"`},
		"no end":      {func(w http.ResponseWriter, v string) { bare(w, v); flood(w, strings.Repeat(" ", 1<<10)) }, wrong + "200 with "},
		"object":      {func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, `{"challenge":1}`) }, wrong + `200 with "{\"challenge\":1}"`},
		"status":      {func(w http.ResponseWriter, v string) { w.WriteHeader(404) }, wrong + "404 without a body"},
		"redirect":    {func(w http.ResponseWriter, _ string) { w.Header().Set("Location", "/"); w.WriteHeader(302) }, wrong + "302 without a body"},
		"breaks off":  {func(http.ResponseWriter, string) { panic(http.ErrAbortHandler) }, "did not answer the challenge: the receiver closed the connection before its answer was complete"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _, _ := challenged(t, test.answer)
			err := setup(t, nil).Challenge(t.Context(), work(url).Subscription)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, ok := errors.AsType[*switchboard.Error](err)
			if !ok || e.Code != switchboard.CodeInvalid || e.Field != "request.url" || !strings.HasPrefix(e.Message, test.want) || len(e.Message) > 400 {
				t.Errorf("%v; want request.url: %s", err, test.want)
			}
		})
	}
}

func TestChallengeThatCannotBeSent(t *testing.T) {
	t.Parallel()
	forbidden := work("http://10.0.0.1/").Subscription
	template := work("http://127.0.0.1/{{ id }}").Subscription
	unsigned := work("http://127.0.0.1/").Subscription
	unsigned.Secrets = nil
	for want, sub := range map[string]switchboard.Subscription{
		"request.url did not answer the challenge: the host has no address": forbidden,
		"request.url cannot be challenged: it has placeholders":             template,
		"secret the subscription has no signing secret":                     unsigned,
	} {
		err := setup(t, nil).Challenge(t.Context(), sub)
		if e, ok := errors.AsType[*switchboard.Error](err); !ok || !strings.HasPrefix(e.Field+" "+e.Message, want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := setup(t, nil).Challenge(ctx, work("http://127.0.0.1/").Subscription)
	if _, ok := errors.AsType[*Interrupted](err); !ok {
		t.Errorf("%v; want an interruption", err)
	}
}
