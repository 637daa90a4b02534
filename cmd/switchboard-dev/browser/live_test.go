package browser

import (
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// A page of a delivery keeps itself up to date: what somebody else does is seen without a reload, what was opened
// stays open, and what the receiver answered and the platform posted is shown to the letter.
func TestLiveDelivery(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	delivery := stack.post(t, stack.seeded(t), "ticket.created", "ticket-20821-created")["CRM sync"]
	stack.awaitState(t, delivery, switchboard.StateRetrying)
	v := browser.newVisitor(t, stack.url)
	stack.signIn(v, stack.key)
	v.visit("/console/deliveries/" + delivery)
	v.awaitText(`<script>document.title = "stolen"</script>`)
	v.click("request")
	v.awaitText("12345678901234567890")
	evaluate[int](v, `window.opened = 1`)
	_, err := stack.api.RetryDelivery(t.Context(), delivery, client.Retry{Act: client.Act{Reason: "by somebody else"}}, client.Actor("Bob"))
	must(t, err)
	v.awaitText("by somebody else")
	v.await("showing two attempts", `document.querySelectorAll("#attempt-1, #attempt-2").length === 2`)
	if !evaluate[bool](v, `window.opened === 1 && document.body.innerText.includes("12345678901234567890")`) {
		t.Error("the page was loaded anew, or what was open is closed")
	}
	if title := evaluate[string](v, `document.title`); title == "stolen" {
		t.Error("a script of the receiver's answer ran")
	}
	for _, fault := range v.takeFaults() {
		t.Error(fault)
	}
}

// A delivery is found, opened and retried without the mouse.
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
	v.fill("[name=reason]", "by keyboard")
	v.submit("[name=reason]")
	v.awaitText("by keyboard")
	v.press("/")
	v.await("in the search box", `document.activeElement.name === "q"`)
	if v.clicks != 0 {
		t.Errorf("%d clicks", v.clicks)
	}
}
