package cli

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

type actionsCommand struct {
	Tenant string                `help:"Only changes of this tenant."`
	Object string                `placeholder:"ID" help:"Only changes of this object: dlv_…, sub_…, op_…, key_…, or an event type as platform/name."`
	By     string                `placeholder:"KEY" help:"Only changes by this API key (key_…), or by temporal or switchboard."`
	Person string                `help:"Only changes by this person."`
	Verb   switchboard.AuditVerb `help:"Only this verb, such as retry or update."`
	Kind   switchboard.AuditKind `enum:",delivery,subscription,operation,key,event_type,event,tenant,session,portal_link" default:"" help:"Only changes of this kind of object: ${enum}."`
	After  timeFlag              `placeholder:"TIME" help:"Only changes at this time or later."`
	Before timeFlag              `placeholder:"TIME" help:"Only changes before this time."`
	Last   switchboard.Duration  `placeholder:"24h" help:"Only changes within this time before now."`
	Limit  int                   `default:"50" help:"How many; 0: all."`
}

func (actionsCommand) Help() string {
	return `Examples:

    switchboard actions --object dlv_01k0000000000000000000000
    switchboard actions --tenant acme --kind subscription --last 7d`
}

func (c actionsCommand) Run(ctx context.Context, s *Session) error {
	after, err := since(c.After, c.Last, s.Now())
	if err != nil {
		return err
	}
	api, err := s.api()
	if err != nil {
		return err
	}
	filter := switchboard.AuditFilter{Tenant: c.Tenant, Object: c.Object, Actor: c.By, Person: c.Person, Verb: c.Verb, Kind: c.Kind, After: after, Before: c.Before.Time}
	items, raw, err := gather(s, c.Limit, func(asked switchboard.PageRequest) (switchboard.Page[switchboard.AuditEntry], error) {
		return api.ListActions(ctx, filter, asked)
	})
	if err != nil {
		return err
	}
	return printList(s, items, raw, auditColumns(c.Object == ""), "Nothing was done that matches.")
}

func auditColumns(objects bool) []column[switchboard.AuditEntry] {
	person := column[switchboard.AuditEntry]{title: "who", text: func(e switchboard.AuditEntry) string { return who(e.Person, e.ActorName, e.Actor) }, least: 14}
	reason := column[switchboard.AuditEntry]{title: "reason (changed)", text: reasonAndChanges, least: 36}
	if objects { // the id leaves no more of 80 columns
		person.least, reason.least = 8, 10
	}
	columns := []column[switchboard.AuditEntry]{
		{title: "at (UTC)", text: func(e switchboard.AuditEntry) string { return e.At.UTC().Format("01-02 15:04:05") }},
		person,
		{title: "did", text: func(e switchboard.AuditEntry) string { return string(e.Verb) }},
	}
	if objects {
		columns = append(columns, column[switchboard.AuditEntry]{title: "to", text: func(e switchboard.AuditEntry) string { return e.Object }})
	}
	return append(append(columns, reason), []column[switchboard.AuditEntry]{
		{title: "tenant", text: func(e switchboard.AuditEntry) string { return e.Tenant }, least: 8, rank: 1},
		{title: "by way of", text: func(e switchboard.AuditEntry) string { return string(e.Origin) }, rank: 2},
		{title: "from", text: func(e switchboard.AuditEntry) string { return e.Address }, rank: 3},
		{title: "request", text: func(e switchboard.AuditEntry) string { return e.RequestID }, rank: 4},
	}...)
}

// reasonAndChanges shows the reason, and which members were changed.
func reasonAndChanges(e switchboard.AuditEntry) string {
	if len(e.Changed) == 0 {
		return e.Reason
	}
	return strings.TrimSpace(e.Reason + " (" + strings.Join(slices.Sorted(maps.Keys(e.Changed)), ", ") + ")")
}
