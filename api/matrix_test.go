package api

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// payloadMark is in every place for a payload. It begins like a secret: see secretMarks.
const payloadMark = "hunter2payload"

// marked is a bundle in which each call of the table can succeed, and in which sub_acme, evt_marked
// and dlv_acme contain payloadMark.
func marked(t *testing.T) *bundle {
	t.Helper()
	b := seeded(t)
	b.change(t, "sub_acme", func(s *switchboard.Subscription) {
		s.Filter = []byte(`{"data":{"ticket":{"subject":"none"}}}`)
		s.Request.URL += "/" + payloadMark + "?token=" + payloadMark
		s.Request.Headers = switchboard.Headers{"X-Env": payloadMark, "X-Api-Key": payloadMark}
		s.Request.Body, s.Request.ContentType = switchboard.BodyParams, "text/xml"
		s.Request.Params = []byte(`{"text":"` + payloadMark + ` {{ ticket.subject }}"}`)
		s.Request.Missing = switchboard.MissingEmpty // evt_acme has no subject
		s.Request.SOAP = &switchboard.SOAP{Version: "1.1", Action: payloadMark, Parameters: map[string]string{"p": payloadMark}}
		s.Auth = switchboard.Auth{Type: switchboard.AuthOAuth2, TokenURL: "https://id.example.com/" + payloadMark, ClientID: "me", ClientSecret: payloadMark, Parameters: switchboard.Parameters{"audience": payloadMark}}
	})
	b.post(t, switchboard.Event{ID: "evt_marked", Tenant: "acme", Type: "ticket.created", Data: []byte(`{"ticket":{"subject":"` + payloadMark + `","` + payloadMark + `":1}}`)})
	detail, err := b.db.Delivery(t.Context(), anybody(), b.id("dlv_acme"))
	must(t, err)
	s := b.subscription(t, "sub_acme")
	b.db.record(t, detail.Delivery, s.Retry, s.LimitsUnder(0), switchboard.Attempt{
		Number:  2,
		Request: switchboard.SentRequest{Method: "POST", URL: "https://crm.example.com/" + payloadMark + "?token=" + payloadMark, Headers: map[string]string{"X-Env": payloadMark}},
		Outcome: switchboard.Outcome{StatusCode: 503, Failure: switchboard.FailureHTTP5xx, Response: switchboard.Response{
			Headers: map[string]string{"X-Trace": payloadMark, "Content-Type": "application/json"}, Body: []byte(`{"` + payloadMark + `":"` + payloadMark + `"}`)}},
	})
	return b
}

// payloadCalls are calls that show more of a payload than those of the table.
var payloadCalls = []tableCall{
	{"GET /v1/events/evt_marked", ``, 200, "pisv"},
	{"GET /v1/subscriptions?include=health", ``, 200, "isv"},
	{"PATCH /v1/subscriptions/sub_acme", `{"version":3,"events":["*"],"request":{"missing":"empty"}}`, 200, "i"},
	{"POST /v1/subscriptions/sub_acme/preview", `{"event_id":"evt_marked"}`, 200, "is"},
	{"POST /v1/subscriptions/sub_acme/match", `{"event_id":"evt_marked"}`, 200, "is"},
	{"POST /v1/preview", `{"subscription":{"tenant":"acme",` + okRequest + `},"event_id":"evt_marked"}`, 200, "is"},
	{"POST /v1/match", `{"subscription":{"tenant":"acme","filter":{"data":{"ticket":{"subject":"none"}}}},"event_id":"evt_marked"}`, 200, "is"},
}

// unboundCalls need a key that is not bound to a tenant.
var unboundCalls = regexp.MustCompile(`^(PUT|PATCH|DELETE) /v1/event_types/|^POST /v1/keys$`)

// everybodys are calls whose answers belong to no tenant.
var everybodys = regexp.MustCompile(`^GET /v1/(event_types|platforms)`)

// boundIntegrators are calls for integrators with a key that is bound to a tenant.
var boundIntegrators = regexp.MustCompile(`^POST /v1/deliveries/[^/]+/(retry|resend|preview)$|^GET /v1/actions$`)

// boundViewers are calls for viewers with a key that is bound to a tenant.
var boundViewers = regexp.MustCompile(`^GET /v1/actions$`)

// needsPayload are calls that need read_payload.
var needsPayload = regexp.MustCompile(`/(v1|subscriptions/[^/]+)/preview$`)

// changesNothing are calls that leave everything as it was.
var changesNothing = regexp.MustCompile(`^GET |/preview$|/match$`)

// matrixKey is a key of the matrix.
type matrixKey struct {
	role   switchboard.Role
	tenant string
	reads  bool
}

func (k matrixKey) text() string {
	return fmt.Sprintf("sbk_matrix-%s-%s-%t", k.role, k.tenant, k.reads)
}

// matrix is one run of the test.
type matrix struct {
	*bundle
	t       *testing.T
	restore string // the statements that restore the rows
	began   time.Time
	shown   map[string]bool // calls that show the mark to keys that may see it
}

// TestMatrix makes every call of the table with keys of every role, for the tenant of the call, for
// another one and for all, with and without read_payload. The statuses are those of the routes.
// Another tenant's key gets the answers for objects that do not exist. No key without read_payload
// sees a byte of a payload.
func TestMatrix(t *testing.T) {
	t.Parallel()
	m := &matrix{bundle: marked(t), t: t, shown: map[string]bool{}}
	for _, role := range switchboard.Roles() {
		for _, tenant := range []string{"", "acme", "globex"} {
			for _, reads := range []bool{false, true} {
				k := matrixKey{role, tenant, reads}
				_, err := m.db.CreateKey(t.Context(), anybody(), switchboard.Key{Name: "matrix", Role: role, Tenant: tenant, ReadPayload: reads}, switchboard.Secret(k.text()))
				must(t, err)
			}
		}
	}
	m.before = m.db.fingerprint(t)
	m.restore, m.began = m.db.keepRows(t, "marked"), m.db.clock()
	t.Cleanup(func() {
		_, err := m.db.sql.Exec("DROP SCHEMA marked CASCADE")
		must(t, err)
	})
	for _, c := range slices.Concat(calls, payloadCalls) {
		own, other := "acme", "globex"
		if strings.Contains(c.call, "globex") {
			own, other = other, own
		}
		var keys []matrixKey
		for _, role := range switchboard.Roles() {
			for _, reads := range []bool{false, true} {
				for _, tenant := range []string{"", own, other} {
					keys = append(keys, matrixKey{role, tenant, reads})
				}
			}
		}
		for _, k := range keys {
			if c.statusFor(k, own) != c.status {
				m.refuse(c, own, k)
			}
		}
		if m.stored(t) {
			t.Errorf("%s: something was stored or started by a key that may not", c.call)
		}
		for _, k := range keys {
			if c.statusFor(k, own) == c.status {
				m.allow(c, own, k)
			}
		}
	}
	for call := range m.shown {
		if _, known := payloadRules[call]; !known {
			t.Errorf("%s shows payloads, and payloadRules does not say what of it is left out", call)
		}
	}
	if len(m.shown) < 5 {
		t.Errorf("only %v show the mark: the search proves nothing", m.shown)
	}
}

// try makes a call, and checks that only keys with read_payload see a payload.
func (m *matrix) try(c tableCall, own string, k matrixKey) answer {
	m.t.Helper()
	method, path, _ := strings.Cut(c.call, " ")
	got := m.call(m.t, k.text(), method, path, c.body, "X-Request-Id", "same")
	if strings.Contains(string(got.body), payloadMark) {
		if !k.reads || k.tenant != "" && k.tenant != own {
			m.t.Errorf("%s by %s: the answer holds a payload:\n%s", c.call, k.text(), got.body)
		}
		m.shown[routeOf(c.call)] = true
	}
	return got
}

// refuse makes a call that the key may not make.
func (m *matrix) refuse(c tableCall, own string, k matrixKey) {
	m.t.Helper()
	got, wanted := m.try(c, own, k), c.statusFor(k, own)
	switch {
	case wanted == 0:
		m.checkOther(c, own, k, got)
	case got.status != wanted:
		m.t.Errorf("%s by %s: status %d, want %d:\n%s", c.call, k.text(), got.status, wanted, got.body)
	}
}

// allow makes a call that the key may make, and restores the rows.
func (m *matrix) allow(c tableCall, own string, k matrixKey) {
	m.t.Helper()
	if got := m.try(c, own, k); got.status != c.status {
		m.t.Errorf("%s by %s: status %d, want %d:\n%s", c.call, k.text(), got.status, c.status, got.body)
	}
	if changesNothing.MatchString(c.call) && !strings.HasSuffix(c.call, "/request") { // the audit notes it
		return
	}
	_, err := m.db.sql.Exec(m.restore)
	must(m.t, err)
	m.db.setClock(m.began)
	m.engine.forget()
}

// statusFor is the status for the key. 0: the key belongs to another tenant, so it gets the answer
// for objects that do not exist.
func (c tableCall) statusFor(k matrixKey, own string) int {
	bound := k.tenant != "" && (k.role == switchboard.RoleIntegrator && boundIntegrators.MatchString(c.call) || k.role == switchboard.RoleViewer && boundViewers.MatchString(c.call))
	switch {
	case k.role != switchboard.RoleAdmin && !strings.Contains(c.roles, string(k.role)[:1]) && !bound:
		return http.StatusForbidden
	case k.tenant != "" && k.tenant != own:
		return 0
	case k.tenant != "" && unboundCalls.MatchString(c.call), !k.reads && needsPayload.MatchString(c.call):
		return http.StatusForbidden
	case !k.reads && c.call == "POST /v1/match" && strings.Contains(c.body, "event_id"):
		return http.StatusForbidden
	}
	return c.status
}

// checkOther checks the answer to a key of another tenant. It contains nothing of the call's
// tenant, or equals the answer for a tenant and objects that do not exist.
func (m *matrix) checkOther(c tableCall, own string, k matrixKey, got answer) {
	m.t.Helper()
	name := c.call + " by " + k.text()
	if got.status < http.StatusBadRequest {
		if !everybodys.MatchString(c.call) && (strings.Contains(string(got.body), `"tenant":"`+own+`"`) || strings.Contains(string(got.body), "_"+own)) {
			m.t.Errorf("%s: the answer has something of %s:\n%s", name, own, got.body)
		}
		return
	}
	refused := got.status == http.StatusForbidden || got.status == http.StatusNotFound || strings.HasSuffix(c.call, "/batch") && strings.Contains(string(got.body), `"code":"forbidden"`)
	missing := strings.NewReplacer(`"`+own+`"`, `"nobody"`, `"`+own+`\"`, `"nobody\"`, "/"+own, "/nobody").Replace
	method, path, _ := strings.Cut(namePattern.ReplaceAllString(missing(c.call), "${1}_nothing"), " ")
	none := m.call(m.t, k.text(), method, path, namePattern.ReplaceAllString(missing(c.body), "${1}_nothing"), "X-Request-Id", "same")
	same := func(body []byte) string { return missing(namePattern.ReplaceAllString(string(body), "${1}_nothing")) }
	if !refused || got.status != none.status || same(got.body) != same(none.body) {
		m.t.Errorf("%s: status %d; of what does not exist %d:\n%s%s", name, got.status, none.status, got.body, none.body)
	}
}
