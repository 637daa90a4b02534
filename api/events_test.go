package api

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

const postedEvent = `{"tenant":"acme","type":"ticket.created","data":{"id":4711}}`

func TestPostEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest)).want(t, http.StatusCreated)
	b.change(t, "sub_new", func(s *switchboard.Subscription) { s.State = switchboard.SubscriptionUnverified })
	b.db.setClock(created)
	got := b.call(t, publisherKey, "POST", "/v1/events", `{"tenant":"acme","type":"ticket.created","data":{"id":4711},
		"id":"ticket-4711","key":"4711","occurred_at":"2026-01-31T13:00:00+01:00"}`).want(t, http.StatusAccepted)
	to := map[any]any{}
	for _, d := range asList(got["deliveries"]) {
		to[d.(map[string]any)["subscription_id"]] = d.(map[string]any)["id"]
	}
	if got["id"] != "ticket-4711" || got["duplicate"] != false || len(to) != 2 || to["sub_acme"] == nil || to["sub_new"] == nil {
		t.Errorf("got %v", got)
	}
	stored := switchboard.Event{
		ID: "ticket-4711", Tenant: "acme", Type: "ticket.created", Key: "4711", Data: []byte(`{"id":4711}`),
		OccurredAt: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), CreatedAt: created.UTC(),
	}
	if diff := cmp.Diff([]switchboard.Event{stored}, b.events(t)); diff != "" {
		t.Error(diff)
	}
	// The held delivery is not started, because its subscription is unverified.
	if diff := cmp.Diff([]string{fmt.Sprint("start ", to["sub_acme"])}, b.started()); diff != "" {
		t.Error(diff)
	}
}

func TestPostEventTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := `{"tenant":"acme","type":"ticket.created","data":1,"id":"one"}`
	first := b.call(t, publisherKey, "POST", "/v1/events", body).want(t, http.StatusAccepted)
	second := b.call(t, publisherKey, "POST", "/v1/events", body).want(t, http.StatusAccepted)
	if second["duplicate"] != true || !cmp.Equal(first["deliveries"], second["deliveries"]) {
		t.Errorf("second answer: %v", second)
	}
	if started := b.started(); len(started) != 1 {
		t.Errorf("started: %v", started)
	}
	b.call(t, publisherKey, "POST", "/v1/events", strings.Replace(body, ":1", ":2", 1)).
		wantProblem(t, http.StatusConflict, switchboard.CodeConflict, "id")
}

// TestDataIsKept compares sums: the stored bytes are exactly those that were sent.
func TestDataIsKept(t *testing.T) {
	t.Parallel()
	values := []string{
		`{"a":1}`,
		"{ \"a\" :\t1 ,\r\n \"b\": [ ] }",
		`{"big":123456789012345678901234567890.1234567890e+99,"z":-0,"e":1E5}`,
		`{"b":1,"a":2,"b":3}`,
		`"\u0041\/\ud83d\ude00 é 😀 <>&"`,
		`"lone \ud800, NUL \u0000"`,
		`"brackets ]}\" in a string \\"`,
		`null`, `true`, `0`, `""`, `[]`, `{}`,
		strings.Repeat("[", switchboard.MaxNesting) + strings.Repeat("]", switchboard.MaxNesting),
		`"` + strings.Repeat("x", switchboard.DefaultMaxData-2) + `"`,
	}
	b := setup(t)
	for _, value := range values {
		for _, frame := range []string{
			`{"tenant":"acme","type":"t","data":` + value + `}`,
			"\n{ \"data\" : \t" + value + "\n , \"type\":\"t\" ,\"tenant\" : \"acme\"\r\n}\n",
		} {
			b.call(t, publisherKey, "POST", "/v1/events", frame).want(t, http.StatusAccepted)
			if got := b.lastEvent(t).Data; sha256.Sum256(got) != sha256.Sum256([]byte(value)) {
				t.Errorf("sent %.80q, stored %.80q", value, got)
			}
		}
	}
}

func TestPostBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.call(t, acmePublisherKey, "POST", "/v1/events/batch", `{"events":[
		{"tenant":"acme","type":"ticket.a","data": {"x" : 1} ,"id":"one"},
		{"tenant":"acme","type":"not a type","data":1,"id":"two"},
		17,
		{"tenant":"globex","type":"a","data":1},
		{"tenant":"acme","type":"a","data":1,"unknown":1},
		{"tenant":"acme","type":"ticket.a","data": {"x" : 1} ,"id":"one"},
		{"tenant":"acme","type":"ticket.a","data":2,"id":"one"},
		{"tenant":"acme","type":"ticket.b","data":3}
	]}`).want(t, http.StatusAccepted)
	var summary []string
	for _, r := range got["results"].([]any) {
		result := r.(map[string]any)
		line := result["status"].(string) + " " + result["id"].(string)
		if p, ok := result["problem"].(map[string]any); ok {
			line += " " + p["code"].(string)
			if field, ok := p["field"].(string); ok {
				line += " " + field
			}
		}
		summary = append(summary, line)
	}
	want := []string{
		"accepted one", "error two invalid type", "error  invalid", "error  forbidden tenant", "error  invalid unknown",
		"duplicate one", "error one conflict id", "accepted evt_1",
	}
	if diff := cmp.Diff(want, summary); diff != "" {
		t.Error(diff)
	}
	if one, _, err := b.db.Event(t.Context(), anybody(), "acme", "one"); err != nil || string(one.Data) != `{"x" : 1}` {
		t.Errorf("stored %q: %v", one.Data, err)
	}
	if diff := cmp.Diff([]string{"start dlv_1", "start dlv_2"}, b.started()); diff != "" {
		t.Error(diff)
	}
}

// An event in a batch may be nested as deep as a single one. One that is nested deeper does not
// affect the others.
func TestBatchOfDeepEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	nested := func(levels int) string {
		return `{"tenant":"acme","type":"a","data":` + strings.Repeat("[", levels) + strings.Repeat("]", levels) + `}`
	}
	got := b.call(t, acmePublisherKey, "POST", "/v1/events/batch", `{"events":[`+nested(switchboard.MaxNesting)+","+nested(switchboard.MaxNesting+1)+","+nested(1)+`]}`).want(t, http.StatusAccepted)
	for i, want := range []string{"accepted", "error", "accepted"} {
		if result := got["results"].([]any)[i].(map[string]any); result["status"] != want || want == "error" && result["problem"].(map[string]any)["field"] != "data" {
			t.Errorf("event %d: %v; want %s", i, result, want)
		}
	}
	b.call(t, acmePublisherKey, "POST", "/v1/events", nested(switchboard.MaxNesting)).want(t, http.StatusAccepted)
	b.call(t, acmePublisherKey, "POST", "/v1/events", nested(switchboard.MaxNesting+1)).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "data")
}

func TestBatchOfAThousand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := `{"events":[` + strings.TrimSuffix(strings.Repeat(postedEvent+",", switchboard.MaxBatch), ",") + `]}`
	got := b.call(t, publisherKey, "POST", "/v1/events/batch", body).want(t, http.StatusAccepted)
	if n := len(got["results"].([]any)); n != switchboard.MaxBatch || b.eventCount(t) != n {
		t.Errorf("%d results, %d stored", n, b.eventCount(t))
	}
}

// TestBatchOutage: a batch is stored completely or not at all, and the answer says which.
func TestBatchOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.fail("Accept", switchboard.Errorf(switchboard.CodeUnavailable, "the database is away"))
	b.call(t, publisherKey, "POST", "/v1/events/batch", `{"events":[`+postedEvent+`,{}]}`).
		wantProblem(t, http.StatusServiceUnavailable, switchboard.CodeUnavailable, "")
	if b.stored(t) {
		t.Error("something was stored")
	}
}

func TestGetEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call(t, publisherKey, "POST", "/v1/events", postedEvent).want(t, http.StatusAccepted)
	got := b.call(t, viewerKey, "GET", "/v1/events/evt_1?tenant=acme", nil)
	var one struct {
		ID         string          `json:"id"`
		Data       json.RawMessage `json:"data"`
		CreatedAt  string          `json:"created_at"`
		Deliveries []delivery      `json:"deliveries"`
	}
	got.want(t, http.StatusOK)
	if err := json.Unmarshal(got.body, &one); err != nil {
		t.Fatal(err)
	}
	if string(one.Data) != `{"id":4711}` || one.CreatedAt != "2026-01-31T11:00:00Z" || len(one.Deliveries) != 1 || one.Deliveries[0].ID != "dlv_1" {
		t.Errorf("got %s", got.body)
	}
	b.call(t, viewerKey, "GET", "/v1/events/evt_9", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
}

func TestListEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, id := range []string{"one", "two", "three"} {
		b.call(t, publisherKey, "POST", "/v1/events", `{"tenant":"acme","type":"ticket.created","data":1,"key":"k","id":"`+id+`"}`).want(t, http.StatusAccepted)
	}
	const query = "/v1/events?tenant=acme&type=ticket.created&key=k&limit=1&after=2026-01-01T00:00:00Z&before=2026-02-01T01:00:00%2B01:00"
	cursor := ""
	for _, id := range []string{"three", "two", "one"} {
		path := query
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		got := b.call(t, viewerKey, "GET", path, nil).want(t, http.StatusOK)
		item := got["data"].([]any)[0].(map[string]any)
		if item["id"] != id || item["data"] != nil || len(item["deliveries"].([]any)) == 0 {
			t.Errorf("got %v", got)
		}
		if diff := cmp.Diff(switchboard.PageRequest{Limit: 1, Cursor: cursor}, b.store.page); diff != "" {
			t.Error(diff)
		}
		cursor, _ = got["next_cursor"].(string)
		if more := cursor != ""; more != (id != "one") {
			t.Errorf("after %s there is more: %v", id, more)
		}
	}
	want := switchboard.EventFilter{
		Tenant: "acme", Type: "ticket.created", Key: "k",
		After: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Before: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC),
	}
	if diff := cmp.Diff(want, b.store.events); diff != "" {
		t.Error(diff)
	}
	b.call(t, viewerKey, "GET", "/v1/events", nil).want(t, http.StatusOK)
	if diff := cmp.Diff(switchboard.PageRequest{Limit: switchboard.DefaultPage}, b.store.page); diff != "" {
		t.Error(diff)
	}
}
