package console

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// hostile is stored in every place for a text.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>{{.Sub}}`

// safe fails the test if the answer contains stored markup.
func (s shown) safe(t *testing.T) shown {
	t.Helper()
	return s.without(t, "<script>alert", "<img src=x")
}

// formOnPage returns the fields of the settings form on the page.
func formOnPage(body string) url.Values {
	form := url.Values{}
	for _, found := range regexp.MustCompile(`<input[^>]* name="([^"]*)"[^>]*value="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		form.Set(html.UnescapeString(found[1]), html.UnescapeString(found[2]))
	}
	for _, found := range regexp.MustCompile(`(?s)<textarea[^>]* name="([^"]*)"[^>]*>\n?(.*?)</textarea>`).FindAllStringSubmatch(body, -1) {
		form.Set(html.UnescapeString(found[1]), strings.ReplaceAll(html.UnescapeString(found[2]), "\n", "\r\n"))
	}
	for _, found := range regexp.MustCompile(`(?s)<select[^>]* name="([^"]*)"[^>]*>(.*?)</select>`).FindAllStringSubmatch(body, -1) {
		form.Set(found[1], "")
		if chosen := regexp.MustCompile(`value="([^"]*)" selected`).FindStringSubmatch(found[2]); chosen != nil {
			form.Set(found[1], html.UnescapeString(chosen[1]))
		}
	}
	form.Set("do", "save")
	return form
}

func TestSubscriptionList(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana := f.as(switchboard.RoleSupport, "")
	ana.get("/console/subscriptions").want(t, http.StatusOK, "No subscription yet").without(t, "New subscription")
	f.as(switchboard.RoleIntegrator, "").get("/console/subscriptions").want(t, http.StatusOK, "New subscription")
	acme := f.subscribe("acme", func(s *switchboard.Subscription) { s.Name = hostile })
	globex := f.subscribe("globex")
	for range 12 {
		_, err := f.store.ReportHealth(t.Context(), globex.Report(switchboard.Attempt{DeliveryID: "dlv_x", At: f.console.Now(), Outcome: switchboard.Outcome{StatusCode: 503, Failure: switchboard.FailureHTTP5xx}}))
		must(t, err)
	}
	got := ana.get("/console/subscriptions").want(t, http.StatusOK, "CRM of globex", "breaker open", "crm.acme.example.com").safe(t)
	if strings.Index(got.body, globex.ID) > strings.Index(got.body, acme.ID) {
		t.Error("those that fail do not come first")
	}
	got.want(t, http.StatusOK, `<details class="filters" open><summary>Filters</summary>`)
	ana.get("/console/subscriptions?failing=true").want(t, http.StatusOK, globex.ID, `<details class="filters"><summary>Filters (1)</summary>`).without(t, acme.ID)
	ana.get("/console/subscriptions?failing=false&text=crm.ACME").want(t, http.StatusOK, acme.ID).without(t, globex.ID)
	ana.get("/console/subscriptions?state=paused").want(t, http.StatusOK, "No subscription matches", "state: paused")
	ana.get("/console/subscriptions?nonsense=1").want(t, http.StatusUnprocessableEntity, "nonsense")
	ana.get("/console/subscriptions?failing=maybe").want(t, http.StatusUnprocessableEntity, "must be true or false")
	f.as(switchboard.RoleViewer, "acme").get("/console/subscriptions").want(t, http.StatusOK, acme.ID).without(t, globex.ID, "globex")

	// Rows of an open page do not move, and new ones are counted.
	rows := ana.get("/console/subscriptions?part=rows&shown="+acme.ID).want(t, http.StatusOK, acme.ID, "1 other in the list by now").without(t, globex.ID, "<html")
	path := html.UnescapeString(regexp.MustCompile(`data-live-path="([^"]*)"`).FindStringSubmatch(rows.body)[1])
	if path != "/console/subscriptions?shown="+acme.ID {
		t.Errorf("the next poll asks for %s", path)
	}
}

func TestSubscriptionPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme", func(s *switchboard.Subscription) {
		s.Name, s.Request.URL = hostile, "https://crm.example.com/<script>alert(1)</script>?token=hunter2"
		s.Request.Headers = map[string]string{"X-Env": hostile, "X-Api-Key": "hunter2"}
		s.Auth = switchboard.Auth{Type: switchboard.AuthBearer, Token: "hunter2"}
	})
	other := f.subscribe("globex")
	f.attempt(sub, f.accept("acme", "e1", `{"a":1}`)[0], switchboard.Outcome{StatusCode: 503, Failure: switchboard.FailureHTTP5xx})
	ana, path := f.as(switchboard.RoleSupport, "", readsPayload), "/console/subscriptions/"+sub.ID
	ana.get(path).want(t, http.StatusOK, "retrying", "Pause…", "Try a match…", "1 open").without(t, "Rotate secret…", "Edit", "hunter2").safe(t)
	ana.get(path+"?tab=failing").want(t, http.StatusOK, "http_5xx", "/console/deliveries?failure=http_5xx").safe(t)
	ana.get(path+"?tab=settings&last=7d").want(t, http.StatusOK, "request.headers", "••••", "retry.maximum_attempts").without(t, "hunter2").safe(t)
	ana.get(path+"?tab=signature").want(t, http.StatusOK, "webhook-signature", "<summary>openssl</summary>")
	ana.get(path+"?tab=changes").want(t, http.StatusOK, "create").safe(t)
	ana.get(path+"?part=now").want(t, http.StatusOK, "1 open").without(t, "<html")
	ana.get(path+"?part=tab&tab=recent").want(t, http.StatusOK, "ticket.created").without(t, "<html")
	ana.get(path+"?tab=nonsense").want(t, http.StatusUnprocessableEntity)
	f.as(switchboard.RoleAdmin, "").get(path).want(t, http.StatusOK, "Rotate secret…", "Delete…").safe(t)
	f.as(switchboard.RoleViewer, "").get(path).want(t, http.StatusOK).without(t, "Pause…", "Send test…")
	f.as(switchboard.RoleIntegrator, "acme").get("/console/subscriptions/"+other.ID).want(t, http.StatusNotFound)
	f.as(switchboard.RoleIntegrator, "acme").get(path).want(t, http.StatusOK, "Edit")
}

// TestPauseAndResume: the page says who, why and since when. Before a resume, it says what will be
// sent.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme")
	ana, path := f.as(switchboard.RoleSupport, ""), "/console/subscriptions/"+sub.ID
	ana.get(path+"/pause").want(t, http.StatusOK, `name="reason"`)
	ana.post(path+"/pause", url.Values{"reason": {"no"}}).want(t, http.StatusUnprocessableEntity, "say why", `aria-invalid="true"`)
	if got := ana.post(path+"/pause", url.Values{"reason": {hostile}}); got.status != http.StatusSeeOther || got.header.Get("Location") != path {
		t.Fatalf("%d %s", got.status, got.body)
	}
	ana.get(path).want(t, http.StatusOK, "paused since", "by Ana", "Resume…").safe(t)
	ana.post(path+"/pause", url.Values{"reason": {"once more"}}).want(t, http.StatusConflict, "the subscription is paused, but pause needs one that is active")
	f.accept("acme", "e1", `{"a":1}`)
	f.accept("acme", "e2", `{"a":1}`)
	ana.get(path+"/resume").want(t, http.StatusOK, "2 deliveries are held, the oldest since", "released 50 a second, and sent at most 16 at a time: about 1 s")
	if got := ana.post(path+"/resume", url.Values{"reason": {"repaired"}}); got.status != http.StatusSeeOther {
		t.Fatalf("%d %s", got.status, got.body)
	}
	ana.get(path).want(t, http.StatusOK, "What was held is released")
	f.as(switchboard.RoleSupport, "").post(path+"/disable", url.Values{"reason": {"repaired"}}).want(t, http.StatusForbidden)
	f.as(switchboard.RoleViewer, "").post(path+"/pause", url.Values{"reason": {"repaired"}}).want(t, http.StatusForbidden)
	ira := f.as(switchboard.RoleIntegrator, "")
	if got := ira.post(path+"/delete", url.Values{"reason": {"replaced"}}); got.status != http.StatusSeeOther {
		t.Fatalf("%d %s", got.status, got.body)
	}
	ira.get(path).want(t, http.StatusNotFound)
}

// TestRotate: the secret is shown once. The same form sent again rotates nothing.
func TestRotate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme")
	ira, path := f.as(switchboard.RoleIntegrator, ""), "/console/subscriptions/"+sub.ID
	ira.get(path+"/rotate").want(t, http.StatusOK, `name="version" value="1"`)
	form := url.Values{"version": {"1"}, "grace": {"tomorrow"}}
	ira.post(path+"/rotate", form).want(t, http.StatusUnprocessableEntity, "must be a duration")
	form.Set("grace", "2h")
	got := ira.post(path+"/rotate", form).want(t, http.StatusOK, "whsec_", "only shown now")
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindString(html.UnescapeString(got.body))
	again := ira.post(path+"/rotate", form).want(t, http.StatusConflict, "it was shown then")
	for _, body := range []string{again.body, ira.get(path).body, ira.get(path + "?tab=signature").body, f.logs.String()} {
		if strings.Contains(html.UnescapeString(body), secret) {
			t.Errorf("the secret is shown once more")
		}
	}
	f.as(switchboard.RoleSupport, "").post(path+"/rotate", form).want(t, http.StatusForbidden)
}

// TestNewSubscription: the typed subscription is made, faults are shown at their fields, and the
// secret is shown once.
func TestNewSubscription(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ira := f.as(switchboard.RoleIntegrator, "acme")
	form := formOnPage(ira.get("/console/subscriptions/new").want(t, http.StatusOK, "breaker.disable_after").body)
	if form.Get("tenant") != "acme" {
		t.Errorf("tenant %q", form.Get("tenant"))
	}
	form.Set("name", hostile)
	form.Set("events", "ticket.*")
	form.Set("request.url", "ftp://crm.example.com")
	form.Set("auth.type", "bearer")
	form.Set("auth.token", "hunter2")
	ira.post("/console/subscriptions/new", form).want(t, http.StatusUnprocessableEntity, `id="fault-request.url"`, `href="#field-request.url"`).without(t, "hunter2").safe(t)
	form.Set("request.url", "https://crm.example.com/")
	form.Set("tenant", "globex") // the tenant stays the key's own
	form.Set("data", `{"name":"Ada"}`)
	form.Set("request.body", "params")
	form.Set("request.params", `{"hello": "{{ name }}"}`)
	form.Set("do", "preview")
	ira.post("/console/subscriptions/new", form).want(t, http.StatusOK, "This would be sent", "{&#34;hello&#34;:&#34;Ada&#34;}").without(t, "hunter2").safe(t)
	form.Set("do", "match")
	form.Set("try_type", "call.rang")
	ira.post("/console/subscriptions/new", form).want(t, http.StatusOK, "It would not get this event").safe(t)
	form.Set("do", "save")
	got := ira.post("/console/subscriptions/new", form).want(t, http.StatusOK, "whsec_", "I have stored it").safe(t)
	id := regexp.MustCompile(`/console/subscriptions/(sub_[a-z0-9]+)`).FindStringSubmatch(got.body)[1]
	made, err := f.store.Subscription(t.Context(), operator(), id)
	must(t, err)
	if made.Tenant != "acme" || made.Name != hostile || made.Auth.Token != "hunter2" || made.Retry.MaxAttempts != 38 {
		t.Errorf("%+v", made)
	}
	form.Set(onceField, "of another form")
	ira.post("/console/subscriptions/new", form).want(t, http.StatusConflict, "another subscription of the tenant is named")
	f.as(switchboard.RoleSupport, "").get("/console/subscriptions/new").want(t, http.StatusForbidden)
}

// TestEditSubscription: an untouched form changes nothing, stored secrets stay, and somebody else's
// change in the meantime is shown next to one's own.
func TestEditSubscription(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme", func(s *switchboard.Subscription) {
		s.Request.Headers = map[string]string{"X-Env": "prod", "X-Api-Key": "hunter2"}
		s.Auth = switchboard.Auth{Type: switchboard.AuthBasic, Username: "joe", Password: "hunter2"}
		s.Filter = []byte(`{"data":{"n":12345678901234567890}}`)
	})
	ira, path := f.as(switchboard.RoleIntegrator, ""), "/console/subscriptions/"+sub.ID
	page := ira.get(path+"/edit").want(t, http.StatusOK, "•••• stays as it is", "12345678901234567890").without(t, "hunter2")
	form := formOnPage(page.body)
	now := func() switchboard.Subscription {
		found, err := f.store.Subscription(t.Context(), operator(), sub.ID)
		must(t, err)
		return found
	}
	if got := ira.post(path+"/edit", form); got.status != http.StatusSeeOther || now().Version != 1 {
		t.Fatalf("%d, version %d: %s", got.status, now().Version, got.body)
	}
	form.Set("name", "renamed")
	form.Set("request.headers", "X-Env: test\r\nX-Api-Key: ••••")
	if got := ira.post(path+"/edit", form); got.status != http.StatusSeeOther {
		t.Fatalf("%d: %s", got.status, got.body)
	}
	if got := now(); got.Name != "renamed" || got.Request.Headers["X-Api-Key"] != "hunter2" || got.Request.Headers["X-Env"] != "test" || got.Auth.Password != "hunter2" {
		t.Errorf("%+v", got)
	}
	// The same form again is for version 1. Somebody else has changed the name; only we have
	// changed the timeout.
	form.Set("name", "mine")
	form.Set("timeout", "7s")
	conflict := ira.post(path+"/edit", form).want(t, http.StatusConflict, "it is at version 2 now", "both have changed it", "renamed")
	again := formOnPage(conflict.body)
	if again.Get("version") != "2" || again.Get("name") != "mine" || again.Get("timeout") != "7s" || !strings.Contains(again.Get("request.headers"), "X-Env: test") {
		t.Errorf("%v", again)
	}
	if got := ira.post(path+"/edit", again); got.status != http.StatusSeeOther || now().Name != "mine" || now().Version != 3 {
		t.Errorf("%d: %+v", got.status, now())
	}
	// A stored secret does not go to another host: it must be typed again, in its field.
	form = formOnPage(ira.get(path + "/edit").body)
	form.Set("request.url", "https://elsewhere.example.org/")
	got := ira.post(path+"/edit", form).want(t, http.StatusUnprocessableEntity, "must be given again")
	if !strings.Contains(got.body, `id="fault-auth.password"`) && !strings.Contains(got.body, `id="fault-request.headers"`) {
		t.Errorf("the fault stands at no field")
	}
	form.Set("data", `{"n":1}`)
	form.Set("do", "preview")
	ira.post(path+"/edit", form).want(t, http.StatusOK, "This would be sent", "https://elsewhere.example.org/").without(t, "hunter2")
	f.as(switchboard.RoleViewer, "").get(path+"/edit").want(t, http.StatusForbidden)
	f.as(switchboard.RoleIntegrator, "globex").post(path+"/edit", form).want(t, http.StatusNotFound)
}

// TestTry: a test leads to its delivery. A preview and a match send nothing.
func TestTry(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme", func(s *switchboard.Subscription) { s.Filter = []byte(`{"data":{"n":{"$gte":3}}}`) })
	ira, path := f.as(switchboard.RoleIntegrator, ""), "/console/subscriptions/"+sub.ID
	ira.get(path+"/test").want(t, http.StatusOK, "ticket.")
	got := ira.post(path+"/test", url.Values{"try_type": {"ticket.created"}, "data": {`{"n": 1}`}})
	if !strings.HasPrefix(got.header.Get("Location"), "/console/deliveries/dlv_") || got.status != http.StatusSeeOther {
		t.Fatalf("%d %q %s", got.status, got.header.Get("Location"), got.body)
	}
	ira.post(path+"/test", url.Values{"data": {`{`}}).want(t, http.StatusUnprocessableEntity, "is not JSON")
	ana := f.as(switchboard.RoleSupport, "", readsPayload)
	ana.post(path+"/test", url.Values{}).want(t, http.StatusForbidden)
	ana.post(path+"/preview", url.Values{"try_type": {"ticket.created"}, "data": {`{"n": "<script>alert(1)</script>"}`}}).want(t, http.StatusOK, "This would be sent", "POST").safe(t)
	ana.post(path+"/match", url.Values{"try_type": {"ticket.created"}, "data": {`{"n": 2}`}}).want(t, http.StatusOK, "It would not get this event", "does not hold")
	ana.post(path+"/match", url.Values{"try_type": {"ticket.created"}, "data": {`{"n": 3}`}}).want(t, http.StatusOK, "It would get this event")
	ana.post(path+"/match", url.Values{"event_id": {"nothing"}}).want(t, http.StatusNotFound)
	f.as(switchboard.RoleSupport, "").post(path+"/preview", url.Values{"data": {`{}`}}).want(t, http.StatusForbidden, "read_payload")
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme", func(s *switchboard.Subscription) { s.Name = hostile })
	ana, eva := f.as(switchboard.RoleViewer, ""), f.as(switchboard.RoleAdmin, "")
	ana.get("/console/catalogue").want(t, http.StatusOK, "iomnihub").without(t, "Add an event type")
	eva.get("/console/catalogue").want(t, http.StatusOK, "Add an event type")
	const path = "/console/catalogue/desk/ticket.shouted"
	ana.get(path).want(t, http.StatusNotFound)
	ana.get(path+"/edit").want(t, http.StatusForbidden)
	ana.get("/console/catalogue/new?platform=desk&type=ticket.shouted").want(t, http.StatusForbidden)
	eva.get("/console/catalogue/new?platform=desk").want(t, http.StatusUnprocessableEntity, "type")
	if got := eva.get("/console/catalogue/new?platform=desk&type=ticket.shouted"); got.status != http.StatusSeeOther || got.header.Get("Location") != path+"/edit" {
		t.Fatalf("%d %s", got.status, got.header.Get("Location"))
	}
	eva.get(path+"/edit").want(t, http.StatusOK, "Add desk / ticket.shouted")
	eva.post(path+"/edit", url.Values{"document": {`{"nonsense":1}`}}).want(t, http.StatusUnprocessableEntity, "nonsense")
	got := eva.post(path+"/edit", url.Values{"document": {`{"description":"<script>alert(1)</script>","sample":{"n":12345678901234567890},"deprecated":true}`}})
	if got.status != http.StatusSeeOther || got.header.Get("Location") != path {
		t.Fatalf("%d %s", got.status, got.body)
	}
	ana.get(path).want(t, http.StatusOK, "12345678901234567890", "deprecated", sub.ID, "Deliveries in 24 h").safe(t)
	ana.get("/console/catalogue?text=shouted").want(t, http.StatusOK, "ticket.shouted").safe(t)
	ana.get("/console/catalogue?text=nothing+is+called+so").want(t, http.StatusOK, "No event type matches")
	eva.get(path+"/delete").want(t, http.StatusOK, "Take back")
	if got := eva.post(path+"/delete", url.Values{}); got.status != http.StatusSeeOther {
		t.Fatalf("%d %s", got.status, got.body)
	}
	ana.get(path).want(t, http.StatusNotFound)
}

// TestSubscriptionSizes: a full page of the list, and the form, have at most 80 kB.
func TestSubscriptionSizes(t *testing.T) {
	t.Parallel()
	var found foundSubscriptions
	since := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	activity := &client.Activity{Since: since, DeliveredHour: &since, Attempts: switchboard.TrafficCount{Attempts: 41200, Succeeded: 40460, Failed: 740, P95: 410}, Open: switchboard.Count{Value: 1000, More: true}}
	for h := range 25 {
		activity.Hours = append(activity.Hours, switchboard.ActivityHour{At: since.Add(time.Duration(h) * time.Hour), Attempts: 1000 + int64(h), Failed: 30})
	}
	for range shownFailing + shownOthers {
		sub := *stored()
		sub.ID, sub.Name, sub.State, sub.Activity = switchboard.NewID(switchboard.SubscriptionPrefix, since), "CRM sync of the customer", switchboard.SubscriptionActive, activity
		sub.Health = &client.EndpointHealth{Breaker: switchboard.BreakerOpen, Held: client.HeldDeliveries{Count: 1000, More: true}}
		found.subs = append(found.subs, sub)
	}
	list := newSubscriptionsPage(since, subscriptionsFilter{}, found, "")
	list.Tenants = true
	fields := subscriptionFields(false)
	texts, err := textsOf(fields, stored())
	must(t, err)
	form, err := formOf(fields, typedForm{texts: texts, base: texts}, stored())
	must(t, err)
	for template, data := range map[string]any{"subscriptions": list, "subscription_edit": form} {
		if size := len(execute(t, template, data)); size > 75_000 { // the layout has the rest
			t.Errorf("%s has %d bytes", template, size)
		} else {
			t.Logf("%s has %d bytes", template, size)
		}
	}
}

// TestEmptyTemplates: no page of a subscription fails because something is missing.
func TestEmptyTemplates(t *testing.T) {
	t.Parallel()
	for template, data := range map[string]any{
		"subscriptions": subscriptionsPage{}, "subscription": subscriptionPage{}, "subscription_edit": subscriptionForm{}, "subscription_action": subscriptionActionPage{},
		"subscription_saved": savedPage{}, "subscription_try": tryPage{}, "catalogue": cataloguePage{}, "event_type": eventTypePage{}, "event_type_edit": eventTypeForm{}, "event_type_delete": eventTypeForm{},
	} {
		execute(t, template, data)
	}
	for _, tab := range subscriptionTabs() {
		execute(t, "subscription", subscriptionPage{Sub: client.Subscription{}, Tab: tab.Address})
	}
}
