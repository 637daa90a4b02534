package api

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// me describes the caller.
type me struct {
	KeyID       string           `json:"key_id" example:"key_01k0000000000000000000000"`
	Name        string           `json:"name" doc:"Name of the key" example:"support desk"`
	Role        switchboard.Role `json:"role" enum:"admin,publisher,integrator,support,viewer" example:"support"`
	Tenant      string           `json:"tenant" doc:"The only tenant that the key may act for; empty: all tenants" example:"acme"`
	ReadPayload bool             `json:"read_payload" doc:"Whether the key may read event data, bodies, paths and queries of URLs, and all headers" example:"false"`
	ExpiresAt   *time.Time       `json:"expires_at" doc:"null: the key does not expire"`
	Person      string           `json:"person,omitempty" doc:"The person who uses the key, from Switchboard-Actor" example:"marta@platform"`
}

func (s *server) getMe(ctx context.Context, caller switchboard.Caller, _ *struct{}) (*reply[me], error) {
	var key switchboard.Key
	if caller.Origin != switchboard.OriginConsole { // in the console, the person may have no key, or use one of another tenant
		var err error
		if key, err = s.Store.Key(ctx, caller, caller.KeyID); err != nil {
			return nil, err
		}
	}
	return &reply[me]{Body: me{
		KeyID: caller.KeyID, Name: key.Name, Role: caller.Role, Tenant: caller.Tenant, ReadPayload: caller.ReadPayload,
		ExpiresAt: date(key.ExpiresAt), Person: caller.Person,
	}}, nil
}
