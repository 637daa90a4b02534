package api

import (
	"context"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

type actionsInput struct {
	Tenant string         `query:"tenant" doc:"Only changes to things of this tenant"`
	Object string         `query:"object" doc:"Only changes to this: an id, an event type as platform/name, or a tenant" example:"sub_01k0000000000000000000000"`
	Actor  string         `query:"actor" doc:"Only changes by this API key; or by person:…, cli, temporal or switchboard" example:"key_01k0000000000000000000000"`
	Person string         `query:"person" doc:"Only changes by this person, verified or self-named" example:"Ana"`
	Verb   string         `query:"verb" doc:"Only this verb, such as pause" example:"pause"`
	Kind   string         `query:"kind" doc:"Only changes to things of this kind: delivery, subscription, operation, key, event_type, event, tenant, session or portal_link" example:"subscription"`
	After  rest.TimeParam `query:"after" doc:"Only changes at or after this time"`
	Before rest.TimeParam `query:"before" doc:"Only changes before this time"`
	Limit  int            `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Maximum number of entries in a page"`
	Cursor string         `query:"cursor" doc:"next_cursor of the previous page"`
}

// filter checks and converts the parameters.
func (in *actionsInput) filter(caller switchboard.Caller) (switchboard.AuditFilter, error) {
	f := switchboard.AuditFilter{
		Object: in.Object, Actor: in.Actor, Person: in.Person, Verb: switchboard.AuditVerb(in.Verb), Kind: switchboard.AuditKind(in.Kind),
		After: in.After.Time, Before: in.Before.Time,
	}
	if f.Verb != "" && !f.Verb.Valid() {
		return f, switchboard.InvalidField("verb", "is unknown; known: %s", switchboard.JoinWords(switchboard.AuditVerbs()))
	}
	if f.Kind != "" && !f.Kind.Valid() {
		return f, switchboard.InvalidField("kind", "is unknown; known: %s", switchboard.JoinWords(switchboard.AuditKinds()))
	}
	var err error
	f.Tenant, err = tenantFilter(caller, in.Tenant)
	return f, err
}

func (s *server) listActions(ctx context.Context, caller switchboard.Caller, in *actionsInput) (*reply[page[switchboard.AuditEntry]], error) {
	if caller.Tenant == "" && (caller.Role == integrator || caller.Role == viewer) {
		return nil, switchboard.Errorf(switchboard.CodeForbidden, "a key with the role %s reads the audit only if it is bound to a tenant; needed: admin or support", caller.Role)
	}
	filter, err := in.filter(caller)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Audit(ctx, caller, filter, switchboard.PageRequest{Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	return rest.PageOf(found, func(e *switchboard.AuditEntry) switchboard.AuditEntry { return *e }), nil
}
