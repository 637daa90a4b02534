package browser

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// rival is a tenant that customers of acme must not see.
const rival = "rivalcorp"

// rivals makes a subscription, an event and a delivery of that tenant, and returns the paths of their pages.
func (r *running) rivals(t *testing.T) []string {
	t.Helper()
	made := r.subscribe(t, rival, switchboard.Subscription{Name: "Secret plan", Events: []string{"plan.*"}, Request: switchboard.Request{URL: r.receive(func(http.ResponseWriter) {}) + "/plan"}})
	delivery := r.postOf(t, rival, made, "plan.made", "plan-1-made")["Secret plan"]
	r.awaitState(t, delivery, switchboard.StateDelivered)
	return []string{"/console/deliveries/" + delivery, "/console/deliveries/" + delivery + "/retry", "/console/subscriptions/" + made["Secret plan"], "/console/subscriptions/" + made["Secret plan"] + "/edit", "/console/events/plan-1-made"}
}

// isUsed reports whether somebody has used a portal link.
func (r *running) isUsed(t *testing.T, id string) bool {
	t.Helper()
	for l, err := range r.api.PortalLinks(t.Context()) {
		must(t, err)
		if l.ID == id {
			return l.UsedAt != nil
		}
	}
	t.Fatalf("the link %s is not listed", id)
	return false
}

// A customer follows the link that the platform requested. Only the button uses the link up, and
// only once. The customer's pages are those of their tenant.
func TestPortal(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	stack.seeded(t)
	theirs := stack.rivals(t)
	link, err := stack.api.CreatePortalLink(t.Context(), client.NewPortalLink{Tenant: acme, Name: "Marta of Acme", Role: switchboard.RoleIntegrator})
	must(t, err)
	marta := browser.newVisitor(t, "")
	marta.visit(link.URL.Reveal())
	marta.await("with the token in the form, and not in the address", `!location.hash && document.querySelector("[data-link-token]").value.length === 43`)
	if stack.isUsed(t, link.ID) {
		t.Error("to open the link spends it")
	}
	marta.base = stack.url
	marta.follow("Continue", "/console/subscriptions")
	marta.awaitText("Marta of Acme")
	if !stack.isUsed(t, link.ID) {
		t.Error("the link is not spent")
	}

	late := browser.newVisitor(t, "")
	late.expect = []int{http.StatusUnprocessableEntity}
	late.visit(link.URL.Reveal())
	late.click("Continue")
	late.awaitText("was used already")
	if late.base = stack.url; late.cookies() != "" {
		t.Error("the second one is signed in")
	}

	cookies := marta.cookies()
	for _, path := range theirs {
		if status := stack.get(t, stack.url+path, cookies); status != http.StatusNotFound {
			t.Errorf("another tenant's %s is answered %d", path, status)
		}
	}
	stack.crawl(t, cookies, "/console/subscriptions", func(path, body string) {
		for _, name := range []string{rival, "Secret plan", "Overview", "Failing now"} {
			if strings.Contains(body, name) {
				t.Errorf("%s shows %q", path, name)
			}
		}
	})
	for _, fault := range append(marta.takeFaults(), late.takeFaults()...) {
		t.Error(fault)
	}
}

var pageLink = regexp.MustCompile(`href="(/console/[^"#]*)"`)

// crawl reads the pages that links lead to from one page, up to a limit.
func (r *running) crawl(t *testing.T, cookies, from string, look func(path, body string)) {
	t.Helper()
	const least, most = 20, 50
	found, seen := []string{from}, map[string]bool{from: true}
	for i := 0; i < len(found) && i < most; i++ {
		status, body := r.read(t, r.url+found[i], cookies)
		if status >= http.StatusBadRequest {
			t.Errorf("a link leads to %s, which is answered %d", found[i], status)
		}
		look(found[i], body)
		for _, match := range pageLink.FindAllStringSubmatch(body, -1) {
			if to := html.UnescapeString(match[1]); !seen[to] && !strings.HasPrefix(to, "/console/assets/") {
				seen[to] = true
				found = append(found, to)
			}
		}
	}
	if len(found) < least {
		t.Errorf("only %d pages are reached: the search proves nothing", len(found))
	}
}
