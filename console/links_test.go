package console

import (
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// TestLinks: whatever an id or a filter contains stays in its place of the address.
func TestLinks(t *testing.T) {
	t.Parallel()
	filter := switchboard.DeliveryFilter{
		Tenant: "a&b", States: []switchboard.State{switchboard.StateFailed, switchboard.StateHeld}, Host: "crm.example.com:8443", StatusCode: 503, Stuck: true,
		After: time.Date(2026, 1, 31, 13, 0, 0, 0, time.FixedZone("CET", 3600)), Text: `"><script>`,
	}
	for got, want := range map[string]string{
		linkDelivery("dlv_1"):                                  "/console/deliveries/dlv_1",
		linkDelivery("../keys?x#y"):                            "/console/deliveries/..%2Fkeys%3Fx%23y",
		linkAttempt("dlv_1", 7):                                "/console/deliveries/dlv_1#attempt-7",
		linkDeliveryAction("dlv_1", "retry"):                   "/console/deliveries/dlv_1/retry",
		linkDeliveries(switchboard.DeliveryFilter{}, ""):       "/console/deliveries",
		linkDeliveries(filter, ""):                             "/console/deliveries?after=2026-01-31T12%3A00%3A00Z&host=crm.example.com%3A8443&state=failed&state=held&status_code=503&stuck=true&tenant=a%26b&text=%22%3E%3Cscript%3E",
		linkPlan("retry", switchboard.DeliveryFilter{}, "24h"): "/console/operations/plan?action=retry&last=24h",
		linkEvent("e/1", "acme"):                               "/console/events/e%2F1?tenant=acme",
		linkEvents(switchboard.EventFilter{Key: "ticket-1"}):   "/console/events?key=ticket-1",
		linkSubscriptionAction("sub_1", "edit"):                "/console/subscriptions/sub_1/edit",
		linkEventType("zendesk", "ticket.created"):             "/console/catalogue/zendesk/ticket.created",
		linkSearch("a b"):                                      "/console/search?q=a+b",
		linkSignIn("/console/keys?x=1"):                        "/console/sign-in?next=%2Fconsole%2Fkeys%3Fx%3D1",
		linkOverview("7d"):                                     "/console?last=7d",
		linkSubscriptions("acme", "paused"):                    "/console/subscriptions?state=paused&tenant=acme",
		linkFailingSubscriptions():                             "/console/subscriptions?failing=true",
		linkOperation("op_1"):                                  "/console/operations/op_1",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
