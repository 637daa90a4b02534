package api

import (
	"context"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

type newKey struct {
	Name   string           `json:"name" doc:"A name for people" example:"CRM backend" maxLength:"200"`
	Role   switchboard.Role `json:"role" enum:"admin,publisher,integrator,support,viewer" doc:"Which calls it may make" example:"publisher"`
	Tenant string           `json:"tenant,omitempty" doc:"Binds the key to one tenant. Left out: it may act for all tenants" example:"acme" maxLength:"128"`
	// A pointer, because the default depends on the role.
	ReadPayload *bool      `json:"read_payload,omitempty" doc:"Whether it may read event data, bodies, paths and queries of URLs, and all headers. Default: true, except for support and viewer" example:"false"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty" doc:"Left out: it does not expire" example:"2099-01-31T12:00:00Z"`
}

// key is an API key in the form of the API.
type key struct {
	ID        string           `json:"id" example:"key_01k0000000000000000000000"`
	Name      string           `json:"name" example:"CRM backend"`
	Role      switchboard.Role `json:"role" enum:"admin,publisher,integrator,support,viewer" example:"publisher"`
	Tenant    string           `json:"tenant" doc:"Empty: all tenants" example:"acme"`
	CreatedAt time.Time        `json:"created_at"`
	ExpiresAt *time.Time       `json:"expires_at" doc:"null: the key does not expire"`
	RevokedAt *time.Time       `json:"revoked_at" doc:"null: the key is not revoked"`

	ReadPayload bool       `json:"read_payload" doc:"Whether it may read event data, bodies, paths and queries of URLs, and all headers" example:"false"`
	LastUsedAt  *time.Time `json:"last_used_at" doc:"To the minute; null: the key was never used"`

	Sessions    int `json:"sessions" doc:"Number of console sessions of people who signed in with the key or its portal links; they end with the key" example:"3"`
	PortalLinks int `json:"portal_links" doc:"Number of unused portal links that the key made; they end with the key" example:"0"`

	Key string `json:"key,omitempty" doc:"The key itself; shown only once, when it is created" example:"sbk_…"`
}

func keyOf(k *switchboard.Key) key {
	return key{
		ID: k.ID, Name: k.Name, Role: k.Role, Tenant: k.Tenant,
		CreatedAt: k.CreatedAt.UTC(), ExpiresAt: date(k.ExpiresAt), RevokedAt: date(k.RevokedAt),
		ReadPayload: k.ReadPayload, LastUsedAt: date(k.LastUsedAt), Sessions: k.Sessions, PortalLinks: k.PortalLinks,
	}
}

type createKeyInput struct{ payload[newKey] }

func (s *server) createKey(ctx context.Context, caller switchboard.Caller, in *createKeyInput) (*reply[key], error) {
	asked, err := in.JSON.key()
	if err != nil {
		return nil, err
	}
	// A key that is bound to a tenant cannot make an unbound key.
	if err := caller.CheckTenant(asked.Tenant); err != nil {
		return nil, err
	}
	// A key that may not read payloads cannot make one that may.
	if asked.ReadPayload && !caller.ReadPayload {
		if in.JSON.ReadPayload != nil {
			return nil, &switchboard.Error{Code: switchboard.CodeForbidden, Field: "read_payload", Message: "is a permission that this key does not have itself"}
		}
		asked.ReadPayload = false
	}
	text := switchboard.NewKeyText()
	created, err := s.Store.CreateKey(ctx, caller, asked, text)
	if err != nil {
		return nil, err
	}
	out := keyOf(&created)
	out.Key = text.Reveal()
	return &reply[key]{Body: out}, nil
}

func (in *newKey) key() (switchboard.Key, error) {
	k := switchboard.Key{Name: in.Name, Role: in.Role, Tenant: in.Tenant, ReadPayload: in.Role.ReadsPayload()}
	if in.ReadPayload != nil {
		k.ReadPayload = *in.ReadPayload
	}
	switch {
	case strings.TrimSpace(in.Name) == "":
		return k, switchboard.InvalidField("name", "is required")
	case switchboard.LongerThan(in.Name, switchboard.MaxName):
		return k, switchboard.InvalidField("name", "is longer than %d characters", switchboard.MaxName)
	case strings.ContainsFunc(in.Name, isControl):
		return k, switchboard.InvalidField("name", "may not hold control characters")
	case !in.Role.Valid():
		return k, switchboard.InvalidField("role", "must be one of %s", switchboard.JoinWords(switchboard.Roles()))
	}
	if in.Tenant != "" {
		if err := switchboard.ValidateTenant(in.Tenant); err != nil {
			return k, err
		}
	}
	if in.ExpiresAt != nil {
		if err := switchboard.ValidateTime("expires_at", *in.ExpiresAt); err != nil {
			return k, err
		}
		if !in.ExpiresAt.After(time.Now()) {
			return k, switchboard.InvalidField("expires_at", "has passed already")
		}
		k.ExpiresAt = in.ExpiresAt.UTC()
	}
	return k, nil
}

type keysInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Maximum number of entries in a page"`
	Cursor string `query:"cursor" doc:"next_cursor of the previous page"`
}

func (s *server) listKeys(ctx context.Context, caller switchboard.Caller, in *keysInput) (*reply[page[key]], error) {
	found, err := s.Store.Keys(ctx, caller, switchboard.PageRequest{Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	return rest.PageOf(found, keyOf), nil
}

type keyInput struct {
	ID string `path:"id" doc:"Id of the key" example:"key_01k0000000000000000000000"`
}

func (s *server) getKey(ctx context.Context, caller switchboard.Caller, in *keyInput) (*reply[key], error) {
	found, err := s.Store.Key(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	return &reply[key]{Body: keyOf(&found)}, nil
}

type revokeKeyInput struct {
	ID     string `path:"id" doc:"Id of the key" example:"key_01k0000000000000000000000"`
	Reason string `query:"reason" required:"true" doc:"The reason, in your own words; stored in the audit" maxLength:"500" example:"left the company"`
}

func (s *server) revokeKey(ctx context.Context, caller switchboard.Caller, in *revokeKeyInput) (*reply[key], error) {
	if err := checkRequiredReason(in.Reason); err != nil {
		return nil, err
	}
	revoked, err := s.Store.RevokeKey(ctx, caller, in.ID, in.Reason)
	if err != nil {
		return nil, err
	}
	return &reply[key]{Body: keyOf(&revoked)}, nil
}
