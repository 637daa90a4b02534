package store_test

import (
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// key makes an API key.
func (b *bundle) key(role switchboard.Role, tenant string, expires time.Time) switchboard.Key {
	b.t.Helper()
	k, err := b.CreateKey(b.t.Context(), root(), switchboard.Key{Name: "n", Role: role, Tenant: tenant, ExpiresAt: expires}, switchboard.NewKeyText())
	must(b.t, err)
	return k
}

// signIn begins a session with a key.
func (b *bundle) signIn(key switchboard.Key) switchboard.SignedIn {
	b.t.Helper()
	in, err := b.BeginSession(b.t.Context(), switchboard.SignIn{Caller: switchboard.Caller{
		KeyID: key.ID, Role: key.Role, Tenant: key.Tenant, Person: "Ana", Address: "192.0.2.1", RequestID: "req", Origin: switchboard.OriginConsole,
	}})
	must(b.t, err)
	return in
}

// link makes a portal link of acme with a key.
func (b *bundle) link(key switchboard.Key) switchboard.Secret {
	b.t.Helper()
	_, token, err := b.CreatePortalLink(b.t.Context(), switchboard.Caller{KeyID: key.ID, Role: key.Role}, switchboard.PortalLink{
		Tenant: "acme", Person: "Bob", Role: switchboard.RoleViewer, Next: "/console/deliveries",
	})
	must(b.t, err)
	return token
}

func (b *bundle) spend(token switchboard.Secret) (switchboard.SignedIn, error) {
	return b.SpendPortalLink(b.t.Context(), token, switchboard.SignIn{Caller: switchboard.Caller{Address: "192.0.2.2"}})
}

// over checks that the token opens nothing.
func (b *bundle) over(what string, token switchboard.Secret) {
	b.t.Helper()
	_, err := b.FindSession(b.t.Context(), token, false)
	refused(b.t, what, err, switchboard.CodeUnauthenticated, "")
}

// present checks that the token opens a session.
func (b *bundle) present(token switchboard.Secret, poll bool) switchboard.Session {
	b.t.Helper()
	s, err := b.FindSession(b.t.Context(), token, poll)
	must(b.t, err)
	return s
}

func TestSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := b.key(switchboard.RoleSupport, "acme", time.Time{})
	in := b.signIn(key)
	want := switchboard.Session{
		ID: in.Session.ID, Caller: switchboard.Caller{KeyID: key.ID, Role: switchboard.RoleSupport, Tenant: "acme", Person: "Ana"},
		CreatedAt: begin(), SeenAt: begin(), EndsAt: begin().Add(12 * time.Hour), Address: "192.0.2.1",
	}
	equal(t, "begun", in.Session, want)
	equal(t, "found", b.present(in.Token, false), want)
	if len(in.Token.Reveal()) != 43 || !strings.HasPrefix(in.Session.ID, "ses_") {
		t.Errorf("token of %d letters, id %s", len(in.Token.Reveal()), in.Session.ID)
	}
	for table, rows := range b.dump() {
		for _, row := range rows {
			if strings.Contains(row, in.Token.Reveal()) || strings.Contains(row, hex.EncodeToString([]byte(in.Token.Reveal()))) {
				t.Errorf("the token is stored in %s", table)
			}
		}
	}
	audit, err := b.Audit(t.Context(), root(), switchboard.AuditFilter{Kind: switchboard.AuditSession}, switchboard.PageRequest{})
	must(t, err)
	equal(t, "audit", len(audit.Items), 1)
	equal(t, "audited", []any{audit.Items[0].Actor, audit.Items[0].Person, audit.Items[0].Object, audit.Items[0].RequestID}, []any{key.ID, "Ana", in.Session.ID, "req"})

	again, err := b.BeginSession(t.Context(), switchboard.SignIn{Caller: in.Session.Caller, Replaces: in.Token})
	must(t, err)
	b.over("replaced", in.Token)
	b.advance(time.Second)
	from := switchboard.Caller{Origin: switchboard.OriginConsole, RequestID: "req-out", Address: "192.0.2.9"}
	must(t, b.EndSession(t.Context(), again.Token, from))
	b.over("ended", again.Token)
	must(t, b.EndSession(t.Context(), again.Token, from))
	b.over("unknown", "never seen")

	// Signing out is audited once, and so is a session that another replaces.
	audit, err = b.Audit(t.Context(), root(), switchboard.AuditFilter{Kind: switchboard.AuditSession, Verb: switchboard.AuditDelete}, switchboard.PageRequest{})
	must(t, err)
	var ended []string
	for _, e := range audit.Items {
		ended = append(ended, strings.Join([]string{e.Object, e.Actor, e.Person, e.Tenant, e.RequestID, e.Address}, " "))
	}
	equal(t, "ended", ended, []string{again.Session.ID + " " + key.ID + " Ana acme req-out 192.0.2.9", in.Session.ID + " " + key.ID + " Ana acme  "})
}

// TestSessionEnds: a session is over after its time, without requests, and with its key; a poll
// does not prolong it.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	type step struct {
		after time.Duration
		poll  bool
	}
	for name, c := range map[string]struct {
		portal bool
		steps  []step // all of them succeed
		last   time.Duration
		before func(b *bundle, key switchboard.Key) // before the last request
	}{
		"after twelve hours":            {steps: []step{{1 * time.Hour, false}, {119 * time.Minute, false}, {119 * time.Minute, false}, {119 * time.Minute, false}, {119 * time.Minute, false}, {119 * time.Minute, false}}, last: 65 * time.Minute},
		"two hours without a request":   {last: 2 * time.Hour},
		"two hours with polls":          {steps: []step{{time.Hour, true}, {59 * time.Minute, true}}, last: time.Minute},
		"a portal's after half an hour": {portal: true, last: 30 * time.Minute},
		"a portal's after an hour":      {portal: true, steps: []step{{29 * time.Minute, false}, {29 * time.Minute, false}}, last: 2 * time.Minute},
		"its key is revoked": {before: func(b *bundle, key switchboard.Key) {
			must(b.t, second(b.RevokeKey(b.t.Context(), root(), key.ID, "r")))
		}},
		"a portal's, whose key is revoked": {portal: true, before: func(b *bundle, key switchboard.Key) {
			must(b.t, second(b.RevokeKey(b.t.Context(), root(), key.ID, "r")))
		}},
		"its key expires": {steps: []step{{119 * time.Minute, false}, {119 * time.Minute, false}}, last: 2 * time.Minute, before: func(*bundle, switchboard.Key) {}},
		"its key is gone": {before: func(b *bundle, key switchboard.Key) {
			must(b.t, second(b.sql.Exec("DELETE FROM keys WHERE id = $1", key.ID)))
		}},
		"somebody ends it":              {before: func(b *bundle, _ switchboard.Key) { b.endAll() }},
		"a portal's that somebody ends": {portal: true, before: func(b *bundle, _ switchboard.Key) { b.endAll() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			expires := time.Time{}
			if name == "its key expires" {
				expires = b.clock().Add(4 * time.Hour)
			}
			key := b.key(switchboard.RoleAdmin, "", expires)
			token := switchboard.Secret("")
			if c.portal {
				in, err := b.spend(b.link(key))
				must(t, err)
				token = in.Token
			} else {
				token = b.signIn(key).Token
			}
			for _, s := range c.steps {
				b.advance(s.after)
				b.present(token, s.poll)
			}
			if c.before != nil {
				b.present(token, true)
				c.before(b, key)
			}
			b.advance(c.last)
			b.over(name, token)
			page, err := b.Sessions(t.Context(), root(), "", switchboard.PageRequest{})
			must(t, err)
			equal(t, "sessions listed", len(page.Items), 0)
		})
	}
}

// endAll ends every session that is listed.
func (b *bundle) endAll() {
	b.t.Helper()
	page, err := b.Sessions(b.t.Context(), root(), "", switchboard.PageRequest{})
	must(b.t, err)
	for _, s := range page.Items {
		must(b.t, b.RevokeSession(b.t.Context(), root(), s.ID, "r"))
	}
}

// TestSeen: the last request is written at most once a minute.
func TestSeen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.signIn(b.key(switchboard.RoleAdmin, "", time.Time{})).Token
	for _, step := range []struct {
		after time.Duration
		poll  bool
		want  time.Duration
	}{
		{59 * time.Second, false, 0},
		{time.Second, true, 0},
		{0, false, time.Minute},
		{59 * time.Second, false, time.Minute},
		{61 * time.Second, false, 3 * time.Minute},
	} {
		b.advance(step.after)
		b.present(token, step.poll)
		equal(t, "seen", b.present(token, true).SeenAt, begin().Add(step.want))
	}
}

// TestVerifiedSession: a person whom a proxy names has no key, and is the actor.
func TestVerifiedSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in, err := b.BeginSession(t.Context(), switchboard.SignIn{Caller: switchboard.Caller{Person: "ana@example.com", Role: switchboard.RoleSupport, Origin: switchboard.OriginConsole}, Verified: true})
	must(t, err)
	equal(t, "session", in.Session, switchboard.Session{
		ID: in.Session.ID, Verified: true, Caller: switchboard.Caller{KeyID: "person:ana@example.com", Role: switchboard.RoleSupport, Person: "ana@example.com"},
		CreatedAt: begin(), SeenAt: begin(), EndsAt: begin().Add(12 * time.Hour),
	})
	equal(t, "found", b.present(in.Token, false), in.Session)
	audit, err := b.Audit(t.Context(), root(), switchboard.AuditFilter{Actor: "person:ana@example.com"}, switchboard.PageRequest{})
	must(t, err)
	equal(t, "audited", len(audit.Items), 1)
}

// TestPortalLink: a link works once, for a while, and as long as its key is valid; whatever is
// wrong with it, the answer is the same.
func TestPortalLink(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := b.key(switchboard.RoleIntegrator, "", time.Time{})
	token := b.link(key)
	in, err := b.spend(token)
	must(t, err)
	equal(t, "next", in.Next, "/console/deliveries")
	equal(t, "session", in.Session, switchboard.Session{
		ID: in.Session.ID, Portal: true, Caller: switchboard.Caller{KeyID: key.ID, Role: switchboard.RoleViewer, Tenant: "acme", Person: "Bob"},
		CreatedAt: begin(), SeenAt: begin(), EndsAt: begin().Add(time.Hour), Address: "192.0.2.2",
	})
	equal(t, "found", b.present(in.Token, false), in.Session)
	_, replayed := b.spend(token)
	late := b.link(key)
	b.advance(5 * time.Minute)
	_, expired := b.spend(late)
	withdrawn := b.link(key)
	waiting, err := b.Key(t.Context(), root(), key.ID)
	must(t, err)
	equal(t, "what ends with the key", []int{waiting.Sessions, waiting.PortalLinks}, []int{1, 1})
	must(t, second(b.RevokeKey(t.Context(), root(), key.ID, "r")))
	_, revoked := b.spend(withdrawn)
	_, unknown := b.spend("never seen")
	_, session := b.spend(in.Token)
	for name, err := range map[string]error{"replayed": replayed, "expired": expired, "revoked": revoked, "a session's token": session} {
		refused(t, name, err, switchboard.CodeUnauthenticated, "")
		equal(t, name, err.Error(), unknown.Error())
	}
	_, _, err = b.CreatePortalLink(t.Context(), of("acme"), switchboard.PortalLink{Tenant: "globex", Person: "p", Role: switchboard.RoleViewer})
	refused(t, "beyond the caller's tenant", err, switchboard.CodeForbidden, "tenant")
}

// TestPortalLinkOnce: if several people use a link at the same time, one gets a session.
func TestPortalLinkOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.link(b.key(switchboard.RoleAdmin, "", time.Time{}))
	var wait sync.WaitGroup
	var mu sync.Mutex
	in := 0
	for range 8 {
		wait.Go(func() {
			if _, err := b.spend(token); err == nil {
				mu.Lock()
				in++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	equal(t, "got in", in, 1)
}

// TestPortalLinks: links are listed with their state, without their tokens, and an unused one can
// be withdrawn.
func TestPortalLinks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key, other := b.key(switchboard.RoleIntegrator, "", time.Time{}), b.key(switchboard.RoleIntegrator, "", time.Time{})
	listed := func() (found []string) {
		p, err := b.PortalLinks(t.Context(), root(), switchboard.PageRequest{})
		must(t, err)
		for _, l := range p.Items {
			equal(t, "link", []any{l.Tenant, l.Person, l.Role, l.Session}, []any{"acme", "Bob", switchboard.RoleViewer, time.Hour})
			text := "open"
			switch {
			case !l.UsedAt.IsZero():
				text = "used"
			case !l.ExpiresAt.After(b.clock()):
				text = "expired"
			}
			found = append(found, text+map[string]string{key.ID: "", other.ID: ", other key"}[l.KeyID])
		}
		return found
	}
	b.link(key)
	b.advance(5 * time.Minute)
	must(t, second(b.spend(b.link(key))))
	b.advance(time.Second)
	token := b.link(key)
	b.advance(time.Second)
	b.link(other)
	equal(t, "links", listed(), []string{"open, other key", "open", "used", "expired"})
	must(t, second(b.RevokeKey(t.Context(), root(), other.ID, "r")))
	equal(t, "with the key of one revoked", listed(), []string{"open", "used", "expired"})
	p, err := b.PortalLinks(t.Context(), root(), switchboard.PageRequest{})
	must(t, err)
	for i, want := range []switchboard.Code{"", switchboard.CodeNotFound, switchboard.CodeNotFound} {
		err := b.WithdrawPortalLink(t.Context(), root(), p.Items[i].ID, "wrong person")
		equal(t, "withdrawn", switchboard.CodeOf(err), want)
	}
	equal(t, "afterwards", listed(), []string{"used", "expired"})
	_, err = b.spend(token)
	refused(t, "withdrawn", err, switchboard.CodeUnauthenticated, "")
	audit, err := b.Audit(t.Context(), root(), switchboard.AuditFilter{Kind: switchboard.AuditPortalLink, Verb: switchboard.AuditRevoke}, switchboard.PageRequest{})
	must(t, err)
	equal(t, "audited", []any{len(audit.Items), audit.Items[0].Object, audit.Items[0].Tenant, audit.Items[0].Reason}, []any{1, p.Items[0].ID, "acme", "wrong person"})
}

// TestSessionsGo: ended ones are deleted, and with a tenant those of its people.
func TestSessionsGo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := b.key(switchboard.RoleAdmin, "", time.Time{})
	rows := func() (n int) {
		must(t, b.sql.Get(&n, "SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM portal_links)"))
		return n
	}
	prune := func() {
		must(t, third(b.PruneRecords(t.Context(), switchboard.Retention{Delivered: 30 * testDay, Failed: 90 * testDay})))
	}
	b.signIn(key)
	must(t, second(b.spend(b.link(key))))
	b.link(key)
	prune()
	equal(t, "before", rows(), 4)
	b.advance(13 * time.Hour)
	prune()
	equal(t, "after their time", rows(), 0)

	b.delivery("acme")
	everybodys := b.signIn(key)
	must(t, second(b.spend(b.link(key))))
	e, err := b.EraseTenant(t.Context(), root(), "acme", "r")
	must(t, err)
	b.eraseAll(e.ID)
	equal(t, "with the tenant", rows(), 1)
	b.present(everybodys.Token, false)
}
