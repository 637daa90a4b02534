package render

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

func TestEnvelopeWithNames(t *testing.T) {
	t.Parallel()
	const odd = " {\"a\" : 1.10, \"u\":\"\\u00e9\" }\n" // re-marshalling would change it
	for name, test := range map[string]struct {
		fields     switchboard.EnvelopeFields
		data, want string
	}{
		"SignalZen":      {switchboard.EnvelopeFields{Type: "event_type", Data: "data"}, odd, `{"event_type":"ticket.created","data":` + odd + `}`},
		"flat":           {switchboard.EnvelopeFields{ID: "id", Type: "type"}, odd, `{"id":"evt_01","type":"ticket.created","a" : 1.10, "u":"\u00e9" }`},
		"flat, empty":    {switchboard.EnvelopeFields{ID: "id"}, ` { } `, `{"id":"evt_01"}`},
		"flat, no field": {switchboard.EnvelopeFields{}, odd, `{"a" : 1.10, "u":"\u00e9" }`},
		"flat, taken":    {switchboard.EnvelopeFields{ID: "id", Type: "a"}, odd, `{"id":"evt_01","a" : 1.10, "u":"\u00e9" }`},
		"vendor's type":  {switchboard.EnvelopeFields{Type: "type", Data: "d", VendorType: true}, `1`, `{"type":"Ticket Create","d":1}`},
		"seconds":        {switchboard.EnvelopeFields{Timestamp: "at", Data: "d", TimeFormat: switchboard.TimeFormatUnix}, `1`, `{"at":1772362800,"d":1}`},
		"milliseconds":   {switchboard.EnvelopeFields{Timestamp: "at", Data: "d", TimeFormat: switchboard.TimeFormatUnixMillis}, `1`, `{"at":1772362800123,"d":1}`},
		"text":           {switchboard.EnvelopeFields{Timestamp: "at", Data: "d", TimeFormat: switchboard.TimeFormatRFC3339}, `1`, `{"at":"2026-03-01T11:00:00.123456Z","d":1}`},
		"odd names":      {switchboard.EnvelopeFields{ID: `a"b`, Data: "d<"}, `1`, `{"a\"b":"evt_01","d<":1}`},
	} {
		w := work("https://receiver.test/hook")
		w.Event.Data = []byte(test.data)
		w.Subscription.Profile = "iomnihub"
		w.Subscription.Request.Body, w.Subscription.Request.Envelope = switchboard.BodyEnvelope, &test.fields
		if diff := cmp.Diff(test.want, string(rendered(t, w).Body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	w := work("https://receiver.test/hook")
	w.Event.Data = []byte("[1]")
	w.Subscription.Request.Body, w.Subscription.Request.Envelope = switchboard.BodyEnvelope, &switchboard.EnvelopeFields{ID: "id"}
	wantField(t, "flat array", w, "data", "object")
	w.Subscription.Request.Envelope = &switchboard.EnvelopeFields{Type: "type", Data: "d", VendorType: true}
	if got := string(rendered(t, w).Body); got != `{"type":"ticket.created","d":[1]}` {
		t.Errorf("no spelling of the vendor: %s", got)
	}
}

// TestTimesHaveOneForm: parsers with a fixed pattern fail on any other.
func TestTimesHaveOneForm(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", -3*3600)
	for want, at := range map[string]time.Time{
		"2026-03-01T12:00:00.000000Z":  time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		"2026-03-01T12:00:00.120000Z":  time.Date(2026, 3, 1, 12, 0, 0, 120_000_000, time.UTC),
		"2026-03-01T12:00:00.500000Z":  time.Date(2026, 3, 1, 9, 0, 0, 500_000_000, zone),
		"2026-03-01T12:00:00.123456Z":  time.Date(2026, 3, 1, 12, 0, 0, 123_456_000, time.UTC),
		"2026-03-01T12:00:00.123456Z ": time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC),
		"0001-01-01T00:00:00.000001Z":  time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC),
		"9999-12-31T23:59:59.999999Z":  time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	} {
		want = strings.TrimSpace(want)
		w := script("POST", "application/json", `{"at":"{{ event.timestamp }}"}`)
		w.Subscription.Request.URL += "/{{ event.timestamp }}"
		w.Event.OccurredAt = at
		if m := rendered(t, w); string(m.Body) != `{"at":"`+want+`"}` || !strings.HasSuffix(m.URL, "/"+want) {
			t.Errorf("%s in a template: %s, %s", at, m.Body, m.URL)
		}
		for media, text := range map[string]string{
			"application/json": `"timestamp":"` + want + `"`,
			"application/xml":  "<timestamp>" + want + "</timestamp>",
			formType:           "timestamp=" + url.QueryEscape(want),
		} {
			w := work("https://receiver.test/hook")
			w.Subscription.Request.Body, w.Subscription.Request.ContentType, w.Event.OccurredAt = switchboard.BodyEnvelope, media, at
			if m := rendered(t, w); !strings.Contains(string(m.Body), text) {
				t.Errorf("%s in an envelope: %s", at, m.Body)
			}
		}
	}
}
