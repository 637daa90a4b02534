package api

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

type newPortalLink struct {
	Tenant      string                `json:"tenant" doc:"The tenant whose subscriptions, deliveries and events the person sees" example:"acme" maxLength:"128"`
	Name        string                `json:"name" doc:"Name of the person, for the audit" example:"bob@acme.example" maxLength:"128"`
	Role        switchboard.Role      `json:"role" enum:"integrator,viewer" doc:"Whether the person may change subscriptions and retry deliveries, or only read" example:"integrator"`
	ReadPayload *bool                 `json:"read_payload,omitempty" doc:"Whether the person may read event data, bodies, paths and queries of URLs, and all headers. Default: true for integrators, if this key may" example:"true"`
	Next        string                `json:"next,omitempty" doc:"The first page of the console" example:"/console/deliveries" maxLength:"2048"`
	ExpiresIn   *switchboard.Duration `json:"expires_in,omitempty" doc:"How long the link can be used, once; at most 15m. Default: 5m" example:"5m"`
	Session     *switchboard.Duration `json:"session,omitempty" doc:"How long the person stays signed in; at most 8h. Default: 1h" example:"1h"`
}

// portalLink is a link in the only answer that shows it.
type portalLink struct {
	ID        string    `json:"id" example:"plk_01k0000000000000000000000"`
	URL       string    `json:"url" doc:"Send the person's browser there. It works once, and is shown only here" example:"https://switchboard.example.com/console/enter#hqFz…"`
	ExpiresAt time.Time `json:"expires_at"`
}

type createPortalLinkInput struct{ payload[newPortalLink] }

func (s *server) createPortalLink(ctx context.Context, caller switchboard.Caller, in *createPortalLinkInput) (*reply[portalLink], error) {
	asked, err := in.JSON.link(caller)
	if err != nil {
		return nil, err
	}
	if s.PublicURL == "" {
		return nil, switchboard.Errorf(switchboard.CodeConflict, "SWITCHBOARD_PUBLIC_URL is not set: without it, this process does not know the address of its console")
	}
	made, token, err := s.Store.CreatePortalLink(ctx, caller, asked)
	if err != nil {
		return nil, err
	}
	// The part after # reaches no server's log and no other site.
	return &reply[portalLink]{Body: portalLink{
		ID: made.ID, URL: s.PublicURL + switchboard.ConsolePath + "/enter#" + token.Reveal(), ExpiresAt: made.ExpiresAt,
	}}, nil
}

func (in *newPortalLink) link(caller switchboard.Caller) (switchboard.PortalLink, error) {
	link := switchboard.PortalLink{Tenant: in.Tenant, Person: in.Name, Role: in.Role, Next: in.Next}
	if err := switchboard.ValidateTenant(in.Tenant); err != nil {
		return link, err
	}
	if err := caller.CheckTenant(in.Tenant); err != nil {
		return link, err
	}
	if err := switchboard.CheckPerson("name", in.Name); err != nil {
		return link, err
	}
	if in.Role != switchboard.RoleIntegrator && in.Role != switchboard.RoleViewer {
		return link, switchboard.InvalidField("role", "must be integrator or viewer")
	}
	if in.Next != "" {
		if err := switchboard.CheckConsolePath("next", in.Next); err != nil {
			return link, err
		}
	}
	link.ReadPayload = in.Role.ReadsPayload() && caller.ReadPayload
	if in.ReadPayload != nil {
		if link.ReadPayload = *in.ReadPayload; link.ReadPayload && !caller.ReadPayload {
			return link, &switchboard.Error{Code: switchboard.CodeForbidden, Field: "read_payload", Message: "is a permission that this key does not have itself"}
		}
	}
	var err error
	if link.Lasts, err = lasting("expires_in", in.ExpiresIn, switchboard.PortalLinkLasts, switchboard.MaxPortalLinkLasts); err != nil {
		return link, err
	}
	link.Session, err = lasting("session", in.Session, switchboard.PortalSessionLasts, switchboard.MaxPortalSessionLasts)
	return link, err
}

// lasting returns the given time, or the default.
func lasting(field string, given *switchboard.Duration, usual, most time.Duration) (time.Duration, error) {
	if given == nil {
		return usual, nil
	}
	const least = 10 * time.Second // nobody can use less
	if asked := time.Duration(*given); asked < least || asked > most {
		return 0, switchboard.InvalidField(field, "must be from %s to %s", switchboard.Duration(least), switchboard.Duration(most))
	}
	return time.Duration(*given), nil
}

// madePortalLink is a link that was made, without the token that opens it.
type madePortalLink struct {
	ID          string           `json:"id" example:"plk_01k0000000000000000000000"`
	KeyID       string           `json:"key_id" doc:"Id of the key that made the link: link and session end with the key" example:"key_01k0000000000000000000000"`
	Tenant      string           `json:"tenant" doc:"The tenant whose subscriptions, deliveries and events the person sees. Empty: all tenants, for the link that a development stack prints" example:"acme"`
	Name        string           `json:"name" doc:"Name of the person that the link is for" example:"bob@acme.example"`
	Role        switchboard.Role `json:"role" enum:"admin,integrator,support,viewer" example:"integrator"`
	ReadPayload bool             `json:"read_payload" example:"true"`
	CreatedAt   time.Time        `json:"created_at"`
	ExpiresAt   time.Time        `json:"expires_at" doc:"When the link expires"`
	UsedAt      *time.Time       `json:"used_at" doc:"null: nobody has used it"`
}

func madePortalLinkOf(l *switchboard.PortalLink) madePortalLink {
	return madePortalLink{
		ID: l.ID, KeyID: l.KeyID, Tenant: l.Tenant, Name: l.Person, Role: l.Role, ReadPayload: l.ReadPayload,
		CreatedAt: l.CreatedAt, ExpiresAt: l.ExpiresAt, UsedAt: date(l.UsedAt),
	}
}

type portalLinksInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Maximum number of entries in a page"`
	Cursor string `query:"cursor" doc:"next_cursor of the previous page"`
}

func (s *server) listPortalLinks(ctx context.Context, caller switchboard.Caller, in *portalLinksInput) (*reply[page[madePortalLink]], error) {
	found, err := s.Store.PortalLinks(ctx, caller, switchboard.PageRequest{Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	return rest.PageOf(found, madePortalLinkOf), nil
}

type portalLinkInput struct {
	ID     string `path:"id" doc:"Id of the link" example:"plk_01k0000000000000000000000"`
	Reason string `query:"reason" required:"true" doc:"The reason, in your own words; stored in the audit" maxLength:"500" example:"sent to the wrong person"`
}

func (s *server) withdrawPortalLink(ctx context.Context, caller switchboard.Caller, in *portalLinkInput) (*empty, error) {
	if err := checkRequiredReason(in.Reason); err != nil {
		return nil, err
	}
	return &empty{}, s.Store.WithdrawPortalLink(ctx, caller, in.ID, in.Reason)
}
