package console

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// failed makes that many deliveries of the tenant that have failed for good.
func (f *fixture) failed(s switchboard.Subscription, name string, n int) (ids []string) {
	f.t.Helper()
	for i := range n {
		d := f.attempt(s, f.accept(s.Tenant, fmt.Sprint(name, "-", i), `{}`)[0], switchboard.Outcome{StatusCode: 410, Failure: switchboard.FailureHTTP4xx})
		ids = append(ids, d.ID)
	}
	return ids
}

var planField = regexp.MustCompile(`name="plan" value="([^"]+)"`)

// plan is the sealed plan in the form of a page.
func (s shown) plan(t *testing.T) string {
	t.Helper()
	found := planField.FindStringSubmatch(s.body)
	if found == nil {
		t.Fatalf("there is no plan in:\n%s", s.body)
	}
	return found[1]
}

// planned requests a plan with that text. A plan does not contain deliveries accepted in the same 8
// ms, so it is made again if necessary.
func (p *person) planned(address, text string) shown {
	p.f.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		got := p.get(address)
		if strings.Contains(got.body, text) || time.Now().After(deadline) {
			return got.want(p.f.t, http.StatusOK, text)
		}
	}
}

// postTo is the address to which the form of a plan posts.
func (s shown) postTo(t *testing.T) string {
	t.Helper()
	return shown{body: strings.ReplaceAll(s.body, `action="`, `href="`)}.link(t, `" class="panel"`)
}

// run executes the steps of an operation until it has ended.
func (f *fixture) run(id string) {
	f.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		progress, err := f.store.OperateStep(f.t.Context(), id)
		must(f.t, err)
		if progress.Finished {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("operation %s has not ended: %+v", id, progress)
		}
	}
}

// TestPlanAndStart: a plan changes nothing. The started operation is exactly the plan, and does not
// affect later deliveries.
func TestPlanAndStart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme")
	ids := f.failed(sub, "before", 3)
	f.attempt(sub, f.accept("acme", "delivered", `{}`)[0], switchboard.Outcome{StatusCode: 200})
	ana := f.as(switchboard.RoleSupport, "")
	list := ana.get("/console/deliveries?tenant=acme").want(t, http.StatusOK)
	ana.get(list.link(t, "Act on all that match")).want(t, http.StatusOK, "Plan an operation", "tenant: acme").without(t, `name="plan"`)
	address := "/console/operations/plan?action=retry&tenant=acme"
	plan := ana.planned(address, "Retry 3 deliveries").want(t, http.StatusOK, "1: delivered: the filter has to name this state", "http 4xx", "oldest first, 50 a second", ids[0])
	plan.without(t, `name="number"`)
	if got := f.engine.all(); len(got) > 0 {
		t.Errorf("the plan did %v", got)
	}
	late := f.failed(sub, "after", 2)
	post := plan.postTo(t)
	started := ana.post(post, url.Values{"plan": {plan.plan(t)}, "reason": {"receiver repaired"}, "rate": {"1000"}})
	if started.status != http.StatusSeeOther {
		t.Fatalf("%d: %s", started.status, started.body)
	}
	progress := started.header.Get("Location")
	id := progress[strings.LastIndex(progress, "/")+1:]
	ana.get(progress).want(t, http.StatusOK, "Retry of 3 deliveries", "running", "receiver repaired", `data-live="2"`, "Pause…", "Cancel…", "tenant: acme")
	f.run(id)
	ended := ana.get(progress).want(t, http.StatusOK, "finished", "done 3", ids[0], ids[2]).without(t, late[0], late[1], "Pause…", `data-live="2"`)
	if got := len(ended.rows()); got != 0 {
		t.Errorf("%d rows", got)
	}
	for _, d := range late {
		if found, err := f.store.Delivery(t.Context(), operator(), d); err != nil || found.Delivery.State != switchboard.StateFailed {
			t.Errorf("%s, which came after the plan, is %s, %v", d, found.Delivery.State, err)
		}
	}
	again := ana.post(post, url.Values{"plan": {plan.plan(t)}, "reason": {"receiver repaired"}})
	again.want(t, http.StatusConflict, id, `value="receiver repaired"`)
	ana.get("/console/operations").want(t, http.StatusOK, "Ended in the last 30 days", id).without(t, "Under way</h2>")
}

// TestTickedRows: an operation acts on exactly these.
func TestTickedRows(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ids := f.failed(f.subscribe("acme"), "one", 3)
	ana := f.as(switchboard.RoleSupport, "")
	ana.get("/console/deliveries").want(t, http.StatusOK, `action="/console/operations/plan"`, `name="id" value="`+ids[0]+`" data-tick`, `name="action" value="hold"`)
	plan := ana.planned("/console/operations/plan?id="+ids[0]+"&id="+ids[2]+"&action=retry", "Retry 2 deliveries")
	started := ana.post(plan.postTo(t), url.Values{"plan": {plan.plan(t)}, "reason": {"asked for"}, "rate": {"1000"}})
	id := started.header.Get("Location")
	f.run(id[strings.LastIndex(id, "/")+1:])
	ana.get(id).want(t, http.StatusOK, "done 2", ids[0], ids[2]).without(t, `title="`+ids[1])
}

// TestPlansRefused say in words why.
func TestPlansRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.failed(f.subscribe("acme"), "one", 1)
	ana, bea := f.as(switchboard.RoleSupport, ""), f.as(switchboard.RoleSupport, "")
	for query, text := range map[string]string{
		"action=retry":                          "is empty",
		"action=resend&tenant=acme":             "unknown",
		"action=retry&tenant=acme&state=held":   "no state that a retry applies to",
		"action=replay&tenant=acme":             "gets the events",
		"action=retry&tenant=acme&rate=0":       "0.01",
		"action=retry&tenant=acme&after=monday": "RFC 3339",
	} {
		ana.get("/console/operations/plan?"+query).want(t, http.StatusUnprocessableEntity, text).without(t, `name="plan"`)
	}
	ana.get("/console/operations/plan?action=retry&tenants=acme").want(t, http.StatusUnprocessableEntity, "tenants")
	ana.get("/console/operations/plan?action=retry&tenant=nobody").want(t, http.StatusOK, "Nothing matches").without(t, `name="plan"`)
	const address = "/console/operations/plan?action=retry&tenant=acme"
	plan := ana.planned(address, "Retry 1 delivery").plan(t)
	for _, c := range []struct {
		who    *person
		form   url.Values
		status int
		text   string
	}{
		{bea, url.Values{"plan": {plan}, "reason": {"a reason"}}, http.StatusForbidden, "plan"},
		{ana, url.Values{"plan": {"made up"}, "reason": {"a reason"}}, http.StatusUnprocessableEntity, "plan"},
		{ana, url.Values{"plan": {plan}}, http.StatusUnprocessableEntity, "say why"},
		{ana, url.Values{"plan": {plan}, "reason": {"ab"}}, http.StatusUnprocessableEntity, "say why"},
		{ana, url.Values{"plan": {plan}, "reason": {"a reason"}, "rate": {"fast"}}, http.StatusUnprocessableEntity, "0.01 to 1000"},
		{ana, url.Values{"plan": {plan}, "reason": {"a reason"}, "count": {"2000"}, "number": {"200"}}, http.StatusUnprocessableEntity, "#field-number"},
	} {
		got := c.who.post(address, c.form).want(t, c.status, c.text)
		if reason := c.form.Get("reason"); reason != "" {
			got.want(t, c.status, `value="`+reason+`"`)
		}
	}
	for _, p := range []*person{f.as(switchboard.RoleViewer, ""), f.as(switchboard.RoleIntegrator, "")} {
		p.get(address).want(t, http.StatusForbidden)
		p.post(address, url.Values{"plan": {plan}, "reason": {"a reason"}}).want(t, http.StatusForbidden)
	}
}

// TestLargePlans: above a thousand the number must be typed, and a support key may not act on more
// than ten thousand.
func TestLargePlans(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, c := range []struct {
		count, limit    int
		exact           bool
		want, wantsNone []string
	}{
		{1000, 10_000, true, []string{"Retry 1,000 deliveries", "Start: Retry"}, []string{`name="number"`}},
		{1001, 10_000, true, []string{"Type the number 1,001", `name="count" value="1001"`}, nil},
		{10_001, 10_000, true, []string{"more than the 10,000 that you may act on"}, []string{`name="plan"`}},
		{100_000, 0, false, []string{"Retry 100,000&#43; deliveries", "Type the number 100,000"}, nil},
	} {
		p := planPageOf(&planQuery{action: switchboard.ActionRetry, selection: switchboard.Selection{Tenant: "acme"}})
		p.fill(&client.OperationPlan{
			Action: switchboard.ActionRetry, Plan: "sealed", ExpiresAt: noon, Rate: 50, Count: switchboard.PlanCount{Value: c.count, Exact: c.exact}, Limit: c.limit, DurationSeconds: 68,
		})
		got := shown{status: http.StatusOK, body: f.render(t, "operation_plan", p)}
		got.want(t, http.StatusOK, c.want...).without(t, c.wantsNone...)
	}
}

// TestOperationIsPausedResumedAndCancelled, each with a reason, and skipped items are listed with
// their reasons.
func TestOperationIsPausedResumedAndCancelled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme")
	ids := f.failed(sub, "one", 3)
	ana := f.as(switchboard.RoleSupport, "")
	start := func(action, title string) string {
		plan := ana.planned("/console/operations/plan?tenant=acme&action="+action, title)
		return ana.post(plan.postTo(t), url.Values{"plan": {plan.plan(t)}, "reason": {"a reason"}, "rate": {"1000"}}).header.Get("Location")
	}
	first := start("retry", "Retry 3 deliveries")
	ana.get(first+"/pause").want(t, http.StatusOK, "Pause the retry of 3 deliveries", "within two seconds")
	ana.post(first+"/pause", url.Values{}).want(t, http.StatusUnprocessableEntity, "say why")
	if got := ana.post(first+"/pause", url.Values{"reason": {"wait a moment"}}); got.status != http.StatusSeeOther {
		t.Fatalf("%d: %s", got.status, got.body)
	}
	ana.get(first).want(t, http.StatusOK, "paused", "Resume…").without(t, ">Pause…")
	ana.get("/console/operations").want(t, http.StatusOK, "Under way</h2>", "paused")
	ana.post(first+"/pause", url.Values{"reason": {"once more"}}).want(t, http.StatusConflict, "is paused", `value="once more"`)
	ana.post(first+"/resume", url.Values{"reason": {"go on"}})
	f.run(first[strings.LastIndex(first, "/")+1:])
	ana.get(first).want(t, http.StatusOK, "done 3", ids[0])
	_, err := ana.asAPI().PauseSubscription(t.Context(), sub.ID, "a reason")
	must(t, err)
	held := f.accept("acme", "held", `{}`)[0]
	second := start("release", "Release 1 delivery")
	f.run(second[strings.LastIndex(second, "/")+1:])
	ana.get(second+"?outcome=skipped").want(t, http.StatusOK, held.ID, "held", "paused")
	ana.get(second+"?outcome=done").want(t, http.StatusOK, "None.").without(t, held.ID)
	ana.get(second+"/cancel").want(t, http.StatusOK)
	ana.post(second+"/cancel", url.Values{"reason": {"too late"}}).want(t, http.StatusConflict, "is finished")
	ana.get(second+"/delete").want(t, http.StatusNotFound)
	ana.get("/console/operations/op_none").want(t, http.StatusNotFound)
}

// TestOperationsOfSwitchboard cannot be cancelled, and say why.
func TestOperationsOfSwitchboard(t *testing.T) {
	t.Parallel()
	o := client.Operation{Operation: switchboard.Operation{ID: "op_1", Action: switchboard.ActionRelease, State: switchboard.OperationRunning, Total: 10, Done: 4}}
	p := operationPageOf(&o, noon)
	var got []string
	for _, b := range p.Changes {
		got = append(got, fmt.Sprint(b.Text, b.Allowed, b.WhyNot != ""))
	}
	if want := "[Pause…true false Cancel…false true]"; fmt.Sprint(got) != want || p.Left != 6 {
		t.Errorf("got %v, %d left; want %s", got, p.Left, want)
	}
}

// TestReplay sends an event to a subscription that was made later.
func TestReplay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.subscribe("acme")
	f.accept("acme", "ticket-1", `{"id":1}`)
	later := f.subscribe("acme", func(s *switchboard.Subscription) { s.Name = "made later" })
	ana := f.as(switchboard.RoleSupport, "")
	ana.get("/console/operations/replay?tenant=acme").want(t, http.StatusOK, later.Name, `value="`+later.ID+`"`)
	event := ana.get("/console/events/ticket-1").want(t, http.StatusOK, "made after the event", "Send to this subscription")
	link := linkSelectionPlan(switchboard.ActionReplay, switchboard.Selection{Tenant: "acme", Event: "ticket-1", Subscription: later.ID})
	if !strings.Contains(event.body, strings.ReplaceAll(link, "&", "&amp;")) {
		t.Errorf("the event does not link to %s", link)
	}
	plan := ana.planned(link, "Replay 1 event").want(t, http.StatusOK, "ticket-1")
	id := ana.post(plan.postTo(t), url.Values{"plan": {plan.plan(t)}, "reason": {"asked for"}}).header.Get("Location")
	f.run(id[strings.LastIndex(id, "/")+1:])
	ana.get(id).want(t, http.StatusOK, "done 1", "/console/events/ticket-1?tenant=acme")
	ana.get("/console/events/ticket-1").want(t, http.StatusOK, "it has 2 deliveries")
}
