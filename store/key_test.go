package store_test

import (
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	create := func(role switchboard.Role, tenant string, text switchboard.Secret, expires time.Time) switchboard.Key {
		k, err := b.CreateKey(t.Context(), root(), switchboard.Key{Name: "for " + tenant, Role: role, Tenant: tenant, ExpiresAt: expires}, text)
		must(t, err)
		return k
	}
	admin := create(switchboard.RoleAdmin, "", "text of the admin", time.Time{})
	b.advance(time.Second)
	viewer := create(switchboard.RoleViewer, "acme", "text of the viewer", b.clock().Add(time.Hour))
	equal(t, "created", viewer, switchboard.Key{
		ID: viewer.ID, Name: "for acme", Role: switchboard.RoleViewer, Tenant: "acme", CreatedAt: b.clock(), ExpiresAt: b.clock().Add(time.Hour),
	})
	equal(t, "the same text again", create(switchboard.RoleViewer, "acme", "text of the viewer", time.Time{}), viewer)
	_, err := b.CreateKey(t.Context(), root(), switchboard.Key{Role: switchboard.RoleAdmin, Tenant: "acme"}, "text of the viewer")
	refused(t, "the same text, another role", err, switchboard.CodeConflict, "")
	_, err = b.CreateKey(t.Context(), of("acme"), switchboard.Key{Role: switchboard.RoleViewer}, "text of a climber")
	refused(t, "beyond the caller's tenant", err, switchboard.CodeForbidden, "tenant")

	caller, err := b.Authenticate(t.Context(), "text of the viewer")
	must(t, err)
	equal(t, "caller", caller, switchboard.Caller{KeyID: viewer.ID, Role: switchboard.RoleViewer, Tenant: "acme"})

	store.WaitForKeyUses(b.Store)
	viewer.LastUsedAt = b.clock()
	page, err := b.Keys(t.Context(), root(), switchboard.PageRequest{})
	must(t, err)
	equal(t, "all keys", page.Items, []switchboard.Key{viewer, admin})
	page, err = b.Keys(t.Context(), of("acme"), switchboard.PageRequest{})
	must(t, err)
	equal(t, "the tenant's keys", page.Items, []switchboard.Key{viewer})

	b.advance(time.Hour)
	_, expired := b.Authenticate(t.Context(), "text of the viewer")
	revoked, err := b.RevokeKey(t.Context(), root(), admin.ID, "r")
	must(t, err)
	equal(t, "revoked at", revoked.RevokedAt, b.clock())
	b.advance(time.Hour)
	again, err := b.RevokeKey(t.Context(), root(), admin.ID, "r")
	must(t, err)
	equal(t, "revoked again", again, revoked)
	_, used := b.Authenticate(t.Context(), "text of the admin")
	_, unknown := b.Authenticate(t.Context(), "never seen")
	for name, err := range map[string]error{"expired": expired, "revoked": used, "unknown": unknown} {
		refused(t, name, err, switchboard.CodeUnauthenticated, "")
		equal(t, name, err.Error(), unknown.Error())
	}
	_, err = b.CreateKey(t.Context(), root(), switchboard.Key{Role: switchboard.RoleAdmin}, "text of the admin")
	refused(t, "the text of a revoked key", err, switchboard.CodeConflict, "")
	_, err = b.RevokeKey(t.Context(), root(), "key_none", "r")
	refused(t, "no such key", err, switchboard.CodeNotFound, "")
}

// TestLastUse: the last use of a key is written soon after it, and at most once a minute by all
// processes together.
func TestLastUse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.open(ring)
	key, err := b.CreateKey(t.Context(), root(), switchboard.Key{Role: switchboard.RoleViewer}, "text")
	must(t, err)
	equal(t, "before", key.LastUsedAt, time.Time{})
	use := func(s *store.Store) {
		must(t, second(s.Authenticate(t.Context(), "text")))
		store.WaitForKeyUses(s)
	}
	for _, step := range []struct {
		name    string
		after   time.Duration
		by      *store.Store
		written bool
	}{
		{"the first use", 0, b.Store, true},
		{"a use within the minute", 59 * time.Second, b.Store, false},
		{"one of another process", 0, other, false},
		{"a use a minute later", time.Second, b.Store, true},
		{"one of another process a minute after that", time.Minute, other, true},
		{"one of the first process at the same time", 0, b.Store, false},
	} {
		b.advance(step.after)
		before := key.LastUsedAt
		use(step.by)
		key, err = b.Key(t.Context(), root(), key.ID)
		must(t, err)
		want := before
		if step.written {
			want = b.clock()
		}
		equal(t, step.name, key.LastUsedAt, want)
	}
}
