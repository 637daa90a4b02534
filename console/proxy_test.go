package console

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// behindProxy has a proxy with those addresses sign people in.
func behindProxy(cidr string) func(*Config) {
	return func(c *Config) {
		groups, _ := ParseGroups("wh-admin=admin,wh-support=support+read_payload,staff=viewer")
		c.Proxy = &Proxy{Header: "X-Person", GroupsHeader: "X-Groups", Groups: groups}
		c.Proxies = []netip.Prefix{netip.MustParsePrefix(cidr)}
	}
}

// TestProxy: the person whom the proxy names is signed in and verified, for as long as the proxy
// names the same person with the same rights.
func TestProxy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, behindProxy("127.0.0.0/8"))
	first := f.nobody().get("/console", "X-Person", "ana@example.com", "X-Groups", "other, staff,wh-support").want(t, http.StatusOK, "ana@example.com", "verified", "support of every tenant")
	ana := f.holder(first)
	again := ana.get("/console/audit", "X-Person", "ana@example.com", "X-Groups", "wh-support").want(t, http.StatusOK, "(verified)")
	if again.header.Get("Set-Cookie") != "" {
		t.Error("the session is not kept")
	}
	for name, headers := range map[string][]string{
		"another person": {"X-Person", "eve@example.com", "X-Groups", "wh-support"},
		"another role":   {"X-Person", "ana@example.com", "X-Groups", "staff"},
	} {
		ana := f.holder(f.nobody().get("/console", "X-Person", "ana@example.com", "X-Groups", "wh-support"))
		other := f.holder(ana.get("/console", headers...).want(t, http.StatusOK))
		if other.cookie == ana.cookie {
			t.Errorf("%s: the session goes on", name)
		}
		if _, err := f.store.FindSession(t.Context(), switchboard.Secret(strings.TrimPrefix(ana.cookie, sessionCookie+"=")), true); switchboard.CodeOf(err) != switchboard.CodeUnauthenticated {
			t.Errorf("%s: the session before is open: %v", name, err)
		}
	}
	ana = f.holder(f.nobody().get("/console", "X-Person", "ana@example.com", "X-Groups", "wh-support"))
	ana.get("/console").want(t, http.StatusSeeOther) // only the cookie, without the proxy
	for name, headers := range map[string][]string{
		"no group":      {"X-Person", "bob@example.com", "X-Groups", "sales"},
		"no header":     {"X-Person", "bob@example.com"},
		"no name":       {"X-Person", " ", "X-Groups", "wh-admin"},
		"a part of one": {"X-Person", "bob@example.com", "X-Groups", "wh-admins"},
	} {
		if got := f.nobody().get("/console", headers...); got.status != http.StatusForbidden || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	f.nobody().get("/console", "X-Groups", "wh-admin").want(t, http.StatusSeeOther)
	f.nobody().get("/console?part=now", "X-Person", "ana@example.com", "X-Groups", "wh-support").want(t, http.StatusUnauthorized) // an automatic update begins no session
	f.nobody().get("/console/sign-in", "X-Person", "ana@example.com", "X-Groups", "wh-support").want(t, http.StatusOK, "You are ana@example.com")
}

// TestUntrustedPeer: headers from other peers are ignored, whatever they claim.
func TestUntrustedPeer(t *testing.T) {
	t.Parallel()
	f := newFixture(t, behindProxy("10.0.0.0/8"))
	got := f.nobody().get("/console", "X-Person", "eve@example.com", "X-Groups", "wh-admin", "X-Forwarded-For", "10.0.0.1", "X-Real-Ip", "10.0.0.1", "Forwarded", "for=10.0.0.1").want(t, http.StatusSeeOther)
	if got.header.Get("Set-Cookie") != "" || !strings.Contains(f.logs.String(), "the proxy did not send them") {
		t.Errorf("%v", got.header)
	}
	none := newFixture(t)
	none.nobody().get("/console", "X-Person", "eve@example.com", "X-Groups", "wh-admin").want(t, http.StatusSeeOther)
}

func TestParseGroups(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"a=admin": true, "a=admin, b=support+read_payload ,c=viewer": true, "cn=x=admin": false,
		"": false, "a": false, "a=": false, "=admin": false, "a=publisher": false, "a=root": false, "a=admin,": false, "a=viewer+read": false, "a=admin,a=viewer": false,
	} {
		if _, err := ParseGroups(text); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	groups, err := ParseGroups("a=support,b=support+read_payload,c=integrator")
	must(t, err)
	for i, want := range []bool{false, true, true} {
		if groups[i].ReadPayload != want {
			t.Errorf("%+v", groups[i])
		}
	}
}
