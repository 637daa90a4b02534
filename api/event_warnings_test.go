package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// savingWarnings makes a subscription and returns the warnings.
func savingWarnings(t *testing.T, b *bundle, key, tenant, members string) []string {
	t.Helper()
	created := b.call(t, key, "POST", "/v1/subscriptions", b.numbered(`{"tenant":"`+tenant+`","name":"n","request":{"url":"https://example.com/"},`+members+`}`)).want(t, http.StatusCreated)
	var warnings []string
	for _, w := range asList(created["warnings"]) {
		warnings = append(warnings, w.(string))
	}
	return warnings
}

func TestEventWarnings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		members string
		want    []string // the beginning and the end of each
	}{
		{`"profile":"commbox","events":["object.activity_added"]`, nil},
		{`"profile":"commbox","events":["Object.Activity_Added"]`, nil},
		{`"profile":"commbox","events":["object.*","*"]`, nil},
		{`"profile":"commbox","events":["objekt.activity_added"]`, []string{"events[0]: objekt.activity_added takes no event type of the catalogue of commbox|is object.activity_added meant?"}},
		{`"profile":"commbox","events":["object.created","Objekt.*"]`, []string{"events[1]: Objekt.* takes no event type|is object.* meant?"}},
		{`"profile":"commbox","events":["call.ringing"]`, []string{"events[0]: call.ringing takes no event type of the catalogue of commbox|lately"}},
		{`"events":["call.ringing"]`, nil},
		{`"events":["call.ringign"]`, []string{"events[0]: call.ringign takes no event type of the catalogue, |is call.ringing meant?"}},
		{`"events":["order.paid"]`, nil}, // was posted
		{`"events":["ORDER.*"]`, nil},
		{`"events":["order.payed"]`, []string{"events[0]: order.payed takes no event type of the catalogue, |is Order.Paid meant?"}},
		{`"events":["something.entirely.different"]`, []string{"events[0]: something.entirely.different takes no event type|lately"}},
		{`"events":["switchboard.test","*"]`, nil},
		{`"profile":"commbox","events":["switchboard.breaker.*","Switchboard.Delivery.Failed"]`, nil},
		{`"events":["switchboard.breaker.open"]`, []string{"events[0]: switchboard.breaker.open takes no event type|is switchboard.breaker.opened meant?"}},
		{`"profile":"commbox","events":["object.*"],"filter":{"data":{"Event":{"Object":{"Id":{"$exist":true}}}}}`, nil},
		{`"profile":"commbox","events":["object.*"],"filter":{"data":{"Event":{"Objekt":{"Id":"1"}}}}`,
			[]string{"filter.data.Event.Objekt: data.Event.Objekt is in none of the samples of these events (commbox)|is Object meant?"}},
		{`"profile":"commbox","events":["object.activity_added"],"filter":{"data":{"Event":{"Object":{"Activities":{"Activity":{"Type":{"$in":[1,7]}}}}}}}`,
			[]string{"filter: takes none of the 17 samples of these events (commbox)|data.Event.Object.Activities.Activity.Type is \"1\"; it must be one of [1,7] (a text is not compared with a number)"}},
		{`"profile":"commbox","events":["object.activity_added"],"filter":{"data":{"Event":{"Object":{"Activities":{"Activity":{"Type":{"$in":["1","7"]}}}}}}}`, nil},
		{`"profile":"commbox","events":["object.*"],"filter":{"metadata":{"type":"Object.Closed_Never"}}`, []string{"filter: takes none of the|"}},
		{`"events":["*"],"filter":{"data":{"nobody":{"knows":1}}}`, nil}, // without a platform it is unknown whose events these are
	} {
		b := setup(t)
		b.post(t, switchboard.Event{Tenant: "acme", Type: "Order.Paid", Data: []byte(`1`)})
		got := savingWarnings(t, b, integratorKey, "acme", c.members)
		if len(got) != len(c.want) {
			t.Errorf("%s: %q; want %q", c.members, got, c.want)
			continue
		}
		for i, want := range c.want {
			begin, end, _ := strings.Cut(want, "|")
			if !strings.HasPrefix(got[i], begin) || !strings.HasSuffix(got[i], end) {
				t.Errorf("%s: %q; want %q", c.members, got[i], want)
			}
		}
	}
}

// TestTenantWarning: a tenant that occurs nowhere else may be misspelt.
func TestTenantWarning(t *testing.T) {
	t.Parallel()
	const initechKey = "sbk_initech-integrator-1f4c"
	b := setup(t)
	for _, c := range []struct {
		key, tenant string
		want        int
	}{
		{integratorKey, "acme", 0},
		{integratorKey, "initech", 1},
		{integratorKey, "initech", 0}, // the first one names it
		{integratorKey, "hooli", 1},
		{initechKey, "initech", 0}, // its key names the tenant
	} {
		if c.key == initechKey {
			_, err := b.db.CreateKey(t.Context(), anybody(), switchboard.Key{Name: "n", Role: switchboard.RoleIntegrator, Tenant: c.tenant}, initechKey)
			must(t, err)
		}
		got := savingWarnings(t, b, c.key, c.tenant, `"events":["*"]`)
		if len(got) != c.want || c.want > 0 && !strings.HasPrefix(got[0], fmt.Sprintf("tenant: no event, subscription or key names %q yet", c.tenant)) {
			t.Errorf("%s: %q", c.tenant, got)
		}
	}
}

// TestEventWarningsOfAChange: a change only warns of what it changes.
func TestEventWarningsOfAChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	version := any(3)
	for _, c := range []struct {
		change string
		want   int
	}{
		{`"name":"x"`, 0},
		{`"events":["no.such.type"]`, 1},
		{`"name":"y"`, 0},
		{`"events":["no.such.type"]`, 0},
		{`"events":["ticket.created"],"filter":{"data":{"tickett":1}}`, 1},
		{`"name":"z"`, 0},
		{`"filter":null`, 0},
	} {
		got := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", fmt.Sprintf(`{"version":%v,%s}`, version, c.change)).want(t, http.StatusOK)
		version = got["version"]
		if warnings := asList(got["warnings"]); len(warnings) != c.want {
			t.Errorf("%s: %v", c.change, warnings)
		}
	}
}

// TestEventWarningsAreBounded, even if there are many events.
func TestEventWarningsAreBounded(t *testing.T) {
	t.Parallel()
	var events []string
	for i := range switchboard.MaxEvents {
		events = append(events, fmt.Sprintf(`"nobody.knows.this.one.%d"`, i))
	}
	got := savingWarnings(t, setup(t), integratorKey, "acme", `"events":[`+strings.Join(events, ",")+`]`)
	if len(got) != maxEventWarnings+1 {
		t.Errorf("%d warnings", len(got))
	}
}

// TestTryoutsAnswerForWhatWouldBePosted: the type is the given one, in the catalogue's spelling,
// and its case does not matter.
func TestTryoutsAnswerForWhatWouldBePosted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		filter, posted string
		matches        bool
	}{
		{`"ticket.created"`, "ticket.created", true},
		{`"ticket.created"`, "Ticket.Created", true},
		{`"Ticket.Created"`, "ticket.created", true},
		{`{"$ne":"TICKET.CREATED"}`, "ticket.created", false},
		{`{"$in":["x","TICKET.created"]}`, "ticket.Created", true},
		{`{"$startsWith":"Ticket."}`, "ticket.created", true},
		{`{"$regex":"^ticket\\.Cre"}`, "TICKET.CREATED", true},
		{`"ticket.resolved"`, "Ticket.Created", false},
	} {
		body := fmt.Sprintf(`{"subscription":{"profile":"iomnihub","events":["TICKET.*"],"filter":{"metadata":{"type":%s}}},"type":%q}`, c.filter, c.posted)
		got := b.call(t, supportKey, "POST", "/v1/match", body).want(t, http.StatusOK)
		reasons := asList(got["reasons"])
		if found := reasons[len(reasons)-1].(map[string]any)["found"]; got["matches"] != c.matches || found != fmt.Sprintf("%q", c.posted) {
			t.Errorf("%s of %s: %v, found %v", c.filter, c.posted, got["matches"], found)
		}
		body = fmt.Sprintf(`{"subscription":{"request":{"url":"https://example.com/","body":"envelope"}},"type":%q,"data":1}`, c.posted)
		preview := b.call(t, supportKey, "POST", "/v1/preview", body).want(t, http.StatusOK)
		if !strings.Contains(preview["body"].(string), fmt.Sprintf(`:%q`, c.posted)) {
			t.Errorf("%s: the receiver gets %s", c.posted, preview["body"])
		}
	}
	// What cannot be posted cannot be tried.
	b.call(t, supportKey, "POST", "/v1/match", `{"subscription":{"events":["ticket.*"]},"type":"ticket.*"}`).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "type")
}

// TestUndecidedIsSaid when an event is posted, and when it is tried.
func TestUndecidedIsSaid(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const costly = `{"data":{"$regex":"(?:a?){200}z"}}`
	b.change(t, "sub_acme", func(s *switchboard.Subscription) { s.Filter = json.RawMessage(costly) })
	b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+`,"filter":`+costly)).want(t, http.StatusCreated)
	want := []any{
		"matching all of the event exceeds the budget of the filter of subscription sub_acme: the event is delivered to it",
		"matching all of the event exceeds the budget of the filter of subscription sub_new: the event is delivered to it",
	}
	long := `"` + strings.Repeat("b", 200<<10) + `"`
	posted := `{"tenant":"acme","type":"ticket.created","data":` + long + `}`
	got := b.call(t, publisherKey, "POST", "/v1/events", posted).want(t, http.StatusAccepted)
	if diff := cmp.Diff(want, asList(got["warnings"])); diff != "" {
		t.Errorf("one: %s", diff)
	}
	got = b.call(t, publisherKey, "POST", "/v1/events/batch", `{"events":[`+posted+`]}`).want(t, http.StatusAccepted)
	if diff := cmp.Diff(want, asList(asList(got["results"])[0].(map[string]any)["warnings"])); diff != "" {
		t.Errorf("batch: %s", diff)
	}
	if logged := strings.Count(b.logs.String(), `"undecided_filter_subscription":"`+b.id("sub_acme")+`"`); logged != 2 {
		t.Errorf("%d log lines name the subscriptions", logged)
	}
	for filter, matches := range map[string]bool{
		`{"data":{"$regex":"(?:a?){200}z"}}`:                                       true,
		`{"$not":{"data":{"$regex":"(?:a?){200}z"}}}`:                              true,
		`{"data":{"$regex":"(?:a?){200}z"},"metadata":{"type":{"$regex":"call"}}}`: false,
	} {
		got := b.call(t, supportKey, "POST", "/v1/match", `{"subscription":{"filter":`+filter+`},"type":"ticket.created","data":`+long+`}`).want(t, http.StatusOK)
		said := false
		for _, r := range asList(got["reasons"]) {
			said = said || r.(map[string]any)["condition"] == "filter" && r.(map[string]any)["undecided"] == true
		}
		if got["matches"] != matches || (got["undecided"] == true) != matches || said != matches {
			t.Errorf("%s: %v", filter, got)
		}
	}
}
