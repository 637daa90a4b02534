package console

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// done counts what was done: rows of the audit, and events.
func (f *fixture) done() int {
	f.t.Helper()
	audit, err := f.store.Audit(f.t.Context(), operator(), switchboard.AuditFilter{}, switchboard.PageRequest{Limit: switchboard.MaxPage})
	must(f.t, err)
	events, err := f.store.Events(f.t.Context(), operator(), switchboard.EventFilter{}, switchboard.PageRequest{Limit: switchboard.MaxPage})
	must(f.t, err)
	return len(audit.Items) + len(events.Items)
}

// TestFormsActOnce: a form that is sent twice acts once, and both answers are that of the first.
func TestFormsActOnce(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	var requests atomic.Int64
	f := newFixture(t, func(c *Config) {
		c.Now = func() time.Time { return begin.Add(time.Duration(requests.Add(1)) * time.Second) } // each time is later than the previous one
	})
	own := f.populate("acme")
	sub, delivery := own["subscriptions"], own["deliveries"]
	ana := f.as(switchboard.RoleAdmin, "")
	for _, c := range []struct {
		path  string
		typed url.Values
	}{
		{linkDeliveryAction(delivery, "retry"), url.Values{"reason": {"asked"}}},
		{linkDeliveryAction(delivery, "retry"), url.Values{"reason": {"asked"}, "in": {"15m"}}},
		{linkDeliveryAction(delivery, "hold"), url.Values{"reason": {"asked"}}},
		{linkDeliveryAction(delivery, "release"), url.Values{"reason": {"asked"}}},
		{linkDeliveryAction(delivery, "cancel"), url.Values{"reason": {"asked"}}},
		{linkOperation(own["operations"]) + "/pause", url.Values{"reason": {"asked"}}},
		{linkOperation(own["operations"]) + "/resume", url.Values{"reason": {"asked"}}},
		{linkOperation(own["operations"]) + "/cancel", url.Values{"reason": {"asked"}}},
		{linkSubscriptionAction(sub, "test"), url.Values{"try_type": {"ticket.created"}, "data": {`{"n":1}`}}},
		{linkEventSend(own["events"], "acme", sub), url.Values{}},
		{linkSubscriptionAction(sub, "pause"), url.Values{"reason": {"asked"}}},
		{linkSubscriptionAction(sub, "resume"), url.Values{"reason": {"asked"}}},
		{linkNewKey(), url.Values{"name": {"n"}, "role": {"viewer"}}},
		{linkNewSubscription(), url.Values{"tenant": {"acme"}, "name": {"Another"}, "events": {"call.*"}, "request.url": {"https://crm.example.com/"}, "do": {doSave}}},
	} {
		form := ana.get(c.path).want(t, http.StatusOK)
		c.typed.Set(onceField, form.formField(t, onceField))
		if strings.Contains(form.body, `name="expect"`) {
			c.typed.Set("expect", form.formField(t, "expect"))
		}
		before := f.done()
		first, second := ana.post(c.path, c.typed), ana.post(c.path, c.typed)
		if n := f.done() - before; n != 1 {
			t.Errorf("%s did %d things: %d %s", c.path, n, first.status, first.body)
		}
		if first.status >= http.StatusBadRequest || second.status != first.status || second.header.Get("Location") != first.header.Get("Location") || withoutTimes(second.body) != withoutTimes(first.body) {
			t.Errorf("%s: %d to %s, and then %d to %s: %s", c.path, first.status, first.header.Get("Location"), second.status, second.header.Get("Location"), second.body)
		}
	}
	// A corrected form is another form.
	form := ana.get(linkNewKey())
	for name, want := range map[string]int{"": http.StatusUnprocessableEntity, "corrected": http.StatusCreated} {
		ana.post(linkNewKey(), url.Values{"name": {name}, "role": {"viewer"}, onceField: {form.formField(t, onceField)}}).want(t, want)
	}
}

// busy answers that many times like the API during the execution of the same request.
type busy struct {
	times  int
	bodies []string
}

func (b *busy) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	b.bodies = append(b.bodies, string(body))
	status := http.StatusOK
	if len(b.bodies) <= b.times {
		status = http.StatusConflict
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {"1"}}, Body: http.NoBody}, err
}

// TestPatient: the second of two equal requests waits for the first, but not forever.
func TestPatient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key          string
		times        int
		status, sent int
	}{
		{"k", 2, http.StatusOK, 3},
		{"k", firstsTries, http.StatusConflict, firstsTries},
		{"", 2, http.StatusConflict, 1},
	} {
		b := &busy{times: c.times}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://switchboard.invalid/v1/keys", strings.NewReader("body"))
		must(t, err)
		if c.key != "" {
			r.Header.Set(switchboard.IdempotencyHeader, c.key)
		}
		answered, err := patient{b}.RoundTrip(r)
		must(t, err)
		must(t, answered.Body.Close())
		if answered.StatusCode != c.status || strings.Join(b.bodies, "") != strings.Repeat("body", c.sent) {
			t.Errorf("%+v: %d after %q", c, answered.StatusCode, b.bodies)
		}
	}
}
