package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// TestTypedResend: an unchanged value is not a change.
func TestTypedResend(t *testing.T) {
	t.Parallel()
	const body = "{\"a\":1,\r\n\"b\":2}"
	for name, c := range map[string]struct {
		typed   typedResend
		forge   bool
		changed string
		field   string
	}{
		"nothing":       {typedResend{}, true, "", ""},
		"the same body": {typedResend{Body: lines(body), BodySum: sumOf(lines(body))}, true, "", ""},
		"another body":  {typedResend{Body: "x", BodySum: sumOf(lines(body))}, true, "body", ""},
		"a body in place of one that is not shown": {typedResend{Body: "x", BodySum: sumOf("")}, true, "body", ""},
		"by one who may not":                       {typedResend{URL: "https://x.example.com/", Body: "x"}, false, "", ""},
		"all":                                      {typedResend{URL: "https://x.example.com/", Headers: "X-A: 1\nx-b:2\n\n", Body: "x", Timeout: "20s"}, true, "url headers body timeout", ""},
		"no header":                                {typedResend{Headers: "X-A"}, true, "", "headers"},
		"no duration":                              {typedResend{Timeout: "20"}, true, "timeout", "timeout"},
	} {
		changes, faults := c.typed.changes(c.forge)
		o := switchboard.Overrides{URL: changes.URL, Headers: changes.Headers, Body: changes.Body}
		if changes.Timeout != nil {
			o.Timeout = 1
		}
		if got := strings.Join(o.Names(), " "); got != c.changed || (len(faults) > 0) != (c.field != "") || len(faults) > 0 && faults[0].Field != c.field {
			t.Errorf("%s: %q, %v", name, got, faults)
		}
	}
}

// TestResend: it is previewed, sent once, and linked with its original. The pages of both show the
// changes.
func TestResend(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme", func(s *switchboard.Subscription) { s.Request.Body = switchboard.BodyData })
	d := f.accept("acme", "evt_1", `{"n":12345678901234567890,"old":true}`)[0]
	d = f.attemptThat(sub, d, answeredWith(503, ""), switchboard.SentRequest{Method: "POST", URL: sub.Request.URL, Headers: map[string]string{"X-Env": "1"}})
	ana := f.as(switchboard.RoleAdmin, "")
	address := linkDeliveryAction(d.ID, "resend")
	form := ana.get(address).want(t, http.StatusOK, "&#34;n&#34;:12345678901234567890", ">Preview<").without(t, `value="send"`)
	typed := url.Values{
		"expect": {form.formField(t, "expect")}, "once": {form.formField(t, "once")}, "body_sum": {form.formField(t, "body_sum")}, "previewed": {""},
		"headers": {"X-Replay: 1\r\n"}, "body": {`{"n":12345678901234567891,"new":true}`}, "do": {"send"}, "reason": {"the customer asks"},
	}
	preview := ana.post(address, typed).want(t, http.StatusOK, `value="send"`, "What would be sent", "headers.X-Replay", "body.n", "12345678901234567891", "body.new", "body.old", "Preview again")
	if detail, err := f.store.Delivery(t.Context(), operator(), d.ID); err != nil || len(detail.ResentAs) != 0 {
		t.Fatalf("it was sent before it was previewed: %v, %v", detail.ResentAs, err)
	}
	typed.Set("previewed", preview.formField(t, "previewed"))
	typed.Set("timeout", "20s")
	ana.post(address, typed).want(t, http.StatusOK, "timeout", `value="send"`) // it differs from the preview
	typed.Del("timeout")
	typed.Set("reason", "")
	ana.post(address, typed).want(t, http.StatusUnprocessableEntity, `href="#field-reason"`, `value="send"`, "12345678901234567891")
	typed.Set("reason", "the customer asks")
	first := ana.post(address, typed)
	if first.status != http.StatusSeeOther {
		t.Fatalf("%d: %s", first.status, first.body)
	}
	second := ana.post(address, typed)
	if second.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("sent twice it makes two: %v, %v", first.header, second.header)
	}
	made := strings.TrimPrefix(first.header.Get("Location"), "/console/deliveries/")
	ana.get(linkDelivery(made)).want(t, http.StatusOK, "This is a resend of", "headers, body", linkResendChanges(made))
	ana.get(linkDelivery(d.ID)).want(t, http.StatusOK, "Resent as", linkResendChanges(made), "resent it as a copy", "the customer asks")
	ana.get(linkResendChanges(made)).want(t, http.StatusOK, "once each has made an attempt")
	copied, err := f.store.Delivery(t.Context(), operator(), made)
	must(t, err)
	f.attemptThat(sub, copied.Delivery, answeredWith(200, ""), switchboard.SentRequest{Method: "POST", URL: sub.Request.URL, Headers: map[string]string{"X-Env": "1", "X-Replay": "1"}})
	ana.get(linkResendChanges(made)).want(t, http.StatusOK, "headers.X-Replay", "body.n", "12345678901234567891", "body.old").without(t, "headers.X-Env")
}

// TestResendOfWhatCannotBeRendered: another body repairs it.
func TestResendOfWhatCannotBeRendered(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme", func(s *switchboard.Subscription) {
		s.Request.Body, s.Request.Params = switchboard.BodyParams, []byte(`{"a":"{{ not.there }}"}`)
	})
	d := f.attempt(sub, f.accept("acme", "evt_1", `{}`)[0], switchboard.Outcome{Failure: switchboard.FailureRender})
	ana, address := f.as(switchboard.RoleAdmin, ""), linkDeliveryAction(d.ID, "resend")
	ana.get(address).want(t, http.StatusOK, "Another body")
	ana.post(address, url.Values{"do": {"preview"}, "headers": {"X-A: 1"}}).want(t, http.StatusUnprocessableEntity, "request.params.a", "not.there")
	ana.post(address, url.Values{"do": {"preview"}, "body": {`{"a":"repaired"}`}}).want(t, http.StatusOK, "repaired", "not compared", `value="send"`)
}

// TestRefusedResends: a forbidden address, a reserved header, and a body changed by a support key
// are reported; nothing is sent.
func TestRefusedResends(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, d := f.failing("x")
	address := linkDeliveryAction(d.ID, "resend")
	ana := f.as(switchboard.RoleAdmin, "")
	for field, value := range map[string]string{"url": "ftp://x.example.com/", "headers": "Host: evil.example.com", "timeout": "31s"} {
		ana.post(address, url.Values{"do": {"preview"}, field: {value}}).want(t, http.StatusUnprocessableEntity, `href="#field-`+field+`"`, "data-focus")
	}
	support := f.as(switchboard.RoleSupport, "", readsPayload)
	support.get(address).want(t, http.StatusOK, "Changing the URL or body needs the role admin").without(t, `name="body"`, `name="url"`)
	support.post(address, url.Values{"do": {"preview"}, "body": {"forged"}, "headers": {"X-A: 1"}}).want(t, http.StatusOK, "headers.X-A").without(t, "forged")
	if detail, err := f.store.Delivery(t.Context(), operator(), d.ID); err != nil || len(detail.ResentAs) != 0 {
		t.Errorf("something was sent: %v, %v", detail.ResentAs, err)
	}
}
