package store

import (
	"context"

	"github.com/seed-49a43567/switchboard"
)

// usageEvents is how many of a tenant's last events give the types in its usage. An index has them
// together.
const usageEvents = 1000

// TenantUsage returns whether the tenant is known, the types of its last events, and whether those
// had keys. It refuses a caller that does not see the tenant.
func (s *Store) TenantUsage(ctx context.Context, caller switchboard.Caller, tenant string) (switchboard.TenantUsage, error) {
	if err := caller.CheckTenant(tenant); err != nil {
		return switchboard.TenantUsage{}, err
	}
	usage := switchboard.TenantUsage{EventTypes: []string{}}
	var types []struct {
		Type  string
		Keyed bool
	}
	if err := s.list(ctx, "read tenant usage", &types, `
SELECT type, bool_or(key <> '') AS keyed FROM (SELECT type, key FROM events WHERE tenant = $1 ORDER BY created_at DESC, id DESC LIMIT $2) AS last GROUP BY type ORDER BY type`, tenant, usageEvents); err != nil {
		return usage, err
	}
	for _, t := range types {
		usage.EventTypes = append(usage.EventTypes, t.Type)
		if !t.Keyed {
			usage.Keyless = append(usage.Keyless, t.Type)
		}
	}
	var known []bool
	err := s.list(ctx, "read tenant usage", &known, `
SELECT EXISTS (SELECT FROM subscriptions WHERE tenant = $1 AND deleted_at IS NULL) OR EXISTS (SELECT FROM keys WHERE tenant = $1)`, tenant)
	usage.Known = len(usage.EventTypes) > 0 || len(known) > 0 && known[0]
	return usage, err
}
