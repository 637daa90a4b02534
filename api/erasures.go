package api

import (
	"context"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

type eraseTenantInput struct {
	Tenant string `path:"tenant" doc:"The tenant" example:"acme"`
	Reason string `query:"reason" required:"true" doc:"The reason, in your own words; it stays after the data are erased" maxLength:"500" example:"request 4711"`
}

func (s *server) eraseTenant(ctx context.Context, caller switchboard.Caller, in *eraseTenantInput) (*reply[switchboard.Erasure], error) {
	if err := checkRequiredReason(in.Reason); err != nil {
		return nil, err
	}
	if err := switchboard.ValidateTenant(in.Tenant); err != nil {
		return nil, err
	}
	return s.startErasure(ctx, func() (switchboard.Erasure, error) {
		return s.Store.EraseTenant(ctx, caller, in.Tenant, in.Reason)
	})
}

type eraseEventInput struct {
	ID     string `path:"id" doc:"Id of the event" example:"evt_01k0000000000000000000000"`
	Tenant string `query:"tenant" doc:"Its tenant; required if several tenants have an event with this id"`
	Reason string `query:"reason" required:"true" doc:"The reason, in your own words; it stays after the data are erased" maxLength:"500" example:"request 4711"`
}

func (s *server) eraseEvent(ctx context.Context, caller switchboard.Caller, in *eraseEventInput) (*reply[switchboard.Erasure], error) {
	if err := checkRequiredReason(in.Reason); err != nil {
		return nil, err
	}
	tenant, err := tenantFilter(caller, in.Tenant)
	if err != nil {
		return nil, err
	}
	return s.startErasure(ctx, func() (switchboard.Erasure, error) {
		return s.Store.EraseEvent(ctx, caller, tenant, in.ID, in.Reason)
	})
}

// startErasure stores an erasure and starts its workflow. If the start fails, the same call can be
// repeated: it finds the stored erasure and starts it.
func (s *server) startErasure(ctx context.Context, begin func() (switchboard.Erasure, error)) (*reply[switchboard.Erasure], error) {
	e, err := begin()
	if err != nil {
		return nil, err
	}
	if !e.Finished() {
		if err := s.Engine.Erase(ctx, e.ID); err != nil {
			return nil, err
		}
	}
	return &reply[switchboard.Erasure]{Body: e}, nil
}

type erasureInput struct {
	ID string `path:"id" doc:"Id of the erasure" example:"era_01k0000000000000000000000"`
}

func (s *server) getErasure(ctx context.Context, caller switchboard.Caller, in *erasureInput) (*reply[switchboard.Erasure], error) {
	e, err := s.Store.Erasure(ctx, caller, in.ID)
	return &reply[switchboard.Erasure]{Body: e}, err
}

type erasuresInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Maximum number of entries in a page"`
	Cursor string `query:"cursor" doc:"next_cursor of the previous page"`
}

func (s *server) listErasures(ctx context.Context, caller switchboard.Caller, in *erasuresInput) (*reply[page[switchboard.Erasure]], error) {
	found, err := s.Store.Erasures(ctx, caller, switchboard.PageRequest{Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	return rest.PageOf(found, func(e *switchboard.Erasure) switchboard.Erasure { return *e }), nil
}
