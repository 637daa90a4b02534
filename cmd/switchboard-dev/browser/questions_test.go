package browser

import (
	"net/url"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// find types into the search box, which is on every page, and presses Enter.
func (v *visitor) find(text string) {
	v.t.Helper()
	v.fill("header [name=q]", text)
	v.submit("header [name=q]")
}

// question is one of a support engineer's ten, see console.md, section 2.
type question struct {
	asked  string
	clicks int // maximum; typing does not count
	answer func(t *testing.T, v *visitor, stack *running, s *seeds)
}

// questions answers each question from any page of the console.
func questions() []question {
	return []question{
		{"Why did acme not get ticket-20817-created?", 2, func(_ *testing.T, v *visitor, _ *running, s *seeds) {
			v.find(s.event)
			v.awaitPath("/console/events/" + s.event)
			v.follow("retrying", "/console/deliveries/"+s.retrying)
			v.awaitText("failed with 503")
			v.awaitText("upstream connect error")
		}},
		{"There is no delivery: why?", 1, func(_ *testing.T, v *visitor, _ *running, s *seeds) {
			v.find(s.untaken)
			v.awaitPath("/console/events/" + s.untaken)
			v.awaitText("ticket.*")
			v.find(s.event)
			v.awaitPath("/console/events/" + s.event)
			v.awaitText("priority")
		}},
		{"We got nothing, yet it is green", 2, func(_ *testing.T, v *visitor, _ *running, s *seeds) {
			v.find(s.delivered)
			v.awaitPath("/console/deliveries/" + s.delivered)
			for _, text := range []string{"200", "archived", "archive-4711", "Copy for ticket"} {
				v.awaitText(text)
			}
		}},
		{"When is the next try, and why so late?", 1, func(_ *testing.T, v *visitor, _ *running, s *seeds) {
			v.find(s.retrying)
			v.awaitPath("/console/deliveries/" + s.retrying)
			v.awaitText("Attempt 2 of 38")
			v.awaitText("Retry")
		}},
		{"Is it us, them, or everybody?", 1, func(_ *testing.T, v *visitor, _ *running, s *seeds) {
			v.follow("Overview", "/console")
			v.awaitText(s.refusing)
			v.awaitText("503")
		}},
		{"They are repaired: send what failed", 3, func(t *testing.T, v *visitor, stack *running, s *seeds) {
			delivery := stack.post(t, s, "repair.asked", "repair-1-asked")["Repaired"]
			stack.awaitState(t, delivery, switchboard.StateFailed)
			s.repaired.Store(true)
			v.visit("/console/deliveries?state=failed&subscription=" + s.subscriptions["Repaired"])
			v.follow("Act on all", "/console/operations/plan")
			v.follow("Retry", "/console/operations/plan?action=retry")
			v.fill("[name=reason]", "receiver repaired")
			v.follow("Start", "/console/operations/op_")
			v.awaitText("receiver repaired")
			stack.awaitState(t, delivery, switchboard.StateDelivered)
		}},
		{"Stop it, at once", 2, func(t *testing.T, v *visitor, stack *running, s *seeds) {
			delivery := stack.post(t, s, "ticket.created", "ticket-20819-created")["CRM sync"]
			stack.awaitState(t, delivery, switchboard.StateRetrying)
			v.find(delivery)
			v.awaitPath("/console/deliveries/" + delivery)
			v.follow("Cancel", "/console/deliveries/"+delivery+"/cancel")
			v.fill("[name=reason]", "wrong recipient")
			v.click("Cancel")
			v.await("back", `location.pathname.endsWith("`+delivery+`")`)
			v.awaitText("wrong recipient")
			v.awaitText("cancelled")
		}},
		{"401 since this morning: secret, or auth?", 1, func(t *testing.T, v *visitor, stack *running, s *seeds) {
			id := s.subscriptions["Chats"]
			current, err := stack.api.GetSubscription(t.Context(), id)
			must(t, err)
			_, err = stack.api.UpdateSubscription(t.Context(), id, current.Version, client.Patch{"auth": map[string]any{"type": "bearer", "token": "a-token-of-the-test"}}, client.Actor("Bob"))
			must(t, err)
			v.find(id)
			v.awaitPath("/console/subscriptions/" + id)
			v.click("Changes")
			v.awaitText("Bob")
			v.awaitText("auth")
		}},
		{"Why is it paused, and how many wait?", 1, func(_ *testing.T, v *visitor, _ *running, s *seeds) {
			v.find(s.subscriptions["Paused"])
			v.awaitPath("/console/subscriptions/" + s.subscriptions["Paused"])
			for _, text := range []string{"paused", "Ana", "their wish: a migration", "are held"} {
				v.awaitText(text)
			}
		}},
		{"Who cancelled that, and why?", 1, func(t *testing.T, v *visitor, stack *running, s *seeds) {
			delivery := stack.post(t, s, "ticket.created", "ticket-20820-created")["CRM sync"]
			_, err := stack.api.CancelDelivery(t.Context(), delivery, client.Act{Reason: "asked by phone"}, client.Actor("Carla"))
			must(t, err)
			v.find(delivery)
			v.awaitPath("/console/deliveries/" + delivery)
			v.awaitText("Carla")
			v.awaitText("asked by phone")
		}},
	}
}

// The ten questions of a support engineer are answered with the promised number of clicks.
func TestQuestions(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	s := stack.seeded(t)
	v := browser.newVisitor(t, stack.url)
	stack.signIn(v, stack.key)
	for _, q := range questions() {
		t.Run(q.asked, func(t *testing.T) {
			v.t, v.clicks = t, 0
			v.visit("/console/catalogue")
			q.answer(t, v, stack, s)
			t.Logf("%d clicks, %s", v.clicks, v.path())
			if v.clicks > q.clicks {
				t.Errorf("%d clicks, want %d at most", v.clicks, q.clicks)
			}
			v.capture(url.PathEscape(strings.ReplaceAll(q.asked, " ", "_")))
			for _, fault := range v.takeFaults() {
				t.Error(fault)
			}
		})
	}
	v.t = t
}
