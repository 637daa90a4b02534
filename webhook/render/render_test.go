package render

import (
	"bytes"
	"encoding/json"
	"net/http"
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
		m, err := render(NewRenderer(nil), w)
		if err != nil {
			t.Fatalf("%s: Render: %v", name, err)
		}
		if diff := cmp.Diff(data, string(m.Body)); diff != "" {
			t.Errorf("%s: body data (-want +got):\n%s", name, diff)
		}
		w.Subscription.Request.Body = switchboard.BodyEnvelope
		if m, err = render(NewRenderer(nil), w); err != nil {
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
		m, err := render(NewRenderer(nil), w)
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
		m, err := render(NewRenderer(nil), w)
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
		// JSON is UTF-8, so each invalid byte becomes a replacement character.
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
