package api

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// session is a person who is signed in to the console.
type session struct {
	ID          string           `json:"id" example:"ses_01k0000000000000000000000"`
	Person      string           `json:"person" example:"Ana"`
	Verified    bool             `json:"verified" doc:"true: a trusted proxy names the person; false: the person gave the name" example:"false"`
	KeyID       string           `json:"key_id" doc:"Id of the key that the person signed in with, or that made the portal link: the session ends with the key. Empty: a proxy signed the person in" example:"key_01k0000000000000000000000"`
	Role        switchboard.Role `json:"role" enum:"admin,integrator,support,viewer" example:"support"`
	Tenant      string           `json:"tenant" doc:"Empty: all tenants" example:"acme"`
	ReadPayload bool             `json:"read_payload" example:"false"`
	Portal      bool             `json:"portal" doc:"Whether the session began with a portal link" example:"false"`
	CreatedAt   time.Time        `json:"created_at"`
	SeenAt      time.Time        `json:"seen_at" doc:"Time of the person's last request, to the minute"`
	EndsAt      time.Time        `json:"ends_at" doc:"The latest end of the session. It ends earlier after two hours without a request, thirty minutes in the portal"`
	Address     string           `json:"address" doc:"Address from which the person signed in" example:"198.51.100.7"`
}

func sessionOf(s *switchboard.Session) session {
	shown := session{
		ID: s.ID, Person: s.Caller.Person, Verified: s.Verified, KeyID: s.Caller.KeyID, Role: s.Caller.Role, Tenant: s.Caller.Tenant,
		ReadPayload: s.Caller.ReadPayload, Portal: s.Portal, CreatedAt: s.CreatedAt, SeenAt: s.SeenAt, EndsAt: s.EndsAt, Address: s.Address,
	}
	if s.Verified {
		shown.KeyID = ""
	}
	return shown
}

type sessionsInput struct {
	Key    string `query:"key" doc:"Only sessions of this key" example:"key_01k0000000000000000000000"`
	Limit  int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Maximum number of entries in a page"`
	Cursor string `query:"cursor" doc:"next_cursor of the previous page"`
}

func (s *server) listSessions(ctx context.Context, caller switchboard.Caller, in *sessionsInput) (*reply[page[session]], error) {
	found, err := s.Store.Sessions(ctx, caller, in.Key, switchboard.PageRequest{Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	return rest.PageOf(found, sessionOf), nil
}

type sessionInput struct {
	ID     string `path:"id" doc:"Id of the session" example:"ses_01k0000000000000000000000"`
	Reason string `query:"reason" required:"true" doc:"The reason, in your own words; stored in the audit" maxLength:"500" example:"lost laptop"`
}

func (s *server) endSession(ctx context.Context, caller switchboard.Caller, in *sessionInput) (*empty, error) {
	if err := checkRequiredReason(in.Reason); err != nil {
		return nil, err
	}
	return &empty{}, s.Store.RevokeSession(ctx, caller, in.ID, in.Reason)
}
