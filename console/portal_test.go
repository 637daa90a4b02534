package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// link makes a portal link of the tenant, and returns its token.
func (f *fixture) link(tenant string, role switchboard.Role, change ...func(*switchboard.PortalLink)) string {
	f.t.Helper()
	key, _ := f.key(switchboard.RoleIntegrator, "")
	l := switchboard.PortalLink{Tenant: tenant, Person: "Bob", Role: role, ReadPayload: role.ReadsPayload()}
	for _, c := range change {
		c(&l)
	}
	_, token, err := f.store.CreatePortalLink(f.t.Context(), switchboard.Caller{KeyID: key.ID, Role: key.Role}, l)
	must(f.t, err)
	return token.Reveal()
}

// portal is a person of the tenant who came by a portal link.
func (f *fixture) portal(tenant string, role switchboard.Role) *person {
	f.t.Helper()
	return f.holder(f.nobody().post("/console/enter", url.Values{"token": {f.link(tenant, role)}}).want(f.t, http.StatusSeeOther))
}

// TestPortalLink: it works once. Showing its page does not use it up, and its token in the address
// does nothing.
func TestPortalLink(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := f.link("acme", switchboard.RoleIntegrator, func(l *switchboard.PortalLink) { l.Next = "/console/deliveries" })
	for range 2 {
		f.nobody().get("/console/enter").want(t, http.StatusOK, `action="/console/enter"`, "data-link-token", "Continue")
	}
	if got := f.nobody().get("/console/enter?token=" + token); got.header.Get("Set-Cookie") != "" {
		t.Error("GET begins a session")
	}
	used := f.nobody().post("/console/enter", url.Values{"token": {token}}).want(t, http.StatusSeeOther)
	if to := used.header.Get("Location"); to != "/console/deliveries" {
		t.Errorf("leads to %s", to)
	}
	bob := f.holder(used)
	bob.get("/console/audit").want(t, http.StatusOK, "Bob", "integrator of acme")
	for name, token := range map[string]string{"used": token, "unknown": switchboard.NewSessionToken().Reveal(), "empty": ""} {
		got := f.nobody().post("/console/enter", url.Values{"token": {token}}).want(t, http.StatusUnprocessableEntity, "was used already, has expired or was withdrawn")
		if got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: a session", name)
		}
	}
	if strings.Contains(f.logs.String(), token) {
		t.Error("the token is in the log")
	}

	// A person who is already signed in sees that this session ends, and it does.
	ana := f.as(switchboard.RoleSupport, "")
	ana.get("/console/enter").want(t, http.StatusOK, "You are signed in as Ana")
	f.holder(ana.post("/console/enter", url.Values{"token": {f.link("acme", switchboard.RoleViewer)}}))
	ana.get("/console").want(t, http.StatusSeeOther)
}

// TestPortalEndsWithItsKey: when the key that made the link is revoked, the session ends.
func TestPortalEndsWithItsKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bob := f.portal("acme", switchboard.RoleViewer)
	bob.get("/console/audit").want(t, http.StatusOK)
	keys, err := f.store.Keys(t.Context(), operator(), switchboard.PageRequest{})
	must(t, err)
	for _, k := range keys.Items {
		_, err := f.store.RevokeKey(t.Context(), operator(), k.ID, "r")
		must(t, err)
	}
	bob.get("/console/audit").want(t, http.StatusSeeOther)
}

// TestPortalLeavesOut: customers have no overview, no keys, no names of the platform's people, and
// see the platform's look.
func TestPortalLeavesOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) {
		c.Brand = Brand{Name: "Acme Desk", Logo: []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), Accent: "#0B5D46"}
	})
	sub := f.subscribe("acme")
	_, _, err := f.store.ChangeSubscriptionState(t.Context(), switchboard.Caller{KeyID: "key_x", Role: switchboard.RoleSupport, Person: "Ana of the platform", Address: "10.9.8.7"}, sub.ID, switchboard.PauseSubscription, "their wish")
	must(t, err)
	bob := f.portal("acme", switchboard.RoleViewer)
	for _, path := range []string{"/console/keys", "/console/keys/create", "/console/operations"} {
		bob.get(path).want(t, http.StatusNotFound)
	}
	bob.get("/console").want(t, http.StatusSeeOther)
	audit := bob.get("/console/audit").want(t, http.StatusOK, "their wish", "Acme Desk", brandPath).without(t, "Ana of the platform", "10.9.8.7", "Switchboard</title>")
	for _, file := range []string{"logo.svg", "brand.css"} {
		_, rest, ok := strings.Cut(audit.body, brandPath)
		for ok && !strings.HasPrefix(rest[8:], "/"+file) {
			_, rest, ok = strings.Cut(rest, brandPath)
		}
		if !ok {
			t.Fatalf("no %s", file)
		}
		got := f.nobody().get(brandPath+rest[:8]+"/"+file).want(t, http.StatusOK)
		if !strings.Contains(got.header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %v", file, got.header)
		}
	}
	f.as(switchboard.RoleSupport, "").get("/console/audit").want(t, http.StatusOK, "Ana of the platform", "· Switchboard</title>").without(t, brandPath)
}

func TestBrand(t *testing.T) {
	t.Parallel()
	svg, png := []byte(`<?xml version="1.0"?><svg/>`), []byte("\x89PNG\r\n\x1a\n…")
	for name, c := range map[string]struct {
		brand Brand
		want  string // in the error; empty: it is accepted
	}{
		"none":           {Brand{}, ""},
		"all":            {Brand{Name: "n", Logo: svg, Accent: "#0b5d46"}, ""},
		"png":            {Brand{Logo: png}, ""},
		"black":          {Brand{Accent: "#000000"}, ""},
		"just enough":    {Brand{Accent: "#767676"}, ""}, // 4.54:1, from WCAG's own examples
		"too light":      {Brand{Accent: "#777777"}, "4.4 to 1"},
		"white":          {Brand{Accent: "#ffffff"}, "1.0 to 1"},
		"short":          {Brand{Accent: "#fff"}, "not a colour"},
		"a name":         {Brand{Accent: "red"}, "not a colour"},
		"more than that": {Brand{Accent: "#0b5d46}"}, "not a colour"},
		"html":           {Brand{Logo: []byte("<html>")}, "neither SVG nor PNG"},
		"long":           {Brand{Logo: append(png, make([]byte, maxLogo)...)}, "longer"},
	} {
		_, err := newBrandFiles(c.brand)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
