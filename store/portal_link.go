package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// CreatePortalLink stores a link, fills in its id and times, and returns it with its token.
func (s *Store) CreatePortalLink(ctx context.Context, caller switchboard.Caller, link switchboard.PortalLink) (switchboard.PortalLink, switchboard.Secret, error) {
	if err := caller.CheckTenant(link.Tenant); err != nil {
		return switchboard.PortalLink{}, "", err
	}
	now, token := s.now(), switchboard.NewSessionToken()
	link.ID, link.KeyID, link.CreatedAt = switchboard.NewID(switchboard.PortalLinkPrefix, now), caller.KeyID, now
	link.ExpiresAt = now.Add(cmp.Or(link.Lasts, switchboard.PortalLinkLasts))
	link.Session = cmp.Or(link.Session, switchboard.PortalSessionLasts)
	err := s.tx(ctx, "create a portal link", func(ctx context.Context, tx transaction) error {
		_, err := tx.ExecContext(ctx, `
INSERT INTO portal_links (id, hash, key_id, person, role, tenant, read_payload, next, created_at, expires_at, seconds)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			link.ID, tokenHash(token), link.KeyID, clean(link.Person), string(link.Role), link.Tenant, link.ReadPayload, clean(link.Next), now, link.ExpiresAt, int(link.Session.Seconds()))
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, caller, switchboard.AuditEntry{Verb: switchboard.AuditCreate, Kind: switchboard.AuditPortalLink, Object: link.ID, Tenant: link.Tenant})
	})
	return link, token, err
}

// SpendPortalLink begins the session of a link, which nobody can use again. It returns the same
// Unauthenticated error for a link that never existed, that was used, that has expired, or whose
// key is no longer valid.
func (s *Store) SpendPortalLink(ctx context.Context, token switchboard.Secret, in switchboard.SignIn) (switchboard.SignedIn, error) {
	var begun switchboard.SignedIn
	err := s.tx(ctx, "spend a portal link", func(ctx context.Context, tx transaction) error {
		var link struct {
			KeyID       string
			Person      string
			Role        switchboard.Role
			Tenant      string
			ReadPayload bool
			Next        string
			Seconds     int
		}
		err := tx.GetContext(ctx, &link, `
UPDATE portal_links SET spent_at = $2 WHERE hash = $1 AND spent_at IS NULL AND expires_at > $2 AND `+validKey("portal_links", "$2")+`
RETURNING key_id, person, role, tenant, read_payload, next, seconds`, tokenHash(token), s.now())
		if errors.Is(err, sql.ErrNoRows) {
			return switchboard.Errorf(switchboard.CodeUnauthenticated, "the link was used already, has expired or was withdrawn: ask for a new one")
		}
		if err != nil {
			return err
		}
		c := &in.Caller
		c.KeyID, c.Person, c.Role, c.Tenant, c.ReadPayload = link.KeyID, link.Person, link.Role, link.Tenant, link.ReadPayload
		in.Verified = false
		begun, err = s.begin(ctx, tx, in, link.Tenant != "", time.Duration(link.Seconds)*time.Second)
		begun.Next = link.Next
		return err
	})
	return begun, err
}

// portalLinkRow is a stored link, without its token.
type portalLinkRow struct {
	ID          string
	KeyID       string
	Person      string
	Role        switchboard.Role
	Tenant      string
	ReadPayload bool
	Next        string
	CreatedAt   time.Time
	ExpiresAt   time.Time
	SpentAt     *time.Time
	Seconds     int
}

func (r *portalLinkRow) link() switchboard.PortalLink {
	link := switchboard.PortalLink{
		ID: r.ID, KeyID: r.KeyID, Tenant: r.Tenant, Person: r.Person, Role: r.Role, ReadPayload: r.ReadPayload, Next: r.Next,
		CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(), Lasts: r.ExpiresAt.Sub(r.CreatedAt), Session: time.Duration(r.Seconds) * time.Second,
	}
	if r.SpentAt != nil {
		link.UsedAt = r.SpentAt.UTC()
	}
	return link
}

// PortalLinks lists links, newest first: usable, used and expired ones, until retention deletes
// them. A link whose key has ended is not listed.
func (s *Store) PortalLinks(ctx context.Context, caller switchboard.Caller, p switchboard.PageRequest) (switchboard.Page[switchboard.PortalLink], error) {
	q := pageQuery{
		cursors: cursors{s.keys, "portal_links", caller, ""}, table: "portal_links", order: "id DESC", where: &conditions{}, after: afterID,
		columns: "id, key_id, person, role, tenant, read_payload, next, created_at, expires_at, spent_at, seconds",
	}
	q.where.scope(caller, "")
	q.where.add("(spent_at IS NOT NULL OR "+validKey("portal_links", "?")+")", s.now())
	rows, err := list(ctx, s, q, p, func(r portalLinkRow) position { return position{ID: r.ID} })
	page := switchboard.Page[switchboard.PortalLink]{Items: make([]switchboard.PortalLink, len(rows.Items)), NextCursor: rows.NextCursor}
	for i := range rows.Items {
		page.Items[i] = rows.Items[i].link()
	}
	return page, err
}

// WithdrawPortalLink prevents the use of a link. A used or expired link counts as missing:
// [Store.RevokeSession] signs out a person who came by it.
func (s *Store) WithdrawPortalLink(ctx context.Context, caller switchboard.Caller, id, reason string) error {
	c := &conditions{}
	c.add("id = ?", id)
	c.add("spent_at IS NULL AND expires_at > ?", s.now())
	c.scope(caller, "")
	return s.tx(ctx, "withdraw a portal link", func(ctx context.Context, tx transaction) error {
		var tenant string
		err := tx.GetContext(ctx, &tenant, "DELETE FROM portal_links"+c.where()+" RETURNING tenant", c.args...)
		if errors.Is(err, sql.ErrNoRows) {
			return switchboard.Errorf(switchboard.CodeNotFound, "there is no portal link %q that can still be used", id)
		}
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, caller, switchboard.AuditEntry{Verb: switchboard.AuditRevoke, Kind: switchboard.AuditPortalLink, Object: id, Tenant: tenant, Reason: reason})
	})
}
