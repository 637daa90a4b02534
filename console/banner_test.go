package console

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// TestTemporalAway: while Temporal does not answer, each page says so and works, and actions are
// done later. Customers are not told.
func TestTemporalAway(t *testing.T) {
	t.Parallel()
	const says = "temporal does not answer"
	f := newFixture(t)
	own := f.populate("acme")
	ana, bob := f.as(switchboard.RoleSupport, ""), f.portal("acme", switchboard.RoleViewer)
	pages := []string{"/console", "/console/deliveries", linkDelivery(own["deliveries"]), linkEvent(own["events"], "acme"), "/console/subscriptions", linkSubscription(own["subscriptions"]), "/console/operations", linkOperation(own["operations"])}
	ana.get(pages[0]).want(t, http.StatusOK).without(t, says)
	f.engine.away.Store(true)
	for _, path := range pages {
		ana.get(path).want(t, http.StatusOK, says)
	}
	ana.get("/console/banner?part=banner").want(t, http.StatusOK, says).without(t, "<html")
	bob.get("/console/deliveries").want(t, http.StatusOK).without(t, "temporal")

	retry := linkDeliveryAction(own["deliveries"], "retry")
	form := ana.get(retry).want(t, http.StatusOK, says)
	ana.post(retry, url.Values{"reason": {"receiver repaired"}, "expect": {form.formField(t, "expect")}}).want(t, http.StatusSeeOther)
	ana.get(linkDelivery(own["deliveries"])).want(t, http.StatusOK, "receiver repaired")
	f.engine.away.Store(false)
	ana.get(pages[0]).want(t, http.StatusOK).without(t, says)
}
