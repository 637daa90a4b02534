package api

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// TestIdempotencyKeyOnEveryPost: the same call with the same key gets the same answer, including
// secrets, and does nothing again.
func TestIdempotencyKeyOnEveryPost(t *testing.T) {
	t.Parallel()
	posts := 0
	for _, c := range calls {
		method, path, _ := strings.Cut(c.call, " ")
		if method != "POST" {
			continue
		}
		posts++
		t.Run(c.call, func(t *testing.T) {
			t.Parallel()
			b := seeded(t)
			first := b.call(t, adminKey, "POST", path, c.body, "Idempotency-Key", "k-1")
			first.want(t, c.status)
			before, started := b.db.fingerprint(t), len(b.started())
			again := b.call(t, adminKey, "POST", path, c.body, "Idempotency-Key", "k-1")
			again.want(t, c.status)
			if !bytes.Equal(first.body, again.body) || b.db.fingerprint(t) != before || len(b.started()) != started {
				t.Errorf("something was stored or started again:\n%s\n%s", first.body, again.body)
			}
			if first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" || again.header.Get("Content-Type") != "application/json" {
				t.Errorf("headers %v, then %v", first.header, again.header)
			}
			if other := b.call(t, adminKey, "POST", path, c.body, "Idempotency-Key", "k-2"); other.header.Get("Idempotency-Replayed") != "" {
				t.Error("another key has the answer of the first")
			}
		})
	}
	if posts < 13 {
		t.Errorf("%d posts", posts)
	}
}

// TestIdempotencyKeyNamesOneRequest: another request with the key is refused. The same request in
// other bytes is the same.
func TestIdempotencyKeyNamesOneRequest(t *testing.T) {
	t.Parallel()
	const path, body = "/v1/subscriptions/sub_acme/trigger", `{"data":{"a":1,"b":[2]},"key":"é"}`
	for name, c := range map[string]struct {
		key, path, body string
		same            bool
	}{
		"the same":        {adminKey, path, body, true},
		"white space":     {adminKey, path, ` { "data" : {"a":1 ,"b":[ 2 ]},"key":"é" } `, true},
		"another order":   {adminKey, path, `{"key":"\u00e9","data":{"b":[2.0],"a":1}}`, true},
		"other data":      {adminKey, path, `{"data":{"a":1,"b":[3]},"key":"é"}`, false},
		"a field more":    {adminKey, path, `{"data":{"a":1,"b":[2]},"key":"é","id":"x"}`, false},
		"another call":    {adminKey, "/v1/subscriptions/sub_acme/test", body, false},
		"another one":     {adminKey, "/v1/subscriptions/sub_globex/trigger", body, false},
		"with a wait":     {adminKey, path + "?wait=1s", body, false},
		"no JSON":         {adminKey, path, `hunter2`, false},
		"nothing":         {adminKey, "/v1/deliveries/dlv_acme/cancel", ``, false},
		"of another key":  {publisherKey, path, body, false},
		"compressed also": {adminKey, path, zipped(t, body), true},
	} {
		b := setup(t)
		first := b.call(t, adminKey, "POST", path, body, "Idempotency-Key", "k")
		first.want(t, http.StatusAccepted)
		headers := []string{"Idempotency-Key", "k"}
		if strings.HasPrefix(c.body, "\x1f\x8b") {
			headers = append(headers, "Content-Encoding", "gzip")
		}
		got := b.call(t, c.key, "POST", c.path, c.body, headers...)
		switch {
		case c.key != adminKey: // other keys have their own
			got.want(t, http.StatusAccepted)
			if stored := b.eventCount(t); stored != 2 {
				t.Errorf("%s: %d events", name, stored)
			}
		case c.same:
			if got.want(t, http.StatusAccepted); !bytes.Equal(got.body, first.body) || b.eventCount(t) != 1 {
				t.Errorf("%s: %s", name, got.body)
			}
		default:
			got.wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeKeyReused, "Idempotency-Key")
			if stored := b.eventCount(t); stored != 1 {
				t.Errorf("%s: %d events", name, stored)
			}
		}
	}
}

// TestIdempotencyKeyAfterAnError: if nothing was done, the key is free again. If that is unknown,
// the same request continues from there and makes no second event.
func TestIdempotencyKeyAfterAnError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call(t, adminKey, "POST", "/v1/events", `{"tenant":"acme"}`, "Idempotency-Key", "bad").wantProblem(t, 422, switchboard.CodeInvalid, "type")
	b.call(t, adminKey, "POST", "/v1/events", postedEvent, "Idempotency-Key", "bad").want(t, http.StatusAccepted)
	b.call(t, adminKey, "POST", "/v1/subscriptions/sub_none/test", nil, "Idempotency-Key", "none").wantProblem(t, 404, switchboard.CodeNotFound, "")
	if b.store.count("Release") != 2 {
		t.Errorf("%d keys were forgotten", b.store.count("Release"))
	}

	for name, fail := range map[string]func(*bundle){
		"the answer was not kept": func(b *bundle) { b.store.fail("SaveAnswer", errors.New("the database is away")) },
		"it panicked":             func(b *bundle) { b.store.intercept("Accept", func() error { panic("the store has a bug") }) },
		"the database was away": func(b *bundle) {
			b.store.fail("Accept", &switchboard.Error{Code: switchboard.CodeUnavailable, Message: "away"})
		},
	} {
		for _, call := range []struct{ path, body string }{
			{"/v1/events", `{"tenant":"acme","type":"t","data":1}`},
			{"/v1/events/batch", `{"events":[{"tenant":"acme","type":"t","data":1},{"tenant":"acme","type":"t","data":2}]}`},
			{"/v1/subscriptions/sub_acme/trigger", `{"data":1}`},
			{"/v1/subscriptions/sub_acme/test", `{"data":1}`},
		} {
			if name != "the answer was not kept" && !strings.HasPrefix(call.path, "/v1/events") {
				continue // the fake only fails in Accept
			}
			b := setup(t)
			fail(b)
			b.call(t, adminKey, "POST", call.path, call.body, "Idempotency-Key", "k")
			before := b.eventCount(t)
			b.store.fail("SaveAnswer", nil)
			b.store.fail("Accept", nil)
			reused := b.call(t, adminKey, "POST", call.path, strings.Replace(call.body, "1", "7", 1), "Idempotency-Key", "k")
			reused.wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeKeyReused, "Idempotency-Key")
			b.call(t, adminKey, "POST", call.path, call.body, "Idempotency-Key", "k").want(t, http.StatusAccepted)
			want := before
			if before == 0 {
				want = strings.Count(call.body, `"data"`)
			}
			if b.eventCount(t) != want {
				t.Errorf("%s, %s: %d events, want %d", name, call.path, b.eventCount(t), want)
			}
		}
	}
}

// TestIdempotencyKeyOfATriggerThatTimedOut: its event is stored, so the key stays bound to it, and
// a repeat waits for the same delivery.
func TestIdempotencyKeyOfATriggerThatTimedOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.change(t, "sub_acme", func(s *switchboard.Subscription) { s.State = switchboard.SubscriptionUnverified })
	const path = "/v1/subscriptions/sub_acme/trigger?wait=1m"
	first := b.call(t, adminKey, "POST", path, `{"data":1}`, "Idempotency-Key", "k").wantProblem(t, http.StatusConflict, switchboard.CodeConflict, "")
	b.call(t, adminKey, "POST", path, `{"data":2}`, "Idempotency-Key", "k").wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeKeyReused, "Idempotency-Key")
	again := b.call(t, adminKey, "POST", path, `{"data":1}`, "Idempotency-Key", "k").wantProblem(t, http.StatusConflict, switchboard.CodeConflict, "")
	if b.eventCount(t) != 1 || again.EventID != first.EventID || first.EventID == "" {
		t.Errorf("%d events, %q then %q", b.eventCount(t), first.EventID, again.EventID)
	}
}

func TestIdempotencyKeyUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	b.store.intercept("Accept", func() error {
		close(entered)
		<-leave
		return nil
	})
	done := make(chan answer)
	go func() { done <- b.call(t, adminKey, "POST", "/v1/events", postedEvent, "Idempotency-Key", "k") }()
	<-entered
	got := b.call(t, adminKey, "POST", "/v1/events", postedEvent, "Idempotency-Key", "k")
	got.wantProblem(t, http.StatusConflict, switchboard.CodeConflict, "Idempotency-Key")
	if got.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
	close(leave)
	first := <-done
	again := b.call(t, adminKey, "POST", "/v1/events", postedEvent, "Idempotency-Key", "k")
	if again.want(t, http.StatusAccepted); !bytes.Equal(first.body, again.body) {
		t.Errorf("%s, then %s", first.body, again.body)
	}
}

func TestBadIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, key := range []string{"", strings.Repeat("x", 256), "a\x00b", "é", "a\tb"} {
		b.call(t, adminKey, "POST", "/v1/events", postedEvent, "Idempotency-Key", key).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "Idempotency-Key")
	}
	if b.stored(t) || b.store.count("Claim") > 0 {
		t.Error("something was stored")
	}
	b.call(t, adminKey, "POST", "/v1/events", postedEvent, "Idempotency-Key", strings.Repeat("x", 255)).want(t, http.StatusAccepted)
	claims := b.store.count("Claim")
	b.call(t, adminKey, "POST", "/v1/events", `{"tenant":"acme","type":"t","data":1}`).want(t, http.StatusAccepted)
	b.call(t, adminKey, "GET", "/v1/events", nil, "Idempotency-Key", "k").want(t, http.StatusOK)
	b.call(t, adminKey, "PATCH", "/v1/subscriptions/sub_acme", `{"version":3}`, "Idempotency-Key", "k").want(t, http.StatusOK)
	b.call(t, viewerKey, "POST", "/v1/events", postedEvent, "Idempotency-Key", "k").wantProblem(t, http.StatusForbidden, switchboard.CodeForbidden, "")
	if b.store.count("Claim") != claims {
		t.Error("a call that is no POST, has no key or no right took a claim")
	}
	ids := []string{}
	for _, e := range b.events(t) {
		ids = append(ids, e.ID)
	}
	if slices.Contains(ids, "") {
		t.Errorf("ids %v", ids)
	}
}
