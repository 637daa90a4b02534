package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// contact has data of the use case contact, with a variable typed by hand.
const contact = `{"contact":{"id":310,"first_name":"Mei & \"Co\"\r\n","czCol":{"15":12345678901234567890}},"variables":{"has_message":true}}`

// The placeholders of a webhook script are filled in, for every method and encoding.
func TestScripts(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	const params = `{"name":"{{ contact.first_name }}","height":"{{czCol.15}}","again":"{{ contact.czCol.15 }}","has":"{{ has_message }}"}`
	const encoded = "name=Mei+%26+%22Co%22%0D%0A&height=12345678901234567890&again=12345678901234567890&has=true"
	const asJSON = `{"name":"Mei & \"Co\"\r\n","height":12345678901234567890,"again":12345678901234567890,"has":true}`
	for method, c := range map[string]struct{ contentType, query, body string }{
		http.MethodGet:    {"", encoded, ""},
		http.MethodDelete: {"", encoded, ""},
		http.MethodPost:   {"application/json", "", asJSON},
		http.MethodPut:    {"application/x-www-form-urlencoded", "", encoded},
		http.MethodPatch:  {"application/x-www-form-urlencoded", "", encoded},
	} {
		t.Run(method, func(t *testing.T) {
			var query string
			r := newReceiverFunc(t, func(_ int, _ http.ResponseWriter, request *http.Request) { query = request.URL.RawQuery })
			request := fields{
				"method": method, "url": r.URL + "/users/{{ contact.id }}", "params": json.RawMessage(params), "headers": fields{"X-Contact": "{{ contact.id }}"},
			}
			if c.contentType != "" {
				request["content_type"] = c.contentType
			}
			id, _ := s.subscribe(r.URL, fields{"profile": "firstline", "use_case": "Contact", "events": []string{"contact." + strings.ToLower(method)}, "request": request})
			s.awaitState(s.post("contact."+strings.ToLower(method), contact), "delivered")
			got := r.got()[0]
			if got.method != method || got.path != "/users/310" || query != c.query || string(got.body) != c.body || got.header.Get("X-Contact") != "310" {
				t.Errorf("%s %s?%s with %q and contact %q arrived", got.method, got.path, query, got.body, got.header.Get("X-Contact"))
			}
			if a := s.call(http.MethodPost, "/v1/subscriptions/"+id+"/preview", fields{"data": json.RawMessage(contact)}); a.status != http.StatusOK ||
				as[struct{ Body string }](t, a).Body != c.body {
				t.Errorf("previewed as %d %s", a.status, a.body)
			}
		})
	}
}

// A missing value fails the attempt and says so. The customer may repair the template.
func TestScriptWithoutAValue(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 200)
	s.subscribe(r.URL, fields{"request": fields{"url": r.URL, "body": "params", "params": fields{"a": "{{ contact.phone }}"}}})
	d := s.awaitState(s.post("contact.created", contact), "retrying")
	detail := as[struct{ Attempts []struct{ Detail string } }](t, s.call(http.MethodGet, "/v1/deliveries/"+d.ID, nil)).Attempts[0].Detail
	if d.Reason != "render" || !strings.Contains(detail, "contact.phone") || len(r.got()) != 0 {
		t.Errorf("retrying with %s: %s, after %d requests", d.Reason, detail, len(r.got()))
	}
}

// A template that an event makes too expensive fails its own attempts. Other deliveries continue.
func TestHostileTemplateHurtsNobodyElse(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	hostile, well := newReceiver(t, 200), newReceiver(t, 200)
	bomb := "{{ a" + strings.Repeat(` | replace: "x", a`, 20) + " }}"
	s.subscribe(hostile.URL, fields{"events": []string{"bomb"}, "request": fields{"url": hostile.URL, "body": "params", "params": fields{"a": bomb}}})
	s.subscribe(well.URL, fields{"events": []string{"well"}})
	var bombs, others []string
	for range 20 {
		bombs = append(bombs, s.post("bomb", `{"a":"`+strings.Repeat("x", 200)+`"}`))
		others = append(others, s.post("well", `{}`))
	}
	for _, id := range others {
		s.awaitState(id, "delivered")
	}
	for _, id := range bombs {
		if d := s.awaitState(id, "retrying"); d.Reason != "render" || !strings.Contains(string(s.call(http.MethodGet, "/v1/deliveries/"+id, nil).body), "request.params.a") {
			t.Errorf("failed with %s", d.Reason)
		}
	}
	if n := len(hostile.got()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// A conversation's script waits for the receiver's answer.
func TestTriggerWaitsForTheAnswer(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiverFunc(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "session=hunter2")
		w.WriteHeader([]int{http.StatusTeapot, http.StatusOK}[min(n-1, 1)])
		_, _ = io.WriteString(w, `{"stock":3}`)
	})
	subscription, _ := s.subscribe(r.URL, fields{"request": fields{"url": r.URL, "body": "data"}})
	trigger := "/v1/subscriptions/" + subscription + "/trigger"

	a := s.call(http.MethodPost, trigger+"?wait=1m", fields{"data": fields{"sku": 1}, "id": "run-1"})
	answered := as[struct {
		DeliveryID string            `json:"delivery_id"`
		StatusCode int               `json:"status_code"`
		Headers    map[string]string `json:"headers"`
		Body       struct{ Stock int }
	}](t, a)
	if a.status != http.StatusOK || answered.StatusCode != http.StatusTeapot || answered.Body.Stock != 3 || strings.Contains(string(a.body), "hunter2") {
		t.Errorf("answered %d %s", a.status, a.body)
	}
	// While the script continues with that answer, the delivery is retried like any other.
	s.operate(answered.DeliveryID, "retry", "")
	s.awaitState(answered.DeliveryID, "delivered")

	repeated := as[client.Acceptance](t, s.call(http.MethodPost, trigger, fields{"data": fields{"sku": 1}, "id": "run-1"}))
	if !repeated.Duplicate || repeated.Deliveries[0].ID != answered.DeliveryID {
		t.Errorf("the same trigger again: %+v", repeated)
	}
	if a := s.call(http.MethodPost, trigger, fields{"data": fields{"sku": 2}, "id": "run-1"}); a.status != http.StatusConflict {
		t.Errorf("another trigger with its id: answered %d %s", a.status, a.body)
	}
}

func TestTriggerGivesUpWaiting(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r, answerNow := newHoldingReceiver(t, 200)
	subscription, _ := s.subscribe(r.URL, nil)
	a := s.call(http.MethodPost, "/v1/subscriptions/"+subscription+"/trigger?wait=300ms", fields{"data": 1})
	late := as[struct {
		Code       string
		DeliveryID string `json:"delivery_id"`
	}](t, a)
	if a.status != http.StatusGatewayTimeout || late.Code != "timeout" {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	answerNow()
	s.awaitState(late.DeliveryID, "delivered")
	checkRequests(t, r, late.DeliveryID)
}

// A new address gets nothing before it has answered the challenge. What is due until then is held,
// and delivered once afterwards.
func TestUnverifiedAddressIsHeld(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	old := newReceiver(t, 503)
	willing := make(chan struct{})
	address := newReceiverFunc(t, func(n int, w http.ResponseWriter, request *http.Request) {
		select {
		case <-willing:
			answerChallenge(n, w, request)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	subscription, _ := s.subscribe(old.URL, fields{"retry": fields{"initial_interval": "1s", "backoff_coefficient": 1}, "breaker": fields{"mode": "off"}})
	waiting := s.post("ticket.created", `{}`)
	s.awaitState(waiting, "retrying")
	a := s.call(http.MethodPatch, "/v1/subscriptions/"+subscription, fields{"version": 1, "verification": "challenge", "request": fields{"url": address.URL}})
	changed := as[struct {
		State       string
		StateReason string `json:"state_reason"`
	}](t, a)
	if a.status != http.StatusOK || changed.State != "unverified" || !strings.Contains(changed.StateReason, "404") {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	fresh := s.post("ticket.created", `{}`)
	for _, id := range []string{waiting, fresh} {
		if d := s.awaitState(id, "held"); d.Reason != "subscription_unverified" {
			t.Errorf("held for %s", d.Reason)
		}
	}

	close(willing)
	if a := s.call(http.MethodPost, "/v1/subscriptions/"+subscription+"/verify", nil); as[struct{ State string }](t, a).State != "active" {
		t.Fatalf("verify: answered %d %s", a.status, a.body)
	}
	for _, id := range []string{waiting, fresh} {
		s.awaitState(id, "delivered")
	}
	arrived := map[string]int{}
	for _, got := range address.got() {
		if id := got.header.Get("webhook-id"); switchboard.IsID(switchboard.DeliveryPrefix, id) {
			arrived[id]++
		}
	}
	if len(arrived) != 2 || arrived[waiting] != 1 || arrived[fresh] != 1 {
		t.Errorf("arrived: %v", arrived)
	}
	s.awaitNothingOpen()
}

// An event goes to the subscriptions whose filters match its content.
func TestFilterDecides(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 200)
	chosen, _ := s.subscribe(r.URL, fields{"events": []string{"Object.*"}, "filter": json.RawMessage(`{"data":{"channel":"whatsapp","type":{"$in":[1,7]}}}`)})
	s.subscribe(r.URL, fields{"events": []string{"object.*"}, "filter": json.RawMessage(`{"$not":{"data":{"channel":"whatsapp"}}}`)})
	for data, want := range map[string]int{`{"channel":"whatsapp","type":7}`: 1, `{"channel":"whatsapp","type":2}`: 0, `{"channel":"mail","type":7}`: 1} {
		a := s.call(http.MethodPost, "/v1/events", fields{"tenant": "acme", "type": "object.activity_added", "data": json.RawMessage(data)})
		if accepted := as[client.Acceptance](t, a); len(accepted.Deliveries) != want {
			t.Errorf("%s has %d deliveries, want %d", data, len(accepted.Deliveries), want)
		}
	}
	a := s.call(http.MethodPost, "/v1/subscriptions/"+chosen+"/match", `{"type":"object.created","data":{"channel":"whatsapp","type":2}}`)
	if !strings.Contains(string(a.body), `"matches":false`) || !strings.Contains(string(a.body), "data.type") {
		t.Errorf("match: answered %d %s", a.status, a.body)
	}
}

// A delivery carries the token for the client's credentials, and gets another one when the receiver
// no longer accepts it.
func TestOAuthTokenIsRefreshedOnce(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	tokens := 0
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		tokens++
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(fields{"access_token": strings.Repeat("t", tokens), "token_type": "Bearer", "expires_in": int(time.Hour.Seconds())})
	}))
	t.Cleanup(issuer.Close)
	r := newReceiverFunc(t, func(n int, w http.ResponseWriter, request *http.Request) {
		if n == 2 { // it has changed its keys
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	s.subscribe(r.URL, fields{"auth": fields{"type": "oauth2", "token_url": issuer.URL, "client_id": "us", "client_secret": "hunter2"}})
	first := s.awaitState(s.post("ticket.created", `{}`), "delivered")
	second := s.awaitState(s.post("ticket.created", `{}`), "delivered")
	var shown []string
	for _, got := range r.got() {
		shown = append(shown, got.header.Get("Authorization"))
	}
	if len(shown) != 3 || shown[0] != shown[1] || shown[1] == shown[2] || first.AttemptsMade+second.AttemptsMade != 2 {
		t.Errorf("%d tokens were shown in %d attempts", len(shown), first.AttemptsMade+second.AttemptsMade)
	}
	if text := s.log.String(); strings.Contains(text, "hunter2") || strings.Contains(text, shown[2]) {
		t.Error("a credential stands in the log")
	}
}
