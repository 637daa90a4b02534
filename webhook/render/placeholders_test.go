package render

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// The names of the event's own fields mean these, whatever the data contain, and a name in brackets
// always means the data.
func TestNamesAtTheTop(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ data, source, want string }{
		{`{"event":{"id":"theirs","name":"n"}}`, `{{ event.id }} {{ event.name }}`, `evt_01 n`},
		{`{"event":{"id":"theirs"}}`, `{{ ["event"].id }} {{ ["event"]["id"] }}`, `theirs theirs`},
		{`{"event":"push"}`, `{{ event.id }} {{ event.key }} {{ event }}`, `evt_01 310 push`},
		{`{"event":null}`, `{{ event.type }}`, `ticket.created`},
		{`{"Event":{"id":1}}`, `{{ event.id }} {{ Event.id }}`, `evt_01 1`},
		{`[1]`, `{{ event.id }}`, `evt_01`},
		{`{"first name":"Mei","ticket.id":7}`, `{{ ["first name"] }} {{ ["ticket.id"] }}`, `Mei 7`},
		{`{"ticket":{"id":8},"ticket.id":7}`, `{{ ticket.id }} {{ ["ticket.id"] }} {{ ticket["id"] }}`, `8 7 8`},
		{`{"variables":{"first name":"Mei"}}`, `{{ ["first name"] }}`, `Mei`},
		{`{"ชื่อ":"a","c":{"שֵׁם":"b"}}`, `{{ ชื่อ }} {{ c.שֵׁם }}`, `a b`},
	} {
		params, _ := json.Marshal(map[string]string{"v": "= " + c.source})
		w := script("POST", "application/json", string(params))
		w.Event.Data = []byte(c.data)
		if got, want := string(rendered(t, w).Body), `{"v":"= `+c.want+`"}`; got != want {
			t.Errorf("%s in %s: %s; want %s", c.source, c.data, got, want)
		}
	}
	hidden := script("POST", "application/json", `{"v":"{{ [\"event\"].id }}"}`)
	hidden.Subscription.UseCase, hidden.Event.Data = "contact", []byte(`{"event":{"id":"theirs"},"contact":{}}`)
	wantField(t, "a member that the use case may not read", hidden, "request.params.v", "may not read event")
}

// How a filter of a leaf treats null and a missing value.
func TestFiltersOverNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ data, source, want string }{
		{`{"d":null}`, `{{ d | date: '%F' }}`, ``},
		{`{}`, `{{ d | date: '%F' }}`, ``},
		{`{"d":""}`, `{{ d | date: '%F' }}`, ``},
		{`{"d":"soon"}`, `{{ d | date: '%F' }}`, `soon`},
		{`{}`, `{{ d | join: ', ' }}{{ d | first }}{{ d | last | upcase }}`, ``},
		{`{"d":"a"}`, `{{ d | join: ', ' }}`, `a`},
		{`{}`, `{{ d | plus: 1 }}{{ d | round }}`, `10`},
		{`{"d":null}`, `{{ d | date: '%F' | default: 'open' }}{{ d | join | default: 'open' }}`, `openopen`},
		{`{"n":0}`, `{{ 1 | divided_by: n }}|{{ 1 | modulo: d }}`, `|`},
		{`{"d":"now"}`, `{{ d | date: '%Y' | size }}`, `4`},
	} {
		params, _ := json.Marshal(map[string]string{"v": "= " + c.source})
		w := script("POST", "application/json", string(params))
		w.Subscription.Request.Missing = switchboard.MissingEmpty
		w.Event.Data = []byte(c.data)
		if got, want := string(rendered(t, w).Body), `{"v":"= `+c.want+`"}`; got != want {
			t.Errorf("%s in %s: %s; want %s", c.source, c.data, got, want)
		}
	}
}

// Now is when the attempt begins, so a request can be rendered repeatedly with the same result.
func TestNowIsTheAttempts(t *testing.T) {
	t.Parallel()
	w := script("POST", "application/json", `{"v":"{{ 'now' | date: '%FT%T.%6N%:z' }}","w":"{{ 'today' | date: '%F' }}"}`)
	at := time.Date(2026, 7, 5, 23, 59, 59, 123456000, time.FixedZone("", -3600))
	want := `{"v":"2026-07-06T00:59:59.123456+00:00","w":"2026-07-06"}`
	for range 2 {
		if m, err := NewRenderer(nil).Render(&w.Subscription, []switchboard.Event{w.Event}, at); err != nil || string(m.Body) != want {
			t.Errorf("%s, %v; want %s", m.Body, err, want)
		}
	}
}

// Data of the maximum depth can be rendered, in every format and place.
func TestDeepDataAreRendered(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, switchboard.MaxNesting-1) + `[1]` + strings.Repeat("}", switchboard.MaxNesting-1)
	for _, contentType := range []string{"application/json", formType, "text/xml"} {
		w := script("POST", contentType, `{"v":"{{ a.a }}","w":"{{ event.id }}"}`)
		w.Event.Data = []byte(deep)
		rendered(t, w)
		w.Subscription.Request.Body, w.Subscription.Request.Params = switchboard.BodyEnvelope, nil
		rendered(t, w)
	}
	w := script("POST", "application/json", `{"v":"{{ a }}"}`)
	w.Event.Data = []byte(`[[` + deep + `]]`)
	wantField(t, "deeper", w, "data", "deeper than 129")
	w.Subscription.Request.Body, w.Subscription.Request.Params = switchboard.BodyData, nil
	w.Subscription.Request.Headers = map[string]string{"X-Id": "{{ event.id }}"} // the event's own fields need no data
	if got := rendered(t, w).Header.Get("X-Id"); got != "evt_01" {
		t.Errorf("X-Id: %q", got)
	}
}
