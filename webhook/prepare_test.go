package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

func TestRenderRefusesImpossibleRequests(t *testing.T) {
	t.Parallel()
	header := func(name, value string) func(*switchboard.LoadedDelivery) {
		return func(w *switchboard.LoadedDelivery) { w.Subscription.Request.Headers = map[string]string{name: value} }
	}
	tests := map[string]struct {
		field  string
		change func(*switchboard.LoadedDelivery)
	}{
		"line feed in a value":       {"request.headers.X-A", header("X-A", "a\nWebhook-Id: x")},
		"carriage return in a value": {"request.headers.X-A", header("X-A", "a\r\n\r\nGET / HTTP/1.1")},
		"line break in a name":       {"request.headers", header("X-A: b\r\nX-B", "c")},
		"our signature":              {"request.headers.webhook-signature", header("webhook-signature", "v1,x")},
		"our id, odd case":           {"request.headers.wEbHoOk-iD", header("wEbHoOk-iD", "x")},
		"host":                       {"request.headers.Host", header("Host", "other.test")},
		"idempotency key":            {"request.headers.Idempotency-Key", header("Idempotency-Key", "x")},
		"content type":               {"request.content_type", func(w *switchboard.LoadedDelivery) { w.Subscription.Request.ContentType = "a/b\r\nX: y" }},
		"URL":                        {"request.url", func(w *switchboard.LoadedDelivery) { w.Subscription.Request.URL = "http://a b/" }},
		"line break in URL":          {"request.url", func(w *switchboard.LoadedDelivery) { w.Subscription.Request.URL = "http://a/\r\nX: y" }},
		"scheme":                     {"request.url", func(w *switchboard.LoadedDelivery) { w.Subscription.Request.URL = "file:///etc/passwd" }},
		"method":                     {"request.method", func(w *switchboard.LoadedDelivery) { w.Subscription.Request.Method = "GET / HTTP/1.1\r\n" }},
		"body":                       {"request.body", func(w *switchboard.LoadedDelivery) { w.Subscription.Request.Body = "xml" }},
		"erased event":               {"data", func(w *switchboard.LoadedDelivery) { w.Event.Data = nil }},
		"scheme of signature":        {"signature.scheme", func(w *switchboard.LoadedDelivery) { w.Subscription.Signature.Scheme = "md5" }},
		"no secret":                  {"secret", func(w *switchboard.LoadedDelivery) { w.Subscription.Secrets = nil }},
		"unusable secret":            {"secret", func(w *switchboard.LoadedDelivery) { w.Subscription.Secrets[0].Secret = "whsec_dG9wc2VjcmV0" }},
	}
	s := setup(t, nil)
	for name, test := range tests {
		w := work("http://127.0.0.1:1/hook")
		test.change(&w)
		_, err := s.Prepare(w, time.Now())
		if e, ok := errors.AsType[*switchboard.Error](err); !ok || e.Code != switchboard.CodeInvalid || e.Field != test.field {
			t.Errorf("%s: Prepare: %v; want an invalid field %s", name, err, test.field)
			continue
		}
		_, outcome, err := s.Attempt(t.Context(), w, time.Now(), time.Second)
		if err != nil || outcome.Failure != switchboard.FailureRender || !strings.Contains(outcome.Detail, test.field+": ") {
			t.Errorf("%s: Attempt: %+v, %v; want the failure render that names %s", name, outcome, err, test.field)
		}
		if outcome.Permanent != (name == "erased event") {
			t.Errorf("%s: permanent: %t; only what is erased cannot be repaired", name, outcome.Permanent)
		}
		if strings.Contains(outcome.Detail, "dG9wc2VjcmV0") {
			t.Errorf("%s: the detail shows the secret: %s", name, outcome.Detail)
		}
	}
}

func TestMessagePrintsNothingSecret(t *testing.T) {
	t.Parallel()
	w := work("https://receiver.test/hook?token=s3cret-query")
	w.Subscription.Request.Headers = map[string]string{"X-Api-Key": "s3cret-header"}
	w.Event.Data = []byte(`{"card":"s3cret-body"}`)
	m, err := setup(t, nil).Prepare(w, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "message", m, "pointer", &m, "nested", struct{ M render.Message }{m})
	encoded, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s %q %d %x %v", m, m, m, m, m, m, m, struct{ M *render.Message }{&m}) + log.String() + string(encoded)
	for _, hidden := range []string{"s3cret", fmt.Sprintf("%x", "s3cret"), m.Header.Get("Webhook-Signature")} {
		if strings.Contains(printed, hidden) {
			t.Errorf("printing a message shows %q:\n%s", hidden, printed)
		}
	}
	if want := "POST to receiver.test, 22 bytes"; m.String() != want {
		t.Errorf("String() = %q; want %q", m.String(), want)
	}
}

func TestSentMasksCredentialsAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	w := work("https://receiver.test/hook")
	w.Subscription.Request.Headers = map[string]string{"X-Api-Key": "s3cret", "X-Env": "prod"}
	m, err := setup(t, nil).Prepare(w, time.Unix(1700000000, 0))
	if err != nil {
		t.Fatal(err)
	}
	want := switchboard.SentRequest{
		Method: "POST", URL: "https://receiver.test/hook", Bytes: len(w.Event.Data),
		Headers: map[string]string{
			"X-Api-Key": "[redacted]", "X-Env": "prod", "Content-Type": "application/json",
			"User-Agent": "Switchboard/1.2.3 (webhook)", "Webhook-Id": "dlv_01", "Webhook-Timestamp": "1700000000",
			"Webhook-Signature": m.Header.Get("Webhook-Signature"),
		},
	}
	if diff := cmp.Diff(want, m.Sent()); diff != "" {
		t.Errorf("Sent() (-want +got):\n%s", diff)
	}
}

func BenchmarkRenderAndSign(b *testing.B) {
	s := setup(b, nil)
	w := work("https://receiver.test/hook")
	w.Subscription.Request.Body = switchboard.BodyEnvelope
	w.Event.Data = []byte(`{"text":"` + strings.Repeat("x", 2048) + `"}`)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Prepare(w, now); err != nil {
			b.Fatal(err)
		}
	}
}
