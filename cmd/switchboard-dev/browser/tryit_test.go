package browser

import (
	"context"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/demo"
)

// A newcomer opens the link that the stack prints, and follows the five steps of Try it, with the
// demo's failures, until everything has arrived. No other test runs at the same time: the page uses
// the latest failure of any tenant, and acting on it would affect another test.
func TestTryIt(t *testing.T) { //nolint:paralleltest // as said above
	stack := shared.stack(t)
	stack.awaitDemo(t)
	v := browser.newVisitor(t, "")
	v.visit(stack.signInLink(t))
	v.click("Continue")
	v.await("signed in", `location.pathname === "/console"`)
	v.base = stack.url
	v.visit("/console/try")
	v.awaitText("0 of 5 done")
	v.follow("Overview, failing now", "/console")
	v.awaitText("Failing now")
	v.visit("/console/try")
	v.follow("A delivery that does not arrive", "/console/deliveries/dlv_")
	v.awaitText("Timeline")
	v.visit("/console/try")
	v.follow("Retry a failed delivery", "/console/deliveries/dlv_")
	v.fill("[name=reason]", "trying it")
	v.submit("[name=reason]")
	v.visit("/console/try")
	v.follow("Plan a retry", "/console/operations/plan")
	v.fill("[name=reason]", "trying it with all")
	v.follow("Start", "/console/operations/op_")
	v.visit("/console/try")
	v.follow("Pause a subscription", "/console/subscriptions/sub_")
	v.fill("[name=reason]", "trying that, too")
	v.submit("[name=reason]")
	t.Cleanup(func() { stack.resumeDemo(t) })
	v.visit("/console/try")
	v.awaitText("5 of 5 done")
	for _, fault := range v.takeFaults() {
		t.Error(fault)
	}
}

// resumeDemo resumes the demo's paused subscriptions.
func (r *running) resumeDemo(t *testing.T) {
	t.Helper()
	ctx := context.Background() // the test's context is over
	paused, err := r.api.ListSubscriptions(ctx, switchboard.SubscriptionFilter{Tenant: demo.Tenant, State: switchboard.SubscriptionPaused}, switchboard.PageRequest{})
	must(t, err)
	for _, s := range paused.Items {
		_, err := r.api.ResumeSubscription(ctx, s.ID, "")
		must(t, err)
	}
}

// awaitDemo returns when the demo shows its failures: an open breaker, an expired certificate, and
// failed deliveries.
func (r *running) awaitDemo(t *testing.T) {
	t.Helper()
	for what, shown := range map[string]func() bool{
		"a breaker that is open": func() bool {
			now, err := r.api.GetStatsNow(t.Context(), demo.Tenant)
			must(t, err)
			return now.Breakers > 0
		},
		"an expired certificate": func() bool {
			return len(r.deliveries(t, switchboard.DeliveryFilter{Tenant: demo.Tenant, Failure: switchboard.FailureTLSExpired})) > 0
		},
		"failed deliveries": func() bool { // some remain when one is retried
			return len(r.deliveries(t, switchboard.DeliveryFilter{Tenant: demo.Tenant, States: []switchboard.State{switchboard.StateFailed}})) > 2
		},
		"held deliveries": func() bool {
			return len(r.deliveries(t, switchboard.DeliveryFilter{Tenant: demo.Tenant, States: []switchboard.State{switchboard.StateHeld}})) > 0
		},
	} {
		await(t, "showing "+what, shown)
	}
}

// deliveries returns the newest matches.
func (r *running) deliveries(t *testing.T, filter switchboard.DeliveryFilter) []client.Delivery {
	t.Helper()
	found, err := r.api.ListDeliveries(t.Context(), filter, switchboard.PageRequest{Limit: 10})
	must(t, err)
	return found.Items
}
