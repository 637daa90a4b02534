package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// badInput is a call that must be refused.
type badInput struct {
	name   string
	call   string // method and path
	body   string
	status int
	code   switchboard.Code
	field  string
}

// Each answer is a problem that names code and field, and nothing is stored.
func TestBadInputStoresNothing(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 200)
	subscription, _ := s.subscribe(r.URL, nil)
	for range 3 {
		s.awaitState(s.post("ticket.created", `{}`), "delivered")
	}
	s.rename(subscription)
	db := s.database()
	before := snapshotOf(t, db)
	for _, cases := range [][]badInput{badEvents(), badURLs(), badSubscriptions(), badScripts(subscription), badChanges(subscription), s.badCursors()} {
		for _, c := range cases {
			method, path, _ := strings.Cut(c.call, " ")
			checkProblem(t, c.name, s.call(method, path, c.body), c.status, c.code, c.field)
			after := snapshotOf(t, db)
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("%s: stored something:\n%s", c.name, diff)
				before = after
			}
		}
	}
	if n := len(r.got()); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

// rename makes version 1 of the subscription outdated.
func (s *system) rename(subscription string) {
	s.t.Helper()
	a := s.call(http.MethodPatch, "/v1/subscriptions/"+subscription, fields{"version": 1, "name": "renamed"})
	if a.status != http.StatusOK {
		s.t.Fatalf("answered %d %s", a.status, a.body)
	}
}

func checkProblem(t *testing.T, name string, a answer, status int, code switchboard.Code, field string) {
	t.Helper()
	p := as[client.Error](t, a)
	if a.status != status || p.Status != status || p.Code != code || p.Field != field || p.Detail == "" ||
		a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: answered %d %s with %.300s; want %d, code %s, field %q", name, a.status, a.header.Get("Content-Type"), a.body, status, code, field)
	}
}

func badEvents() []badInput {
	const post, batch = "POST /v1/events", "POST /v1/events/batch"
	const good = `{"tenant":"acme","type":"ticket.created","data":1}`
	data := func(value string) string { return `{"tenant":"acme","type":"ticket.created","data":` + value + `}` }
	return []badInput{
		{"nothing", post, ``, 400, "invalid", ""},
		{"not JSON", post, `tenant=acme`, 400, "invalid", ""},
		{"half of it", post, good[:20], 400, "invalid", ""},
		{"two of it", post, good + good, 400, "invalid", ""},
		{"not an object", post, `[` + good + `]`, 422, "invalid", ""},
		{"unknown field", post, `{"tenant":"acme","type":"ticket.created","data":1,"datum":2}`, 422, "invalid", "datum"},
		{"field twice", post, `{"tenant":"acme","tenant":"globex","type":"ticket.created","data":1}`, 422, "invalid", "tenant"},
		{"tenant missing", post, `{"type":"ticket.created","data":1}`, 422, "invalid", "tenant"},
		{"tenant with a slash", post, `{"tenant":"a/b","type":"ticket.created","data":1}`, 422, "invalid", "tenant"},
		{"type missing", post, `{"tenant":"acme","data":1}`, 422, "invalid", "type"},
		{"type a number", post, `{"tenant":"acme","type":4,"data":1}`, 422, "invalid", "type"},
		{"data missing", post, `{"tenant":"acme","type":"ticket.created"}`, 422, "invalid", "data"},
		{"data over the limit", post, data(`"` + strings.Repeat("x", switchboard.DefaultMaxData) + `"`), 413, "too_large", "data"},
		{"data far over the limit", post, data(`"` + strings.Repeat("x", 4*switchboard.DefaultMaxData) + `"`), 413, "too_large", "data"},
		{"data that is not UTF-8", post, data("\"\xff\""), 422, "invalid", "data"},
		{"id that is a path", post, `{"tenant":"acme","type":"ticket.created","data":1,"id":"../keys"}`, 422, "invalid", "id"},
		{"key with a NUL", post, `{"tenant":"acme","type":"ticket.created","data":1,"key":"a\u0000"}`, 422, "invalid", "key"},
		{"no time", post, `{"tenant":"acme","type":"ticket.created","data":1,"occurred_at":"yesterday"}`, 422, "invalid", "occurred_at"},
		{"batch without events", batch, `{"events":[]}`, 422, "invalid", "events"},
		{"batch over 1,000", batch, `{"events":[` + strings.Repeat(good+",", switchboard.MaxBatch) + good + `]}`, 413, "too_large", "events"},
		{"batch not JSON", batch, `{"events":[` + good + `,]}`, 400, "invalid", ""},
		{"batch with an unknown field", batch, `{"events":[` + good + `],"atomic":true}`, 422, "invalid", "atomic"},
	}
}

// badURLs must be refused if only 127.0.0.0/8 is allowed in addition to public addresses.
func badURLs() []badInput {
	var cases []badInput
	for _, url := range []string{
		"", "crm.example.com/hook", "ftp://crm.example.com/", "file:///etc/passwd", "http://", "http://127.0.0.1:0/", "http://127.0.0.1:99999/",
		"https://joe:secret@crm.example.com/", "https://joe@127.0.0.1/", "http://127.0.0.1/#part", "http://127.0.0.1/\\u0000",
		"http://169.254.169.254/latest/meta-data", "http://metadata.google.internal/", "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/",
		"http://100.64.0.1/", "http://0.0.0.0/", "http://224.0.0.1/", "http://255.255.255.255/", "http://[::1]/", "http://[::]/", "http://[fe80::1]/", "http://[fe80::1%25eth0]/",
		"http://[fc00::1]/", "http://[::ffff:10.0.0.1]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[2002:a9fe:a9fe::]/", "http://[ff02::1]/",
		"http://2852039166/", "http://0xa9fea9fe/", "http://0251.0376.0251.0376/", "http://10.1/", "http://１０.0.0.1/",
	} {
		cases = append(cases, badInput{
			"url " + url, "POST /v1/subscriptions", `{"tenant":"acme","name":"n","events":["*"],"request":{"url":"` + url + `"}}`, 422, "invalid", "request.url",
		})
	}
	return cases
}

func badSubscriptions() []badInput {
	const create, keys = "POST /v1/subscriptions", "POST /v1/keys"
	with := func(more string) string {
		return `{"tenant":"acme","name":"n","events":["*"],"request":{"url":"http://127.0.0.1/"}` + more + `}`
	}
	header := func(name, value string) string {
		return `{"tenant":"acme","name":"n","events":["*"],"request":{"url":"http://127.0.0.1/","headers":{"` + name + `":"` + value + `"}}}`
	}
	cases := []badInput{
		{"unknown field", create, with(`,"template":{}`), 422, "invalid", "template"},
		{"unknown field inside", create, with(`,"retry":{"interval":"5s"}`), 422, "invalid", "retry.interval"},
		{"tenant missing", create, `{"name":"n","events":["*"],"request":{"url":"http://127.0.0.1/"}}`, 422, "invalid", "tenant"},
		{"name missing", create, `{"tenant":"acme","events":["*"],"request":{"url":"http://127.0.0.1/"}}`, 422, "invalid", "name"},
		{"events missing", create, `{"tenant":"acme","name":"n","request":{"url":"http://127.0.0.1/"}}`, 422, "invalid", "events"},
		{"secret too short", create, with(`,"secret":"whsec_c2hvcnQ="`), 422, "invalid", "secret"},
		{"header with a line break", create, header("X-Env", `a\r\nX-Other: b`), 422, "invalid", "request.headers.X-Env"},
		{"header without a name", create, header("", "a"), 422, "invalid", "request.headers"},
		{"timeout negative", create, with(`,"timeout":"-5s"`), 422, "invalid", "timeout"},
		{"timeout zero", create, with(`,"timeout":"0s"`), 422, "invalid", "timeout"},
		{"timeout absurd", create, with(`,"timeout":"8760h"`), 422, "invalid", "timeout"},
		{"timeout that overflows", create, with(`,"timeout":"9999999999999h"`), 422, "invalid", "timeout"},
		{"timeout without a unit", create, with(`,"timeout":10`), 422, "invalid", "timeout"},
		{"interval negative", create, with(`,"retry":{"initial_interval":"-1s"}`), 422, "invalid", "retry.initial_interval"},
		{"interval absurd", create, with(`,"retry":{"maximum_interval":"87600h"}`), 422, "invalid", "retry.maximum_interval"},
		{"attempts without end", create, with(`,"retry":{"maximum_attempts":1000000}`), 422, "invalid", "retry.maximum_attempts"},
		{"unknown role", keys, `{"name":"n","role":"root"}`, 422, "invalid", "role"},
		{"role in capitals", keys, `{"name":"n","role":"Admin"}`, 422, "invalid", "role"},
		{"key without a name", keys, `{"role":"viewer"}`, 422, "invalid", "name"},
		{"key that has expired", keys, `{"name":"n","role":"viewer","expires_at":"2020-01-01T00:00:00Z"}`, 422, "invalid", "expires_at"},
	}
	for _, name := range []string{"Host", "content-length", "Content-Type", "Transfer-Encoding", "Connection", "webhook-id", "Webhook-Signature", "Proxy-Authorization"} {
		cases = append(cases, badInput{"header " + name, create, header(name, "a"), 422, "invalid", "request.headers." + name})
	}
	return cases
}

func badChanges(subscription string) []badInput {
	path := "/v1/subscriptions/" + subscription
	return []badInput{
		{"old version", "PATCH " + path, `{"version":1,"name":"other"}`, 409, "conflict", "version"},
		{"version to come", "PATCH " + path, `{"version":3,"name":"other"}`, 409, "conflict", "version"},
		{"no version", "PATCH " + path, `{"name":"other"}`, 422, "invalid", "version"},
		{"another tenant", "PATCH " + path, `{"version":2,"tenant":"globex"}`, 422, "invalid", "tenant"},
		{"forbidden address", "PATCH " + path, `{"version":2,"request":{"url":"http://10.0.0.1/"}}`, 422, "invalid", "request.url"},
		{"header that may not be set", "PATCH " + path, `{"version":2,"request":{"headers":{"Host":"a"}}}`, 422, "invalid", "request.headers.Host"},
		{"negative timeout", "PATCH " + path, `{"version":2,"timeout":"-1s"}`, 422, "invalid", "timeout"},
		{"negative grace", "POST " + path + "/rotate_secret", `{"grace":"-1s"}`, 422, "invalid", "grace"},
		{"test without a type", "POST " + path + "/test", `{"type":"a b"}`, 422, "invalid", "type"},
	}
}

// badCursors are forged cursors, and real ones in the wrong place.
func (s *system) badCursors() []badInput {
	s.t.Helper()
	cursorOf := func(list string) string {
		page := as[struct {
			NextCursor string `json:"next_cursor"`
		}](s.t, s.call(http.MethodGet, list, nil))
		if page.NextCursor == "" {
			s.t.Fatalf("%s has no second page", list)
		}
		return page.NextCursor
	}
	const deliveries = "GET /v1/deliveries?limit=1&cursor="
	real := cursorOf("/v1/deliveries?limit=1")
	cases := []badInput{
		{"made up", deliveries + "abc", "", 422, "invalid", "cursor"},
		{"cut", deliveries + real[:len(real)-4], "", 422, "invalid", "cursor"},
		{"longer", deliveries + real + "AAAA", "", 422, "invalid", "cursor"},
		{"of another list", deliveries + cursorOf("/v1/events?limit=1"), "", 422, "invalid", "cursor"},
		{"of other filters", "GET /v1/deliveries?limit=1&state=delivered&cursor=" + real, "", 422, "invalid", "cursor"},
	}
	for _, i := range []int{0, len(real) / 2, len(real) - 1} {
		other := byte('A')
		if real[i] == other {
			other = 'B'
		}
		cases = append(cases, badInput{"one letter changed", deliveries + real[:i] + string(other) + real[i+1:], "", 422, "invalid", "cursor"})
	}
	if a := s.call(http.MethodGet, "/v1/deliveries?limit=1&cursor="+real, nil); a.status != http.StatusOK {
		s.t.Errorf("the cursor as it was given: answered %d %s", a.status, a.body)
	}
	return cases
}

// An expired or revoked key is refused like one that never existed.
func TestKeysThatAreOver(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.subscribe(newReceiver(t, 200).URL, nil)
	revoked, expiring := s.newKey("admin", ""), s.newKey("admin", "", time.Now().Add(time.Hour))
	if a := s.as(revoked, http.MethodGet, "/v1/events", nil); a.status != http.StatusOK {
		t.Fatalf("before it is revoked: answered %d %s", a.status, a.body)
	}
	if a := s.call(http.MethodDelete, "/v1/keys/"+revoked.ID+"?reason=r", nil); a.status != http.StatusOK {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	db := s.database()
	if _, err := db.ExecContext(t.Context(), "UPDATE keys SET expires_at = now() WHERE id = $1", expiring.ID); err != nil { // an hour later
		t.Fatal(err)
	}
	await(t, "expired", func() bool {
		return s.as(expiring, http.MethodGet, "/v1/events", nil).status == http.StatusUnauthorized
	})
	before := snapshotOf(t, db)
	unknown := madeKey{Key: switchboard.NewKeyText().Reveal()}
	for name, key := range map[string]madeKey{"revoked": revoked, "expired": expiring, "unknown": unknown, "none": {}, "its hash": {Key: before["keys"].Digest}} {
		for call, body := range map[string]any{
			"POST /v1/events":        fields{"tenant": "acme", "type": "ticket.created", "data": 1},
			"POST /v1/events/batch":  "not even JSON",
			"POST /v1/subscriptions": fields{"tenant": "acme", "name": "n", "events": []string{"*"}, "request": fields{"url": "http://127.0.0.1/"}},
			"POST /v1/keys":          fields{"name": "n", "role": "admin"},
			"GET /v1/keys":           nil,
		} {
			method, path, _ := strings.Cut(call, " ")
			a := s.as(key, method, path, body)
			checkProblem(t, name+" key, "+call, a, http.StatusUnauthorized, "unauthenticated", "")
			if a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s key, %s: no WWW-Authenticate", name, call)
			}
		}
	}
	if diff := cmp.Diff(before, snapshotOf(t, db)); diff != "" {
		t.Errorf("something was stored:\n%s", diff)
	}
}
