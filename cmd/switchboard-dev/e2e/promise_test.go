package e2e

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"testing"

	"github.com/seed-49a43567/switchboard/client"
)

// TestMatchAndPreviewArePromises: for generated filters and events, /match predicts what acceptance
// does, for a given event and for a stored one, and preview shows what the receiver gets. Each pair
// of a subscription and an event is a case, 60 in total.
func TestMatchAndPreviewArePromises(t *testing.T) {
	t.Parallel()
	s, r, g := newSystem(t), newReceiver(t, 200), generator{rand.New(rand.NewPCG(7, 11))}
	requests := []fields{
		{"body": "envelope", "headers": fields{"X-Type": "{{ event.type }}"}},
		{"body": "data", "content_type": "application/xml"},
		{"body": "params", "missing": "empty", "params": fields{"v": "{{ a }}", "t": "{{ event.type }} {{ b.c | upcase }}", "k": fields{"n": []string{"{% if a > 4 %}y{% else %}n{% endif %}"}}}},
		{"body": "params", "missing": "empty", "content_type": "application/x-www-form-urlencoded", "params": fields{"v": "{{ b }}", "k": "{{ event.key }}"}},
		{"body": "data"},
		{"body": "params", "params": fields{"v": "{{ a.b }}"}}, // fails if the event has no a.b
	}
	ids := make([]string, 12)
	for i := range ids {
		request := fields{"url": r.URL + "/" + strconv.Itoa(i)}
		for name, value := range requests[i%len(requests)] {
			request[name] = value
		}
		events := [][]string{{"*"}, {"ticket.*"}, {"TICKET.CREATED"}}[i%3]
		ids[i], _ = s.subscribe("", fields{"events": events, "filter": g.filter(), "request": request, "retry": fields{"maximum_attempts": 1}})
	}
	taken := 0
	for i, eventType := range []string{"ticket.created", "Ticket.Created", "ticket.updated", "TICKET.UPDATED", "x.y"} {
		given := fields{"type": eventType, "id": "event-" + strconv.Itoa(i), "data": g.members(0)}
		if i%2 == 0 {
			given["key"] = "k"
		}
		before := make([]string, len(ids))
		for j, id := range ids {
			before[j] = string(s.call(http.MethodPost, "/v1/subscriptions/"+id+"/match", given).body)
		}
		deliveries := s.postFor(given)
		taken += len(deliveries)
		for j, id := range ids {
			posted := s.call(http.MethodPost, "/v1/subscriptions/"+id+"/match", fields{"event_id": given["id"]})
			takes := as[struct{ Matches bool }](t, posted).Matches
			if _, taken := deliveries[id]; takes != taken || string(posted.body) != before[j] {
				t.Errorf("%v is taken: %v, of the subscription %s; match said\n%s\nand of the posted one\n%s", given, taken, s.call(http.MethodGet, "/v1/subscriptions/"+id, nil).body, before[j], posted.body)
			}
			if delivery := deliveries[id]; delivery != "" {
				s.comparePreview(t, r, id, "/"+strconv.Itoa(j), given["id"].(string), delivery)
			}
		}
	}
	if taken < 10 || taken > 50 {
		t.Errorf("%d of 60 are taken: the generator says little", taken)
	}
}

// postFor posts the event and returns its deliveries by subscription.
func (s *system) postFor(event fields) map[string]string {
	s.t.Helper()
	event["tenant"] = "acme"
	a := s.call(http.MethodPost, "/v1/events", event)
	if a.status != http.StatusAccepted {
		s.t.Fatalf("post: answered %d %s", a.status, a.body)
	}
	deliveries := map[string]string{}
	for _, d := range as[client.Acceptance](s.t, a).Deliveries {
		deliveries[d.SubscriptionID] = d.ID
	}
	return deliveries
}

// comparePreview compares the preview with what arrived at the path, except for the new signature.
// If a preview is refused, the delivery fails.
func (s *system) comparePreview(t *testing.T, r *receiver, subscription, path, eventID, delivery string) {
	t.Helper()
	before := len(r.at(path))
	var d client.Delivery
	await(t, "delivery "+delivery+" is final", func() bool {
		d = s.delivery(delivery)
		return d.State == "delivered" || d.State == "failed"
	})
	a := s.call(http.MethodPost, "/v1/subscriptions/"+subscription+"/preview", fields{"event_id": eventID})
	if a.status != http.StatusOK {
		if d.State != "failed" || d.Reason != "render" {
			t.Errorf("the preview of %s is %d %s; the delivery %s %s", path, a.status, a.body, d.State, d.Reason)
		}
		return
	}
	shown := as[struct {
		Method, URL, Body string
		Headers           map[string]string
	}](t, a)
	arrived := r.at(path)
	if d.State != "delivered" || len(arrived) == 0 || len(arrived) > before+1 {
		t.Fatalf("%s: %s %s, %d requests", path, d.State, d.Reason, len(arrived))
	}
	got := arrived[len(arrived)-1]
	if shown.Method != got.method || shown.URL != r.URL+got.path || shown.Body != string(got.body) {
		t.Errorf("shown %s %s %s\nsent  %s %s %s", shown.Method, shown.URL, shown.Body, got.method, got.path, got.body)
	}
	anew := []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"}
	for name, value := range shown.Headers {
		name = textproto.CanonicalMIMEHeaderKey(name)
		if sent := got.header.Get(name); sent == "" || sent != value && !slices.Contains(anew, name) {
			t.Errorf("%s: %s shown as %q, sent as %q", path, name, value, sent)
		}
	}
}

// generator makes data and filters that are likely to match.
type generator struct{ *rand.Rand }

func (g generator) leaf() any {
	return []any{"a", "Open", "open", "5", "10", "é", "", 0, 5, 5.5, -1, json.Number("9007199254740993"), nil, true, false}[g.IntN(15)]
}

func (g generator) name() string { return string("abcd"[g.IntN(4)]) }

func (g generator) value(depth int) any {
	switch n := g.IntN(10); {
	case n < 3 && depth < 3:
		return g.members(depth + 1)
	case n < 5 && depth < 3:
		list := make([]any, g.IntN(4))
		for i := range list {
			list[i] = g.value(depth + 1)
		}
		return list
	}
	return g.leaf()
}

func (g generator) members(depth int) fields {
	f := fields{}
	for range g.IntN(4) {
		f[g.name()] = g.value(depth)
	}
	return f
}

func (g generator) filter() fields {
	f := fields{"data": fields{g.name(): g.condition(0)}}
	switch g.IntN(5) {
	case 0:
		f["metadata"] = fields{"type": fields{"$startsWith": "Tick"}}
	case 1:
		f["$or"] = []fields{{"metadata": fields{"key": "k"}}, {"data": fields{g.name(): g.leaf()}}}
	case 2:
		return fields{"$not": f}
	}
	return f
}

func (g generator) condition(depth int) any {
	switch n := g.IntN(12); {
	case n < 3 && depth < 3:
		return fields{g.name(): g.condition(depth + 1)}
	case n < 5:
		return fields{[]string{"$gt", "$gte", "$lt", "$lte"}[g.IntN(4)]: []any{5, 0, "a", "5"}[g.IntN(4)]}
	case n < 6:
		return fields{"$exist": g.IntN(2) == 0}
	case n < 8:
		return fields{"$ne": g.leaf()}
	case n < 9:
		return fields{"$nin": []any{g.leaf(), g.leaf()}}
	case n < 10:
		return fields{"$regex": "(?i)^[ao5]"}
	case n < 11:
		return fields{"$not": fields{"$in": []any{g.leaf(), g.leaf()}}}
	}
	return g.leaf()
}
