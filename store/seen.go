package store

import (
	"context"

	"switchboard"
)

// maxSeen is how many of a tenant's last events are looked at for the types that are
// posted for it: an index holds them together.
const maxSeen = 1000

// Seen returns what was seen of a tenant. The caller has to be one who sees it.
func (s *Store) Seen(ctx context.Context, caller switchboard.Caller, tenant string) (switchboard.Seen, error) {
	if !caller.Sees(tenant) {
		return switchboard.Seen{}, switchboard.Errorf(switchboard.Forbidden, "the tenant is outside this key's scope")
	}
	seen := switchboard.Seen{EventTypes: []string{}}
	if err := s.list(ctx, &seen.EventTypes, `
SELECT DISTINCT type FROM (SELECT type FROM events WHERE tenant = $1 ORDER BY created_at DESC, id DESC LIMIT $2) AS last ORDER BY type`, tenant, maxSeen); err != nil {
		return seen, err
	}
	var known []bool
	err := s.list(ctx, &known, `
SELECT EXISTS (SELECT FROM subscriptions WHERE tenant = $1 AND deleted_at IS NULL) OR EXISTS (SELECT FROM keys WHERE tenant = $1)`, tenant)
	seen.Known = len(seen.EventTypes) > 0 || len(known) > 0 && known[0]
	return seen, err
}
