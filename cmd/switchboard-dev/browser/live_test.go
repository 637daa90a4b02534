package browser

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/demo"
)

// A page of a delivery updates itself. Another person's action is visible without a reload. What
// was opened stays open, and what was typed stays typed. The receiver's answer and the platform's
// data are shown exactly.
func TestLiveDelivery(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	const tenant = "lively"
	made := stack.subscribe(t, tenant, switchboard.Subscription{
		Name: "CRM", Events: []string{"ticket.*"}, Request: switchboard.Request{URL: "http://" + stack.seeded(t).refusing + "/live"},
		Retry: switchboard.RetryPolicy{InitialInterval: switchboard.Duration(time.Hour)}, Breaker: switchboard.Breaker{Mode: switchboard.BreakerOff},
	})
	delivery := stack.postOf(t, tenant, made, "ticket.created", "ticket-20821-created")["CRM"]
	stack.awaitState(t, delivery, switchboard.StateRetrying)
	v := browser.newVisitor(t, stack.url)
	stack.signIn(v, stack.key)
	v.visit("/console/deliveries/" + delivery)
	v.awaitText(`<script>document.title = "stolen"</script>`)
	v.click("request")
	v.awaitText("12345678901234567890")
	v.fill("header [name=q]", "half of a wo")
	evaluate[int](v, `window.opened = 1`)
	const polls = 5
	for attempt := 2; attempt < 2+polls; attempt++ {
		asked := time.Now()
		_, err := stack.api.RetryDelivery(t.Context(), delivery, client.Retry{Act: client.Act{Reason: fmt.Sprint("by somebody else, for attempt ", attempt)}}, client.Actor("Bob"))
		must(t, err)
		v.await(fmt.Sprintf("showing attempt %d", attempt), fmt.Sprintf(`document.querySelector("#attempt-%d")`, attempt))
		t.Logf("attempt %d is seen %s after it was asked for", attempt, time.Since(asked).Round(10*time.Millisecond))
		stack.awaitState(t, delivery, switchboard.StateRetrying)
	}
	v.awaitText("by somebody else, for attempt 6")
	if !evaluate[bool](v, `window.opened === 1 && document.querySelector("#attempt-1-request").closest("details").open && document.body.innerText.includes("12345678901234567890")`) {
		t.Error("the page was loaded anew, or what was open is closed")
	}
	if typed := evaluate[string](v, `document.querySelector("header [name=q]").value`); typed != "half of a wo" {
		t.Errorf("what was typed is %q", typed)
	}
	if title := evaluate[string](v, `document.title`); title == "stolen" {
		t.Error("a script of the receiver's answer ran")
	}
	for _, fault := range v.takeFaults() {
		t.Error(fault)
	}
}

// A delivery is found, opened and retried without the mouse. A form with an error gets the focus.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	s := stack.seeded(t)
	delivery := stack.post(t, s, "ticket.created", "ticket-20822-created")["CRM sync"]
	stack.awaitState(t, delivery, switchboard.StateRetrying)
	v := browser.newVisitor(t, stack.url)
	stack.signIn(v, stack.key)
	v.visit("/console/deliveries?event=ticket-20822-created&tenant=" + acme + "&subscription=" + s.subscriptions["CRM sync"])
	v.press("jo")
	v.awaitPath("/console/deliveries/" + delivery)
	v.press("r")
	v.awaitPath("/console/deliveries/" + delivery + "/retry")
	v.expect = []int{http.StatusUnprocessableEntity}
	evaluate[bool](v, `document.querySelector("main form").noValidate = true`)
	v.submit("[name=reason]")
	v.awaitText("must have 3 to 500 letters")
	v.await("focused on what is wrong", `document.activeElement.matches(".problem[data-focus]") && document.activeElement.querySelector("a[href='#field-reason']")`)
	v.fill("[name=reason]", "by keyboard")
	v.submit("[name=reason]")
	v.awaitText("by keyboard")
	v.press("/")
	v.await("in the search box", `document.activeElement.name === "q"`)
	if v.clicks != 0 {
		t.Errorf("%d clicks", v.clicks)
	}
}

// Two clicks send a test event, and its page shows the receiver's answer.
func TestSendTest(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	s := stack.seeded(t)
	v := browser.newVisitor(t, stack.url)
	stack.signIn(v, stack.key)
	v.visit("/console/subscriptions/" + s.subscriptions["Archive"])
	v.follow("Send test", "/console/subscriptions/"+s.subscriptions["Archive"]+"/test")
	v.follow("Send it", "/console/deliveries/dlv_")
	v.awaitText("archive-4711")
	if v.clicks != 2 {
		t.Errorf("%d clicks", v.clicks)
	}
	for _, fault := range v.takeFaults() {
		t.Error(fault)
	}
}

// The page of a subscription whose breaker is open because of a failing receiver says so, since
// when and why, and when the next try is.
func TestBreaker(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	stack.awaitDemo(t)
	failing, err := stack.api.ListSubscriptions(t.Context(), switchboard.SubscriptionFilter{Tenant: demo.Tenant, Failing: new(true)}, switchboard.PageRequest{}, client.IncludeHealth)
	must(t, err)
	open := slices.IndexFunc(failing.Items, func(s client.Subscription) bool {
		return s.Health != nil && s.Health.Breaker != switchboard.BreakerClosed
	})
	if open < 0 {
		t.Fatalf("no breaker is open: %+v", failing.Items)
	}
	v := browser.newVisitor(t, stack.url)
	stack.signIn(v, stack.key)
	v.visit("/console/subscriptions/" + failing.Items[open].ID)
	v.await("saying how the breaker is, since when, and of its probe", `/The breaker is (open|half open) since .*(next probe is due at|probe is under way)/.test(document.querySelector("#live-now .blocked.line").innerText)`)
	v.awaitText("held")
	for _, fault := range v.takeFaults() {
		t.Error(fault)
	}
}

// The page says in words why a delivery has failed, who can end that, and how.
func TestFailuresInWords(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	const tenant = "worded"
	failing := map[string]struct {
		url  string
		says []string
	}{
		"credentials": {stack.answering(http.StatusUnauthorized), []string{"refused our credentials with 401", "Settings of the subscription.", "Compare secret, auth and clock"}},
		"path":        {stack.answering(http.StatusNotFound), []string{"has nothing at the path of the URL: 404", "Settings of the subscription.", "Correct the URL"}},
		"redirect":    {stack.answering(http.StatusMovedPermanently), []string{"a redirect; redirects are not followed", "Settings of the subscription.", "Give the subscription the final URL"}},
		"nobody":      {"http://127.0.0.1:9", []string{"nobody listens at 127.0.0.1:9", "Their side.", "Check the port in the URL"}},
		"broken":      {stack.answering(http.StatusInternalServerError), []string{"failed with 500", "Their side.", "Ask the owner of the endpoint"}},
	}
	var subscriptions []switchboard.Subscription
	for name, c := range failing {
		subscriptions = append(subscriptions, switchboard.Subscription{Name: name, Events: []string{"case.*"}, Request: switchboard.Request{URL: c.url + "/hook"}, Retry: switchboard.RetryPolicy{MaxAttempts: 1}})
	}
	deliveries := stack.postOf(t, tenant, stack.subscribe(t, tenant, subscriptions...), "case.made", "case-1-made")
	v := browser.newVisitor(t, stack.url)
	stack.signIn(v, stack.key)
	for name, c := range failing {
		stack.awaitState(t, deliveries[name], switchboard.StateFailed)
		v.visit("/console/deliveries/" + deliveries[name])
		for _, text := range c.says {
			v.awaitText(text)
		}
	}
	for _, fault := range v.takeFaults() {
		t.Error(fault)
	}
}

// answering starts a receiver that answers with the status, and returns its URL.
func (r *running) answering(status int) string {
	return r.receive(func(w http.ResponseWriter) {
		if status/100 == 3 {
			w.Header().Set("Location", "https://example.com/elsewhere")
		}
		w.WriteHeader(status)
	})
}
