package console

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// attackText is in every field that others fill in.
const attackText = `"'><script>alert(1)</script><img src=x onerror=alert(1)>`

// answeredWith is an outcome with that body.
func answeredWith(status int, body string) switchboard.Outcome {
	return switchboard.Outcome{
		StatusCode: status, Failure: switchboard.FailureOfStatus(status), Latency: 210 * time.Millisecond, Requests: 1, RemoteIP: "203.0.113.7",
		Response: switchboard.Response{Headers: map[string]string{"Content-Type": "application/json"}, Body: []byte(body)},
	}
}

// failing is a delivery of acme whose attempts were answered 503 with these bodies.
func (f *fixture) failing(bodies ...string) (switchboard.Subscription, switchboard.Delivery) {
	f.t.Helper()
	sub := f.subscribe("acme", patiently)
	d := f.accept("acme", "evt_1", `{"n":12345678901234567890}`)[0]
	for _, body := range bodies {
		d = f.attempt(sub, d, answeredWith(503, body))
	}
	return sub, d
}

// TestDeliveryIsShown with the API's own sentences and date, and updates only get its parts.
func TestDeliveryIsShown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, d := f.failing("the first", `{"said":12345678901234567890,"x":"<script>alert(1)</script>"}`)
	ana := f.as(switchboard.RoleSupport, "", readsPayload)
	shown := ana.get(linkDelivery(d.ID)).want(t, http.StatusOK,
		"Attempt 2 failed at", "failed with 503 Service Unavailable", "Attempt 3 of", "Their side.", "12345678901234567890", "&lt;script&gt;alert(1)&lt;/script&gt;",
		d.NextAttemptAt.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.999Z"), `href="/console/deliveries/`+d.ID+`/retry"`, "No other delivery.", "CRM of acme", "<p>24 h: ")
	shown.without(t, "<script>alert", "the first")
	part := ana.get(linkDelivery(d.ID)+"?part=delivery").want(t, http.StatusOK, `data-live="2"`, `<div id="related" class="stack" data-morph-skip></div>`, `<div id="endpoint" data-morph-skip></div>`).without(t, "<html")
	if again := ana.get(linkDelivery(d.ID)+"?part=delivery", "HX-PTag", part.header.Get("HX-PTag")); again.status != http.StatusNotModified {
		t.Errorf("a poll of what has not changed is answered %d", again.status)
	}
	_, err := f.store.Cancel(t.Context(), operator(), d.ID, "enough")
	must(t, err)
	ana.get(linkDelivery(d.ID)+"?part=delivery", "HX-PTag", part.header.Get("HX-PTag")).want(t, http.StatusOK, "cancelled it", "enough", `id="live-delivery"`).without(t, "data-live")
	ana.get(linkDelivery(d.ID)+"?nonsense=1").want(t, http.StatusUnprocessableEntity, "nonsense")
	ana.get(linkDelivery(d.ID)+"?attempts=some").want(t, http.StatusUnprocessableEntity, "attempts")
	for _, path := range []string{linkDelivery("dlv_none"), linkDelivery("dlv_none") + "/retry", linkAttemptRequest(d.ID, 9), linkDelivery(d.ID) + "/attempts/x/request", linkResendChanges(d.ID)} {
		ana.get(path).want(t, http.StatusNotFound)
	}
}

// TestEventAndKeyOfADelivery: the page shows related deliveries of both.
func TestEventAndKeyOfADelivery(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme")
	f.subscribe("acme", func(s *switchboard.Subscription) { s.Name = "another" })
	var ids []string // of the deliveries to the first subscription
	for _, id := range []string{"evt_1", "evt_2", "evt_3"} {
		accepted, err := f.store.Accept(t.Context(), operator(), []switchboard.Event{{ID: id, Tenant: "acme", Type: "ticket.created", Key: "ticket-1", Data: []byte(`1`)}})
		must(t, err)
		own := slices.IndexFunc(accepted[0].Deliveries, func(d switchboard.Delivery) bool { return d.SubscriptionID == sub.ID })
		ids = append(ids, accepted[0].Deliveries[own].ID)
	}
	f.as(switchboard.RoleViewer, "").get(linkDelivery(ids[1])).want(t, http.StatusOK, "to another subscription", "later: ticket.created", "earlier: ticket.created", linkDelivery(ids[0]), linkDelivery(ids[2]))
}

// TestAttemptParts: the request and the answer are loaded separately, and their bytes come as a
// file.
func TestAttemptParts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	long := `{"text":"` + strings.Repeat("x", 1<<20) + `"}`
	sub := f.subscribe("acme", func(s *switchboard.Subscription) { s.Request.Body = switchboard.BodyData })
	d := f.accept("acme", "evt_1", long)[0]
	sum := sha256.Sum256([]byte(long))
	f.attemptThat(sub, d, answeredWith(503, `<script>alert(1)</script>`), switchboard.SentRequest{Method: "POST", URL: sub.Request.URL, SHA256: sum[:], Bytes: len(long)})
	ana := f.as(switchboard.RoleSupport, "", readsPayload)
	got := ana.get(linkPart(linkAttemptRequest(d.ID, 1), "request")).want(t, http.StatusOK, "These are the bytes that were sent", "1.0 MB, of which this is the beginning", "xxxx").without(t, "<html")
	if len(got.body) < bodyLimit || len(got.body) > bodyLimit+8<<10 {
		t.Errorf("a megabyte is shown in %d bytes", len(got.body))
	}
	ana.get(linkAttemptRequest(d.ID, 1)).want(t, http.StatusOK, "<html", "<h1>", "These are the bytes that were sent")
	file := ana.get(linkDownload(linkAttemptRequest(d.ID, 1))).want(t, http.StatusOK)
	if file.body != long || file.header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(file.header.Get("Content-Disposition"), "attachment") ||
		!strings.HasPrefix(file.header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%d bytes, %v", len(file.body), file.header)
	}
	ana.get(linkPart(linkAttemptResponse(d.ID, 1), "response")).want(t, http.StatusOK, "503 Service Unavailable", "&lt;script&gt;alert(1)&lt;/script&gt;").without(t, "<script>")
	if file := ana.get(linkDownload(linkAttemptResponse(d.ID, 1))); file.body != `<script>alert(1)</script>` || file.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%q, %v", file.body, file.header)
	}
	read, err := f.store.Audit(t.Context(), operator(), switchboard.AuditFilter{Object: d.ID, Verb: switchboard.AuditReadPayload}, switchboard.PageRequest{})
	must(t, err)
	if len(read.Items) != 1 || read.Items[0].Person != "Ana" || read.Items[0].Origin != switchboard.OriginConsole {
		t.Errorf("the audit has of who read it: %+v", read.Items)
	}
	if page := ana.get(linkDelivery(d.ID)); len(page.body) > 80<<10 {
		t.Errorf("the page of the delivery has %d bytes", len(page.body))
	}
}

// TestChangedSubscription: what would be sent now differs from what was sent.
func TestChangedSubscription(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme", func(s *switchboard.Subscription) { s.Request.Body = switchboard.BodyData })
	d := f.accept("acme", "evt_1", `{"a":1}`)[0]
	sum := sha256.Sum256([]byte("something else"))
	f.attemptThat(sub, d, answeredWith(503, ""), switchboard.SentRequest{Method: "POST", URL: sub.Request.URL, SHA256: sum[:]})
	f.as(switchboard.RoleSupport, "", readsPayload).get(linkAttemptRequest(d.ID, 1)).want(t, http.StatusOK, "this is what would be sent now").without(t, "These are the bytes")
}

// TestNothingMarkedWithoutReadPayload: without read_payload, no page of a delivery shows a byte of
// a payload. With it, pages show payloads.
func TestNothingMarkedWithoutReadPayload(t *testing.T) {
	t.Parallel()
	const mark = "pAyLoAdMaRk"
	f := newFixture(t)
	sub := f.subscribe("acme", func(s *switchboard.Subscription) {
		s.Request.URL = "https://crm.example.com/" + mark + "?token=" + mark
		s.Request.Headers = switchboard.Headers{"X-Env": mark}
	})
	d := f.accept("acme", "evt_1", `{"`+mark+`":"`+mark+`"}`)[0]
	outcome := answeredWith(503, `{"`+mark+`":"`+mark+`"}`)
	outcome.Response.Headers["X-Trace"] = mark
	d = f.attemptThat(sub, d, outcome, switchboard.SentRequest{Method: "POST", URL: sub.Request.URL, Headers: map[string]string{"X-Env": mark}})
	copied, _, err := f.store.Resend(t.Context(), operator(), d.ID, switchboard.Resend{Reason: "test", Overrides: switchboard.Overrides{Headers: switchboard.Headers{"X-Env": mark + "2"}}})
	must(t, err)
	f.attemptThat(sub, copied, outcome, switchboard.SentRequest{Method: "POST", URL: sub.Request.URL, Headers: map[string]string{"X-Env": mark + "2"}})
	paths := []string{
		linkDelivery(d.ID), linkDelivery(d.ID) + "?part=delivery", linkDelivery(copied.ID), linkResendChanges(copied.ID), linkDeliveryAction(d.ID, "retry"), linkDeliveryAction(d.ID, "resend"),
		linkAttemptRequest(d.ID, 1), linkPart(linkAttemptRequest(d.ID, 1), "request"), linkDownload(linkAttemptRequest(d.ID, 1)),
		linkAttemptResponse(d.ID, 1), linkPart(linkAttemptResponse(d.ID, 1), "response"), linkDownload(linkAttemptResponse(d.ID, 1)),
	}
	shows := 0
	for _, reads := range []bool{false, true} {
		ana := f.as(switchboard.RoleSupport, "", func(k *switchboard.Key) { k.ReadPayload = reads })
		answers := map[string]shown{"preview": ana.post(linkDeliveryAction(d.ID, "resend"), url.Values{"do": {"preview"}, "headers": {"X-Other: 1"}})}
		for _, path := range paths {
			answers[path] = ana.get(path)
		}
		for path, got := range answers {
			if got.status >= 500 {
				t.Errorf("%s: %d", path, got.status)
			}
			if strings.Contains(got.body, mark) {
				shows++
				if !reads {
					t.Errorf("%s shows a payload:\n%s", path, got.body)
				}
			}
		}
	}
	if shows < 8 {
		t.Errorf("only %d pages show a payload to those who may read it: the search proves nothing", shows)
	}
}

// TestStoredHTML: in every field that a customer or a receiver fills in, HTML is text.
func TestStoredHTML(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme", func(s *switchboard.Subscription) {
		s.Name, s.Events = attackText, []string{"*"}
		s.Request.URL = "https://crm.example.com/" + url.PathEscape(attackText) + "?x='><script>alert(1)</script>"
		s.Request.Headers = switchboard.Headers{"X-Env": attackText}
	})
	accepted, err := f.store.Accept(t.Context(), operator(), []switchboard.Event{{ID: attackText, Tenant: "acme", Type: "a.<script>alert(1)</script>", Key: attackText, Data: []byte(`{"a":"<script>alert(1)</script>"}`)}})
	must(t, err)
	must(t, accepted[0].Err)
	d := accepted[0].Deliveries[0]
	outcome := answeredWith(503, attackText)
	outcome.Detail = attackText
	outcome.Response.Headers[`X-<script>alert(1)</script>`] = attackText
	d = f.attemptThat(sub, d, outcome, switchboard.SentRequest{Method: "POST", URL: sub.Request.URL, Headers: map[string]string{"X-Env": attackText}})
	mallory := operator()
	mallory.Person = attackText
	_, err = f.store.SetAside(t.Context(), mallory, d.ID, attackText)
	must(t, err)
	copied, _, err := f.store.Resend(t.Context(), operator(), d.ID, switchboard.Resend{Reason: attackText, Overrides: switchboard.Overrides{Headers: switchboard.Headers{"X-Env": attackText}}})
	must(t, err)
	f.attemptThat(sub, copied, outcome, switchboard.SentRequest{Method: "POST", URL: sub.Request.URL, Headers: map[string]string{"X-Env": attackText + "2"}})
	ana := f.as(switchboard.RoleAdmin, "")
	attacked := url.Values{"do": {"send"}, "expect": {attackText}, "reason": {attackText}, "in": {attackText}, "retry_at": {attackText}, "url": {attackText}, "headers": {attackText}, "body": {attackText}, "timeout": {attackText}}
	answers := []shown{
		ana.get(linkDelivery(d.ID)), ana.get(linkDelivery(copied.ID)), ana.get(linkResendChanges(copied.ID)), ana.get(linkAttemptRequest(d.ID, 1)), ana.get(linkAttemptResponse(d.ID, 1)),
		ana.get(linkDeliveryAction(d.ID, "resend")), ana.get(linkDeliveryAction(d.ID, "release")), ana.post(linkDeliveryAction(d.ID, "retry"), attacked), ana.post(linkDeliveryAction(d.ID, "resend"), attacked),
		ana.post(linkDeliveryAction(d.ID, "resend"), url.Values{"do": {"preview"}, "headers": {"X-Env: " + attackText}, "body": {attackText}}),
	}
	for i, got := range answers {
		if got.status >= 500 || !strings.Contains(got.body, "script&gt;") {
			t.Errorf("%d: status %d, and it does not show the text:\n%s", i, got.status, got.body)
		}
		got.without(t, "<script>alert", "<img src=x")
	}
}

// attemptThat records the next attempt, with what it sent.
func (f *fixture) attemptThat(s switchboard.Subscription, d switchboard.Delivery, outcome switchboard.Outcome, sent switchboard.SentRequest) switchboard.Delivery {
	f.t.Helper()
	now, number := time.Now(), d.AttemptsMade+1
	after, err := f.store.Record(f.t.Context(), switchboard.Record{
		Attempt: switchboard.Attempt{
			ID: switchboard.NewID(switchboard.AttemptPrefix, now), DeliveryID: d.ID, Number: number, At: now, Timeout: 10 * time.Second, Outcome: outcome, Request: sent, SubscriptionVersion: s.Version,
		},
		Decision: switchboard.Next(s.Retry, s.LimitsUnder(0), d.ID, number, outcome), TemporalRunID: "0198-run", Generation: d.Generation,
	})
	must(f.t, err)
	return after
}

// throughPortal signs a person of the tenant in with a portal link.
func (f *fixture) throughPortal(tenant string) *person {
	f.t.Helper()
	made, err := f.store.CreateKey(f.t.Context(), operator(), switchboard.Key{Name: "portal", Role: switchboard.RoleAdmin, ReadPayload: true}, switchboard.NewKeyText())
	must(f.t, err)
	_, token, err := f.store.CreatePortalLink(f.t.Context(), switchboard.Caller{KeyID: made.ID, Role: made.Role, ReadPayload: true}, switchboard.PortalLink{Tenant: tenant, Person: "Cem", Role: switchboard.RoleIntegrator})
	must(f.t, err)
	begun, err := f.store.SpendPortalLink(f.t.Context(), token, switchboard.SignIn{})
	must(f.t, err)
	return &person{f, sessionCookie + "=" + begun.Token.Reveal(), begun.Session}
}

// formField is the value of a field of a form.
func (s shown) formField(t *testing.T, name string) string {
	t.Helper()
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(s.body)
	if found == nil {
		t.Fatalf("there is no field %s in:\n%s", name, s.body)
	}
	return found[1]
}

// TestActionsOfADelivery: each form performs its action, with its reason, and leads back.
func TestActionsOfADelivery(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, d := f.failing("x")
	ana := f.as(switchboard.RoleSupport, "")
	for _, c := range []struct {
		action string
		state  switchboard.State
	}{{"hold", switchboard.StateHeld}, {"release", switchboard.StatePending}, {"retry", switchboard.StatePending}, {"cancel", switchboard.StateCancelled}, {"retry", switchboard.StatePending}} {
		form := ana.get(linkDeliveryAction(d.ID, c.action)).want(t, http.StatusOK, "Reason (required)")
		got := ana.post(linkDeliveryAction(d.ID, c.action), url.Values{"expect": {form.formField(t, "expect")}, "reason": {"because of " + c.action}})
		if got.status != http.StatusSeeOther || got.header.Get("Location") != linkDelivery(d.ID) {
			t.Fatalf("%s: %d to %q: %s", c.action, got.status, got.header.Get("Location"), got.body)
		}
		detail, err := f.store.Delivery(t.Context(), operator(), d.ID)
		must(t, err)
		done := detail.Actions[len(detail.Actions)-1]
		state := detail.Delivery.State
		asSaid := state == c.state || c.state == switchboard.StatePending && state.HasNextAttempt()
		if !asSaid || string(done.Kind) != c.action || done.Reason != "because of "+c.action || done.Person != "Ana" {
			t.Errorf("%s: it is %s, after %+v", c.action, state, done)
		}
	}
	entries, err := f.store.Audit(t.Context(), operator(), switchboard.AuditFilter{Object: d.ID}, switchboard.PageRequest{})
	must(t, err)
	for _, e := range entries.Items {
		if e.Origin != switchboard.OriginConsole || e.RequestID == "" || e.Address == "" {
			t.Errorf("the audit has %+v", e)
		}
	}
	if len(entries.Items) != 5 {
		t.Errorf("the audit has %d entries", len(entries.Items))
	}
	ana.get(linkDeliveryAction(d.ID, "cancel")).want(t, http.StatusOK, `<option value="because of retry"></option>`, `<option value="because of hold"></option>`)
	ana.get(linkDeliveryAction(d.ID, "release")).want(t, http.StatusOK, "cannot be released").without(t, "<form method=\"post\" action=\"\"")
}

// TestRefusedForms show what is wrong, and the typed values; nothing is done.
func TestRefusedForms(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, d := f.failing("x")
	ana := f.as(switchboard.RoleSupport, "")
	expect := ana.get(linkDeliveryAction(d.ID, "cancel")).formField(t, "expect")
	for name, c := range map[string]struct {
		action string
		form   url.Values
		status int
		texts  []string
	}{
		"no reason":          {"cancel", url.Values{"expect": {expect}}, 422, []string{`href="#field-reason"`, "data-focus", `aria-invalid="true"`}},
		"a short reason":     {"hold", url.Values{"expect": {expect}, "reason": {" . "}}, 422, []string{`href="#field-reason"`}},
		"a long reason":      {"hold", url.Values{"expect": {expect}, "reason": {strings.Repeat("x", 501)}}, 422, []string{`href="#field-reason"`}},
		"no expectation":     {"cancel", url.Values{"reason": {"typed by me"}}, 422, []string{"The form is not complete", `value="typed by me"`}},
		"no date":            {"retry", url.Values{"expect": {expect}, "reason": {"typed by me"}, "retry_at": {"tomorrow"}}, 422, []string{`href="#field-retry_at"`, `value="typed by me"`}},
		"a date in the past": {"retry", url.Values{"expect": {expect}, "reason": {"typed by me"}, "retry_at": {"2020-01-31T18:00"}}, 422, []string{"is in the past", `value="2020-01-31T18:00"`}},
		"it has moved":       {"cancel", url.Values{"expect": {"pending.1.0"}, "reason": {"typed by me"}}, 409, []string{"has moved on", "Nothing was done", `value="typed by me"`, `value="` + expect + `"`, "retrying"}},
	} {
		got := ana.post(linkDeliveryAction(d.ID, c.action), c.form)
		if got.status != c.status {
			t.Errorf("%s: status %d: %s", name, got.status, got.body)
		}
		for _, text := range c.texts {
			if !strings.Contains(got.body, text) {
				t.Errorf("%s: %q is not in:\n%s", name, text, got.body)
			}
		}
	}
	detail, err := f.store.Delivery(t.Context(), operator(), d.ID)
	must(t, err)
	if len(detail.Actions) != 0 || len(f.engine.all()) != 0 {
		t.Errorf("something was done: %+v, %v", detail.Actions, f.engine.all())
	}
}

// TestRetryLater sets the date of the next attempt.
func TestRetryLater(t *testing.T) {
	t.Parallel()
	now := seenAt()
	in := func(d time.Duration) *time.Time { at := now.Add(d); return &at }
	for _, c := range []struct {
		in, date string
		want     *time.Time
		field    string
	}{
		{"", "", nil, ""}, {"15m", "", in(15 * time.Minute), ""}, {"24h", "", in(24 * time.Hour), ""}, {"15m", "2026-01-31T18:00", in(5*time.Hour + 40*time.Minute), ""},
		{"soon", "", nil, "in"}, {"-1h", "", nil, "in"}, {"", "31.1.2026", nil, "retry_at"},
	} {
		got, fault := retryAt(c.in, c.date, now)
		if (got == nil) != (c.want == nil) || got != nil && !got.Equal(*c.want) || (fault == nil) != (c.field == "") || fault != nil && fault.Field != c.field {
			t.Errorf("%q %q: %v, %v", c.in, c.date, got, fault)
		}
	}
	f := newFixture(t)
	_, d := f.failing("x")
	ana := f.as(switchboard.RoleSupport, "")
	form := url.Values{"expect": {ana.get(linkDeliveryAction(d.ID, "retry")).formField(t, "expect")}, "reason": {"their maintenance"}, "in": {"4h"}}
	if got := ana.post(linkDeliveryAction(d.ID, "retry"), form); got.status != http.StatusSeeOther {
		t.Fatalf("%d: %s", got.status, got.body)
	}
	detail, err := f.store.Delivery(t.Context(), operator(), d.ID)
	must(t, err)
	if wait := time.Until(detail.Delivery.NextAttemptAt); wait < 3*time.Hour || wait > 5*time.Hour {
		t.Errorf("the next attempt is in %s", wait)
	}
}

// TestWhoMayAct: viewers may do nothing, the tenant's integrators may retry and resend, people from
// a portal link may retry.
func TestWhoMayAct(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, d := f.failing("x")
	portal := f.throughPortal("acme")
	for _, c := range []struct {
		name    string
		who     *person
		allowed string
		refused int
	}{
		{"a portal", portal, "retry", http.StatusNotFound},
		{"an integrator", f.as(switchboard.RoleIntegrator, "acme"), "retry resend", http.StatusForbidden},
		{"support", f.as(switchboard.RoleSupport, ""), "retry cancel hold release resend", 0},
		{"a viewer", f.as(switchboard.RoleViewer, ""), "", http.StatusForbidden},
		{"another tenant", f.as(switchboard.RoleSupport, "globex"), "", http.StatusNotFound},
	} {
		for _, action := range []string{"retry", "cancel", "hold", "release", "resend"} {
			want := c.refused
			if slices.Contains(strings.Fields(c.allowed), action) {
				want = http.StatusOK
			}
			if got := c.who.get(linkDeliveryAction(d.ID, action)); got.status != want {
				t.Errorf("%s, %s: %d", c.name, action, got.status)
			}
		}
	}
	portal.get(linkDelivery(d.ID)).want(t, http.StatusOK, "Retry now…").without(t, "Resend", "Temporal", "Cancel…", "internal")
	if got := portal.post(linkDeliveryAction(d.ID, "cancel"), url.Values{"reason": {"because"}, "expect": {expectText(&client.Delivery{State: d.State, Generation: 1, AttemptsMade: 1})}}); got.status != http.StatusNotFound {
		t.Errorf("a portal cancels: %d", got.status)
	}
}
