package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

func (c *Console) keyRoutes() []route {
	return []route{
		{"GET /console/keys", administrators, c.keys},
		{"GET /console/keys/create", administrators, c.showNewKey},
		{"POST /console/keys/create", administrators, c.createKey},
		{"GET /console/keys/{id}/revoke", administrators, c.showRevokeKey},
		{"POST /console/keys/{id}/revoke", administrators, c.revokeKey},
		{"GET /console/keys/sessions/{id}/end", administrators, c.showEndSession},
		{"POST /console/keys/sessions/{id}/end", administrators, c.endSession},
		{"GET /console/keys/links/{id}/withdraw", administrators, c.showWithdrawLink},
		{"POST /console/keys/links/{id}/withdraw", administrators, c.withdrawLink},
	}
}

// keysPage lists keys, sessions, and portal links.
type keysPage struct {
	Keys      []keyRow
	Pager     pager
	Sessions  []sessionRow
	More      bool // there are more sessions than the page shows
	Links     []linkRow
	MoreLinks bool
	Empty     *emptyState
}

type keyRow struct {
	client.Key
	State string
}

type sessionRow struct {
	client.Session
	Own bool // the person's own
}

// linkRow is a portal link.
type linkRow struct {
	client.MadePortalLink
	State string // open, used or expired
	Audit string // who made it
}

// shownSessions limits the sessions on the page, and the links.
const shownSessions = 250

func (c *Console) keys(v *visit) (answer, error) {
	if err := v.checkQuery("cursor"); err != nil {
		return answer{}, err
	}
	cursor := v.request.URL.Query().Get("cursor")
	found, err := v.api.ListKeys(v.request.Context(), switchboard.PageRequest{Cursor: cursor})
	if err != nil {
		return answer{}, err
	}
	sessions, err := v.api.ListSessions(v.request.Context(), "", switchboard.PageRequest{Limit: shownSessions})
	if err != nil {
		return answer{}, err
	}
	links, err := v.api.ListPortalLinks(v.request.Context(), switchboard.PageRequest{Limit: shownSessions})
	if err != nil {
		return answer{}, err
	}
	shown := newKeysPage(found, sessions, v.session.ID, cursor, v.now)
	shown.Links, shown.MoreLinks = linkRows(links.Items, v.now), links.NextCursor != ""
	return page("keys", "Keys", shown), nil
}

func linkRows(links []client.MadePortalLink, now time.Time) []linkRow {
	var rows []linkRow
	for _, l := range links {
		row := linkRow{l, "open", linkAudit(switchboard.AuditFilter{Object: l.ID})}
		switch {
		case l.UsedAt != nil:
			row.State = "used"
		case !l.ExpiresAt.After(now):
			row.State = "expired"
		}
		rows = append(rows, row)
	}
	return rows
}

func newKeysPage(found switchboard.Page[client.Key], sessions switchboard.Page[client.Session], own, cursor string, now time.Time) keysPage {
	p := keysPage{More: sessions.NextCursor != ""}
	for _, k := range found.Items {
		p.Keys = append(p.Keys, keyRow{k, stateOfKey(&k, now)})
	}
	for _, s := range sessions.Items {
		p.Sessions = append(p.Sessions, sessionRow{s, s.ID == own})
	}
	if found.NextCursor != "" {
		p.Pager.Older = address(parameters("cursor", found.NextCursor), "keys")
	}
	if cursor != "" {
		p.Pager.First = linkKeys()
	}
	if len(p.Keys) == 0 && cursor == "" {
		p.Empty = &emptyState{Kind: "none", Text: "There is no key yet. Make one here, or on the server:", Curl: "switchboard keys create --name admin --role admin"}
	}
	return p
}

func stateOfKey(k *client.Key, now time.Time) string {
	switch {
	case k.RevokedAt != nil:
		return "revoked"
	case k.ExpiresAt != nil && !k.ExpiresAt.After(now):
		return "expired"
	}
	return "active"
}

// newKeyPage is the form for a new key or, once, the key itself.
type newKeyPage struct {
	Name, Tenant, Expires string
	Role                  switchboard.Role
	ReadPayload           string // "", "yes" or "no"
	Roles                 []switchboard.Role
	Bound                 string // the only possible tenant of the key; empty: any
	Faults                []fieldFault
	Made                  *client.Key
	Text                  string // of the new key
}

func (c *Console) showNewKey(v *visit) (answer, error) {
	return page("key_create", "New key", newKeyPage{Role: switchboard.RoleViewer, Roles: switchboard.Roles(), Bound: v.session.Caller.Tenant, Tenant: v.session.Caller.Tenant}), nil
}

// createKey makes a key, and shows its text only in this answer.
func (c *Console) createKey(v *visit) (answer, error) {
	form := v.request.PostFormValue
	shown := newKeyPage{
		Name: form("name"), Role: switchboard.Role(form("role")), Tenant: form("tenant"), Expires: form("expires_at"), ReadPayload: form("read_payload"),
		Roles: switchboard.Roles(), Bound: v.session.Caller.Tenant,
	}
	again := func(status int, faults []fieldFault) (answer, error) {
		shown.Faults = faults
		return page("key_create", "New key", shown).status(status), nil
	}
	asked := client.NewKey{Name: shown.Name, Role: shown.Role, Tenant: shown.Tenant}
	if shown.ReadPayload != "" {
		reads := shown.ReadPayload == "yes"
		asked.ReadPayload = &reads
	}
	if shown.Expires != "" {
		at, err := time.ParseInLocation("2006-01-02", shown.Expires, time.UTC)
		if err != nil || at.IsZero() { // the zero time would make a key that does not expire
			return again(http.StatusUnprocessableEntity, []fieldFault{{"expires_at", "must be a date such as 2027-01-31"}})
		}
		asked.ExpiresAt = at
	}
	made, err := v.api.CreateKey(v.request.Context(), asked, v.once())
	if refused, ok := errors.AsType[*client.Error](err); ok && (refused.Status == http.StatusUnprocessableEntity || refused.Status == http.StatusForbidden) {
		return again(refused.Status, faultsOf(refused))
	}
	if err != nil {
		return answer{}, err
	}
	shown.Made, shown.Text = &made, made.Key.Reveal()
	return page("key_create", "Key "+made.Name, shown).status(http.StatusCreated), nil
}

// endPage asks for the reason for revoking a key or ending a session.
type endPage struct {
	Title   string
	Says    []string // the consequences
	Address string
	Button  string
	Reason  reasonField
	Faults  []fieldFault
}

func (c *Console) revokeKeyPage(v *visit) (endPage, error) {
	key, err := v.api.GetKey(v.request.Context(), v.path("id"))
	if err != nil {
		return endPage{}, err
	}
	p := endPage{Title: "Revoke " + key.Name, Address: linkRevokeKey(key.ID), Button: "Revoke the key", Reason: reasonField{Last: v.lastReasons()}}
	p.Says = append(p.Says, "The key "+key.ID+" with the role "+string(key.Role)+" is then refused permanently.",
		"That ends "+plural(key.Sessions, "session", "sessions")+" of the console, and "+plural(key.PortalLinks, "portal link", "portal links")+" that nobody has used yet.")
	if key.ID == v.session.Caller.KeyID {
		p.Says = append(p.Says, "You are signed in with this key: you will be signed out.")
	}
	return p, nil
}

func (c *Console) showRevokeKey(v *visit) (answer, error) {
	p, err := c.revokeKeyPage(v)
	return page("end", p.Title, p), err
}

func (c *Console) revokeKey(v *visit) (answer, error) {
	return v.end(c.revokeKeyPage, func(reason string) error {
		_, err := v.api.RevokeKey(v.request.Context(), v.path("id"), reason)
		return err
	})
}

func (c *Console) endSessionPage(v *visit) (endPage, error) {
	id := v.path("id")
	for s, err := range v.api.Sessions(v.request.Context(), "") {
		if err != nil {
			return endPage{}, err
		}
		if s.ID != id {
			continue
		}
		p := endPage{Title: "End the session of " + s.Person, Address: linkEndSession(id), Button: "End the session", Reason: reasonField{Last: v.lastReasons()}}
		p.Says = append(p.Says, "The next request of "+s.Person+" leads to the sign-in. A person with a key can sign in again: to keep somebody out, revoke the key.")
		return p, nil
	}
	return endPage{}, switchboard.Errorf(switchboard.CodeNotFound, "there is no session %q: it may be over", id)
}

func (c *Console) showEndSession(v *visit) (answer, error) {
	p, err := c.endSessionPage(v)
	return page("end", p.Title, p), err
}

func (c *Console) endSession(v *visit) (answer, error) {
	return v.end(c.endSessionPage, func(reason string) error { return v.api.EndSession(v.request.Context(), v.path("id"), reason) })
}

func (c *Console) withdrawLinkPage(v *visit) (endPage, error) {
	id := v.path("id")
	for l, err := range v.api.PortalLinks(v.request.Context()) {
		if err != nil {
			return endPage{}, err
		}
		if l.ID != id || l.UsedAt != nil || !l.ExpiresAt.After(v.now) {
			continue
		}
		p := endPage{Title: "Withdraw the link for " + l.Name, Address: linkWithdrawLink(id), Button: "Withdraw the link", Reason: reasonField{Last: v.lastReasons()}}
		p.Says = append(p.Says, "It can no longer be used. Nobody has used it yet: nobody is signed out.")
		return p, nil
	}
	return endPage{}, switchboard.Errorf(switchboard.CodeNotFound, "there is no portal link %q that can still be used", id)
}

func (c *Console) showWithdrawLink(v *visit) (answer, error) {
	p, err := c.withdrawLinkPage(v)
	return page("end", p.Title, p), err
}

func (c *Console) withdrawLink(v *visit) (answer, error) {
	return v.end(c.withdrawLinkPage, func(reason string) error { return v.api.WithdrawPortalLink(v.request.Context(), v.path("id"), reason) })
}

// end ends a key, session or link for the given reason and leads back to the keys, or shows the
// form again with what is wrong with the reason.
func (v *visit) end(form func(*visit) (endPage, error), do func(reason string) error) (answer, error) {
	reason := strings.TrimSpace(v.request.PostFormValue("reason"))
	fault := reasonFault(reason)
	if fault == "" {
		err := do(reason)
		refused, ok := errors.AsType[*client.Error](err)
		switch {
		case err == nil:
			return redirect(linkKeys()), nil
		case !ok || refused.Field != "reason":
			return answer{}, err
		}
		fault = refused.Detail
	}
	p, err := form(v)
	if err != nil {
		return answer{}, err
	}
	p.Reason.Value, p.Reason.Error, p.Faults = reason, fault, []fieldFault{{"reason", fault}}
	return page("end", p.Title, p).status(http.StatusUnprocessableEntity), nil
}
