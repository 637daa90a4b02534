package console

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// TestKeys: a new key is shown once. Revoking it needs a reason, says what ends, and ends that.
func TestKeys(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana := f.as(switchboard.RoleAdmin, "")
	ana.get("/console/keys/create").want(t, http.StatusOK, `name="role"`)
	ana.post("/console/keys/create", url.Values{"name": {" "}, "role": {"viewer"}}).want(t, http.StatusUnprocessableEntity, "is required", "#field-name")
	ana.post("/console/keys/create", url.Values{"name": {"CRM"}, "role": {"viewer"}, "expires_at": {"soon"}}).want(t, http.StatusUnprocessableEntity, "must be a date", `value="CRM"`)
	ana.post("/console/keys/create", url.Values{"name": {"CRM"}, "role": {"viewer"}, "expires_at": {"0001-01-01"}}).want(t, http.StatusUnprocessableEntity, "must be a date")
	made := ana.post("/console/keys/create", url.Values{"name": {"<b>CRM</b>"}, "role": {"support"}, "tenant": {"acme"}, "read_payload": {"no"}, "expires_at": {"2099-01-31"}})
	made.want(t, http.StatusCreated, "only shown now", "without payloads", "support of acme").without(t, "<b>CRM")
	_, rest, _ := strings.Cut(made.body, `<span class="mono">`+switchboard.KeyTextPrefix)
	text := switchboard.KeyTextPrefix + rest[:64]
	caller, err := f.store.Authenticate(t.Context(), switchboard.Secret(text))
	must(t, err)
	if caller.Role != switchboard.RoleSupport || caller.Tenant != "acme" || caller.ReadPayload {
		t.Errorf("%+v", caller)
	}
	ana.get("/console/keys").want(t, http.StatusOK, "&lt;b&gt;CRM", "masked", "Ana (you)").without(t, text)
	if strings.Contains(f.logs.String(), text) {
		t.Error("the key is in the log")
	}

	bob := f.holder(f.nobody().post("/console/sign-in", signInForm(text, "Bob", "")))
	f.holder(f.nobody().post("/console/sign-in", signInForm(text, "Bea", "")))
	_, _, err = f.store.CreatePortalLink(t.Context(), caller, switchboard.PortalLink{Tenant: "acme", Person: "p", Role: switchboard.RoleViewer})
	must(t, err)
	revoke := "/console/keys/" + caller.KeyID + "/revoke"
	ana.get(revoke).want(t, http.StatusOK, "That ends 2 sessions of the console, and 1 portal link ", `name="reason"`)
	ana.post(revoke, url.Values{"reason": {""}}).want(t, http.StatusUnprocessableEntity, "say why", "2 sessions")
	bob.get("/console/audit").want(t, http.StatusOK)
	ana.post(revoke, url.Values{"reason": {"left the company"}}).want(t, http.StatusSeeOther)
	bob.get("/console/audit").want(t, http.StatusSeeOther)
	ana.get("/console/keys").want(t, http.StatusOK, "revoked").without(t, "Bob")
	ana.get("/console/audit?object="+caller.KeyID).want(t, http.StatusOK, "left the company", "revoke key", "Ana", "(says)")
	ana.get("/console/keys/key_none/revoke").want(t, http.StatusNotFound)
	f.as(switchboard.RoleSupport, "").get("/console/keys").want(t, http.StatusForbidden)
}

// TestEndSession: an admin signs a person out, with a reason.
func TestEndSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana, bob := f.as(switchboard.RoleAdmin, ""), f.portal("acme", switchboard.RoleViewer)
	sessions, err := f.store.Sessions(t.Context(), operator(), "", switchboard.PageRequest{})
	must(t, err)
	end := "/console/keys/sessions/" + sessions.Items[0].ID + "/end"
	ana.get("/console/keys").want(t, http.StatusOK, "Bob, portal", end)
	ana.get(end).want(t, http.StatusOK, "End the session of Bob")
	ana.post(end, url.Values{"reason": {"  "}}).want(t, http.StatusUnprocessableEntity, "say why")
	bob.get("/console/audit").want(t, http.StatusOK)
	ana.post(end, url.Values{"reason": {"lost laptop"}}).want(t, http.StatusSeeOther)
	bob.get("/console/audit").want(t, http.StatusSeeOther)
	ana.get(end).want(t, http.StatusNotFound)
	ana.post(end, url.Values{"reason": {"lost laptop"}}).want(t, http.StatusNotFound)
	ana.get("/console/audit?kind=session&verb=revoke").want(t, http.StatusOK, "lost laptop")
}

// TestWithdrawLink: an admin sees who has made which links, and withdraws an unused one.
func TestWithdrawLink(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana := f.as(switchboard.RoleAdmin, "")
	f.portal("globex", switchboard.RoleViewer)
	token := f.link("acme", switchboard.RoleIntegrator, func(l *switchboard.PortalLink) { l.Person = hostile })
	links, err := f.store.PortalLinks(t.Context(), operator(), switchboard.PageRequest{})
	must(t, err)
	open := slices.IndexFunc(links.Items, func(l switchboard.PortalLink) bool { return l.UsedAt.IsZero() })
	used := links.Items[1-open].ID
	withdraw := linkWithdrawLink(links.Items[open].ID)
	ana.get("/console/keys").want(t, http.StatusOK, "Portal links", ">open", ">used", withdraw, "audit?object="+used, short(links.Items[open].KeyID)).safe(t).without(t, linkWithdrawLink(used), token)
	ana.get(linkWithdrawLink(used)).want(t, http.StatusNotFound)
	ana.get(withdraw).want(t, http.StatusOK, "Withdraw the link").safe(t)
	ana.post(withdraw, url.Values{"reason": {" "}}).want(t, http.StatusUnprocessableEntity, "say why")
	ana.post(withdraw, url.Values{"reason": {"sent to the wrong person"}}).want(t, http.StatusSeeOther)
	f.nobody().post("/console/enter", url.Values{"token": {token}}).want(t, http.StatusUnprocessableEntity, "was withdrawn")
	ana.post(withdraw, url.Values{"reason": {"sent to the wrong person"}}).want(t, http.StatusNotFound)
	ana.get("/console/audit?kind=portal_link&verb=revoke").want(t, http.StatusOK, "sent to the wrong person")
	f.as(switchboard.RoleIntegrator, "").get(withdraw).want(t, http.StatusForbidden)
}

func TestStateOfKey(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	before, after := now.Add(-time.Hour), now.Add(time.Hour)
	for want, k := range map[string]client.Key{"active": {ExpiresAt: &after}, "expired": {ExpiresAt: &before}, "revoked": {ExpiresAt: &before, RevokedAt: &before}} {
		if got := stateOfKey(&k, now); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestAudit: filters are those in the address, each can be removed, and unknown ones are named.
func TestAudit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana := f.as(switchboard.RoleSupport, "")
	acme, globex := f.subscribe("acme"), f.subscribe("globex")
	pause := func(s switchboard.Subscription, person, reason string) {
		_, _, err := f.store.ChangeSubscriptionState(t.Context(), switchboard.Caller{KeyID: "key_x", Role: switchboard.RoleSupport, Person: person, Origin: switchboard.OriginConsole}, s.ID, switchboard.PauseSubscription, reason)
		must(t, err)
	}
	pause(acme, "Zoe", "=HYPERLINK(1)")
	pause(globex, "Yan", `<script>alert("x")</script>`)
	ana.get("/console/audit").want(t, http.StatusOK, "=HYPERLINK(1)", "&lt;script&gt;", "Zoe", "Yan", acme.ID, `data-live="10"`).without(t, "<script>alert")
	ana.get("/console/audit?tenant=acme&verb=pause&person=Zoe&kind=subscription").want(t, http.StatusOK, "Filters (4)", "tenant: acme", "=HYPERLINK", `href="/console/audit?kind=subscription&amp;person=Zoe&amp;verb=pause"`).without(t, "Yan")
	ana.get("/console/audit?person=nobody").want(t, http.StatusOK, "Nothing matches.")
	ana.get("/console/audit?after=2099-01-31&before=2099-02-01T12:00").want(t, http.StatusOK, "Nothing matches.", "2099-02-01T12:00:00Z")
	ana.get("/console/audit?persn=Zoe").want(t, http.StatusUnprocessableEntity, "persn")
	ana.get("/console/audit?after=soon").want(t, http.StatusUnprocessableEntity, "must be a time")
	ana.get("/console/audit?verb=fly").want(t, http.StatusUnprocessableEntity, "is unknown")
	ana.get("/console/audit?part=rows").want(t, http.StatusOK, "Zoe").without(t, "<html")

	ana.get("/console/audit/file?persn=Zoe").want(t, http.StatusUnprocessableEntity, "persn")
	got := ana.get("/console/audit/file?verb=pause").want(t, http.StatusOK)
	if got.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%v", got.header)
	}
	rows, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
	must(t, err)
	if len(rows) != 3 || rows[0][1] != "person" || rows[1][1] != "Yan" || rows[2][10] != "'=HYPERLINK(1)" || rows[2][2] != "no" {
		t.Errorf("%q", rows)
	}
	f.as(switchboard.RoleViewer, "").get("/console/audit").want(t, http.StatusForbidden)
	f.as(switchboard.RoleSupport, "acme").get("/console/audit").want(t, http.StatusOK, "Zoe").without(t, "Yan")
}

func TestPlainCell(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "a=b": "a=b", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\t=1": "'\t=1", "Ana": "Ana"} {
		if got := plainCell(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
