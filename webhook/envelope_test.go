package webhook

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchboard"
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
		"seconds":        {switchboard.EnvelopeFields{Timestamp: "at", Data: "d", TimeFormat: switchboard.UnixTime}, `1`, `{"at":1772362800,"d":1}`},
		"milliseconds":   {switchboard.EnvelopeFields{Timestamp: "at", Data: "d", TimeFormat: switchboard.UnixMillis}, `1`, `{"at":1772362800123,"d":1}`},
		"text":           {switchboard.EnvelopeFields{Timestamp: "at", Data: "d", TimeFormat: switchboard.RFC3339}, `1`, `{"at":"2026-03-01T11:00:00.123456Z","d":1}`},
		"odd names":      {switchboard.EnvelopeFields{ID: `a"b`, Data: "d<"}, `1`, `{"a\"b":"evt_01","d<":1}`},
	} {
		w := work("https://receiver.test/hook")
		w.Event.Data = []byte(test.data)
		w.Subscription.Profile = "iomnihub"
		w.Subscription.Request.Body, w.Subscription.Request.Envelope = switchboard.Envelope, &test.fields
		if diff := cmp.Diff(test.want, string(rendered(t, w).Body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	w := work("https://receiver.test/hook")
	w.Event.Data = []byte("[1]")
	w.Subscription.Request.Body, w.Subscription.Request.Envelope = switchboard.Envelope, &switchboard.EnvelopeFields{ID: "id"}
	wantField(t, "flat array", w, "data", "object")
	w.Subscription.Request.Envelope = &switchboard.EnvelopeFields{Type: "type", Data: "d", VendorType: true}
	if got := string(rendered(t, w).Body); got != `{"type":"ticket.created","d":[1]}` {
		t.Errorf("no spelling of the vendor: %s", got)
	}
}
