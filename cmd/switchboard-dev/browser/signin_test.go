package browser

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// After signing out, Back shows nothing from before, and the audit has the sign-out.
func TestSignOutAndBack(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	s := stack.seeded(t)
	v := browser.newVisitor(t, stack.url)
	stack.signInByForm(v, stack.key)
	path := "/console/deliveries/" + s.delivered
	v.visit(path)
	v.awaitText("archived")
	v.click("Ana")
	v.follow("Sign out", "/console/sign-in")
	signedOut, err := stack.api.ListActions(t.Context(), switchboard.AuditFilter{Kind: switchboard.AuditSession, Verb: switchboard.AuditDelete}, switchboard.PageRequest{})
	must(t, err)
	if !slices.ContainsFunc(signedOut.Items, func(e switchboard.AuditEntry) bool { return e.Person == "Ana" && e.Origin == switchboard.OriginConsole }) {
		t.Errorf("the audit has %+v", signedOut.Items)
	}
	evaluate[bool](v, `history.back(), true`)
	v.awaitPath("/console/sign-in?next=")
	if text := v.text(); strings.Contains(text, "archived") || strings.Contains(text, s.delivered) {
		t.Errorf("Back shows %s", text)
	}
	for _, fault := range v.takeFaults() {
		t.Error(fault)
	}
}

// A person whom a trusted proxy names is signed in and verified. When the proxy names somebody
// else, the previous session ends.
func TestProxySignIn(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	v := browser.newVisitor(t, stack.url)
	v.named("ana@example.com", "staff,wh-support")
	v.visit("/console/deliveries")
	v.awaitPath("/console/deliveries")
	v.click("ana@example.com")
	v.awaitText("ana@example.com, verified, support of every tenant")
	anas := v.cookies()

	v.named("bob@example.com", "wh-admin")
	v.visit("/console/audit")
	v.awaitText("bob@example.com")
	if v.cookies() == anas {
		t.Error("the session goes on")
	}
	var people []string
	for s, err := range stack.api.Sessions(t.Context(), "") {
		must(t, err)
		if s.Verified {
			people = append(people, s.Person)
		}
	}
	if !slices.Equal(people, []string{"bob@example.com"}) {
		t.Errorf("%q are signed in by the proxy", people)
	}

	v.expect = []int{http.StatusForbidden}
	v.named("eve@example.com", "sales")
	v.visit("/console/deliveries")
	v.awaitText("is in no group that may use the console")
	v.named("", "")
	v.visit("/console/deliveries")
	v.awaitPath("/console/sign-in")
	for _, fault := range v.takeFaults() {
		t.Error(fault)
	}
}
