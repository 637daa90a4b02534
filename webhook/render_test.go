package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// oddData is JSON that re-marshalling would change.
var oddData = map[string]string{
	"whitespace":    " {\"a\" :\n\t1 ,\"b\": [ ] }\n",
	"big number":    `{"n":123456789012345678901234567890.10e+400}`,
	"escapes":       `{"s":"\u00e9\u003c\/\ud83d\ude00\u2028"}`,
	"html":          `{"s":"<a href='x'>&amp;</a>"}`,
	"duplicate key": `{"b":1,"a":2,"b":3}`,
	"invalid utf-8": "{\"s\":\"\xff\"}",
	"scalar":        `-0.0`,
	"string":        `"text"`,
}

func TestRenderKeepsDataVerbatim(t *testing.T) {
	t.Parallel()
	for name, data := range oddData {
		w := work("https://receiver.test/hook")
		w.Event.Data = []byte(data)
		m, err := NewRenderer(nil).Render(w)
		if err != nil {
			t.Fatalf("%s: Render: %v", name, err)
		}
		if diff := cmp.Diff(data, string(m.Body)); diff != "" {
			t.Errorf("%s: body data (-want +got):\n%s", name, diff)
		}
		w.Subscription.Request.Body = switchboard.BodyEnvelope
		if m, err = NewRenderer(nil).Render(w); err != nil {
			t.Fatalf("%s: Render: %v", name, err)
		}
		want := `{"id":"evt_01","type":"ticket.created","timestamp":"2026-03-01T11:00:00.123456Z","data":` + data + `}`
		if diff := cmp.Diff(want, string(m.Body)); diff != "" {
			t.Errorf("%s: envelope (-want +got):\n%s", name, diff)
		}
	}
}

func TestRenderRequest(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "PURGE"} {
		w := work("https://receiver.test/hook?token=1")
		w.Subscription.Request.Method = method
		w.Subscription.Request.ContentType = "application/vnd.acme+json"
		w.Subscription.Request.Headers = map[string]string{"x-env": "prod", "Authorization": "Bearer t0p"}
		m, err := NewRenderer(nil).Render(w)
		if err != nil {
			t.Fatalf("%s: Render: %v", method, err)
		}
		want := Message{
			Method: method, URL: "https://receiver.test/hook?token=1", Body: w.Event.Data,
			Header: http.Header{
				"X-Env": {"prod"}, "Authorization": {"Bearer t0p"}, "Content-Type": {"application/vnd.acme+json"},
			},
		}
		if diff := cmp.Diff(want, m); diff != "" {
			t.Errorf("%s (-want +got):\n%s", method, diff)
		}
	}
}

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
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "message", m, "pointer", &m, "nested", struct{ M Message }{m})
	encoded, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s %q %d %x %v", m, m, m, m, m, m, m, struct{ M *Message }{&m}) + log.String() + string(encoded)
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

func FuzzEnvelope(f *testing.F) {
	for _, data := range oddData {
		f.Add("evt_1", "ticket.created", data, int64(1700000000123456000))
	}
	f.Add(`"}],`, "a\x00\n\\\"", `{}`, int64(0))
	f.Fuzz(func(t *testing.T, id, eventType, data string, nanos int64) {
		if !json.Valid([]byte(data)) {
			return
		}
		at := time.Unix(0, nanos)
		w := work("https://receiver.test/hook")
		w.Subscription.Request.Body = switchboard.BodyEnvelope
		w.Event = switchboard.Event{ID: id, Type: eventType, Data: []byte(data), OccurredAt: at}
		m, err := NewRenderer(nil).Render(w)
		if err != nil {
			t.Fatal(err)
		}
		body := m.Body
		var got struct {
			ID, Type  string
			Timestamp time.Time
			Data      json.RawMessage
		}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&got); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		// JSON is UTF-8, so each byte that is not becomes a replacement character.
		if wantID, wantType := string([]rune(id)), string([]rune(eventType)); got.ID != wantID || got.Type != wantType {
			t.Errorf("id %q, type %q; want %q, %q", got.ID, got.Type, wantID, wantType)
		}
		if !got.Timestamp.Equal(at) {
			t.Errorf("timestamp %s; want %s", got.Timestamp, at)
		}
		if !bytes.HasSuffix(body, []byte(`,"data":`+data+`}`)) {
			t.Errorf("the data is not verbatim in %q", body)
		}
	})
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
