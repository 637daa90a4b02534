package store_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// TestTenantsSeeNothingOfEachOther calls every method that takes a caller and an id, once for a row
// of another tenant and once for a missing one: the answers must not differ, and nothing may
// change.
func TestTenantsSeeNothingOfEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.record(b.delivery("acme"), 1, 410)
	open := b.delivery("acme")
	key, err := b.CreateKey(t.Context(), root(), switchboard.Key{Role: switchboard.RoleViewer, Tenant: "acme"}, "text")
	must(t, err)
	session := b.signIn(key)
	link, _, err := b.CreatePortalLink(t.Context(), switchboard.Caller{KeyID: key.ID, Role: key.Role}, switchboard.PortalLink{Tenant: "acme", Person: "p", Role: switchboard.RoleViewer, Lasts: testDay})
	must(t, err)
	erasure, err := b.EraseEvent(t.Context(), root(), "acme", open.EventID, "")
	must(t, err)
	operation := b.pausedAndResumed(open.SubscriptionID)
	b.advance(time.Second)
	b.rollUp()
	b.advance(2 * time.Hour)
	b.rollUp()
	ctx, spy := t.Context(), of("spy")
	update := func(s *switchboard.Subscription) error { s.Name = "mine"; return nil }
	methods := map[string]struct {
		theirs, none string
		call         func(id string) error
	}{
		"Event":             {d.EventID, "evt_none", func(id string) error { _, _, err := b.Event(ctx, spy, "", id); return err }},
		"Event of a tenant": {d.EventID, "evt_none", func(id string) error { _, _, err := b.Event(ctx, spy, "acme", id); return err }},
		"Delivery":          {d.ID, "dlv_none", func(id string) error { return second(b.Delivery(ctx, spy, id)) }},
		"Retry":             {d.ID, "dlv_none", func(id string) error { _, _, err := b.Retry(ctx, spy, id, ""); return err }},
		"Cancel":            {open.ID, "dlv_none", func(id string) error { return second(b.Cancel(ctx, spy, id, "")) }},
		"NotePayloadRead":   {open.ID, "dlv_none", func(id string) error { return b.NotePayloadRead(ctx, spy, id) }},
		"SetAside":          {open.ID, "dlv_none", func(id string) error { return second(b.SetAside(ctx, spy, id, "")) }},
		"Resend": {d.ID, "dlv_none", func(id string) error {
			_, _, err := b.Resend(ctx, spy, id, switchboard.Resend{Reason: "x"})
			return err
		}},
		"ReleaseDelivery": {open.ID, "dlv_none", func(id string) error { return second(b.ReleaseDelivery(ctx, spy, id, "")) }},
		"Operation":       {operation, "op_none", func(id string) error { return second(b.Operation(ctx, spy, id)) }},
		"ChangeOperation": {operation, "op_none", func(id string) error {
			return second(b.ChangeOperation(ctx, spy, id, switchboard.PauseOperation, "x"))
		}},
		"OperationItems": {operation, "op_none", func(id string) error {
			return second(b.OperationItems(ctx, spy, id, "", switchboard.PageRequest{}))
		}},
		"ChangeSubscriptionState": {d.SubscriptionID, "sub_none", func(id string) error {
			_, _, err := b.ChangeSubscriptionState(ctx, spy, id, switchboard.PauseSubscription, "x")
			return err
		}},
		"Subscription":       {d.SubscriptionID, "sub_none", func(id string) error { return second(b.Subscription(ctx, spy, id)) }},
		"UpdateSubscription": {d.SubscriptionID, "sub_none", func(id string) error { return second(b.UpdateSubscription(ctx, spy, id, 9, update)) }},
		"DeleteSubscription": {d.SubscriptionID, "sub_none", func(id string) error { return b.DeleteSubscription(ctx, spy, id, "") }},
		"RotateSecret": {d.SubscriptionID, "sub_none", func(id string) error {
			return second(b.RotateSecret(ctx, spy, id, "x", switchboard.Rotation{Grace: time.Hour}))
		}},
		"AcceptFor":               {d.SubscriptionID, "sub_none", func(id string) error { return second(b.AcceptFor(ctx, spy, id, event("acme", ""), false)) }},
		"SubscriptionWithSecrets": {d.SubscriptionID, "sub_none", func(id string) error { return second(b.SubscriptionWithSecrets(ctx, spy, id)) }},
		"GivenSubscription":       {d.SubscriptionID, "sub_none", func(id string) error { return second(b.GivenSubscription(ctx, spy, id)) }},
		"RecordVerification":      {d.SubscriptionID, "sub_none", func(id string) error { return second(b.RecordVerification(ctx, spy, id, 1, "")) }},
		"Answer":                  {d.ID, "dlv_none", func(id string) error { return second(b.Answer(ctx, spy, id)) }},
		"EraseTenant":             {"acme", "nobody", func(id string) error { return second(b.EraseTenant(ctx, spy, id, "")) }},
		"EraseEvent":              {d.EventID, "evt_none", func(id string) error { return second(b.EraseEvent(ctx, spy, "", id, "")) }},
		"Erasure":                 {erasure.ID, "era_none", func(id string) error { return second(b.Erasure(ctx, spy, id)) }},
		"Key":                     {key.ID, "key_none", func(id string) error { return second(b.Key(ctx, spy, id)) }},
		"RevokeSession":           {session.Session.ID, "ses_none", func(id string) error { return b.RevokeSession(ctx, spy, id, "") }},
		"WithdrawPortalLink":      {link.ID, "plk_none", func(id string) error { return b.WithdrawPortalLink(ctx, spy, id, "") }},
		"RevokeKey":               {key.ID, "key_none", func(id string) error { return second(b.RevokeKey(ctx, spy, id, "")) }},
	}
	lists := map[string]func() (int, error){
		"Events": func() (int, error) {
			p, err := b.Events(ctx, spy, switchboard.EventFilter{}, switchboard.PageRequest{})
			return len(p.Items), err
		},
		"Deliveries": func() (int, error) {
			p, err := b.Deliveries(ctx, spy, switchboard.DeliveryFilter{Text: "http"}, switchboard.PageRequest{})
			return len(p.Items), err
		},
		"DeliveryFacets": func() (int, error) {
			found, _, err := b.DeliveryFacets(ctx, spy, switchboard.DeliveryFilter{Tenant: "acme"}, switchboard.AllFacets()[:4])
			return found.Matches.Value, err
		},
		"Search": func() (int, error) {
			found, err := b.Search(ctx, spy, d.EventID)
			return len(found), err
		},
		"Subscriptions": func() (int, error) {
			p, err := b.Subscriptions(ctx, spy, switchboard.SubscriptionFilter{Tenant: "acme"}, switchboard.PageRequest{})
			return len(p.Items), err
		},
		"Operations": func() (int, error) {
			p, err := b.Operations(ctx, spy, switchboard.OperationFilter{}, switchboard.PageRequest{})
			return len(p.Items), err
		},
		"Audit": func() (int, error) {
			p, err := b.Audit(ctx, spy, switchboard.AuditFilter{}, switchboard.PageRequest{})
			return len(p.Items), err
		},
		"Erasures": func() (int, error) {
			p, err := b.Erasures(ctx, spy, switchboard.PageRequest{})
			return len(p.Items), err
		},
		"Traffic": func() (int, error) {
			found, err := b.Traffic(ctx, spy, switchboard.TrafficQuery{Tenant: "acme", By: switchboard.TrafficByHost})
			return len(found.Groups), err
		},
		"FailureGroups": func() (int, error) {
			found, err := b.FailureGroups(ctx, spy, "")
			return len(found.Groups), err
		},
		"OpenStatus": func() (n int, err error) {
			found, err := b.OpenStatus(ctx, spy, "acme")
			for _, open := range found.Open {
				n += open
			}
			return n + len(found.Workers) + found.Overdue + found.Breakers, err
		},
		"Sessions": func() (int, error) {
			p, err := b.Sessions(ctx, spy, "", switchboard.PageRequest{})
			return len(p.Items), err
		},
		"PortalLinks": func() (int, error) {
			p, err := b.PortalLinks(ctx, spy, switchboard.PageRequest{})
			return len(p.Items), err
		},
		"Keys": func() (int, error) {
			p, err := b.Keys(ctx, spy, switchboard.PageRequest{})
			return len(p.Items), err
		},
	}
	before := b.dump()
	for name, m := range methods {
		theirs, none := m.call(m.theirs), m.call(m.none)
		refused(t, name, theirs, switchboard.CodeNotFound, "")
		refused(t, name+" of nothing", none, switchboard.CodeNotFound, "")
	}
	for name, list := range lists {
		n, err := list()
		must(t, err)
		equal(t, name, n, 0)
	}
	accepted, err := b.Accept(ctx, spy, []switchboard.Event{event("acme", "")})
	must(t, err)
	refused(t, "Accept", accepted[0].Err, switchboard.CodeForbidden, "tenant")
	shared := switchboard.EventType{Platform: "own", Name: "ticket.created"}
	refused(t, "SaveEventType", b.SaveEventType(ctx, spy, shared), switchboard.CodeForbidden, "")
	refused(t, "ChangeEventType", second(b.ChangeEventType(ctx, spy, shared, func(*switchboard.EventType) error { return nil })), switchboard.CodeForbidden, "")
	refused(t, "DeleteEventType", b.DeleteEventType(ctx, spy, "own", "ticket.created"), switchboard.CodeForbidden, "")
	all := switchboard.OperationRequest{Action: switchboard.ActionCancel, Filter: switchboard.Selection{Text: "ticket"}}
	plan, err := b.PlanOperation(ctx, spy, all)
	must(t, err)
	equal(t, "what PlanOperation finds", []any{plan.Count, plan.Filter.Tenant, len(plan.Sample)}, []any{switchboard.PlanCount{Exact: true}, "spy", 0})
	refused(t, "StartOperation", second(b.StartOperation(ctx, spy, "", all)), switchboard.CodeInvalid, "filter")
	all.Filter.Tenant = "acme"
	refused(t, "PlanOperation of a tenant", second(b.PlanOperation(ctx, spy, all)), switchboard.CodeForbidden, "filter.tenant")
	_, _, err = b.CreatePortalLink(ctx, spy, switchboard.PortalLink{Tenant: "acme", Person: "p", Role: switchboard.RoleViewer})
	refused(t, "CreatePortalLink", err, switchboard.CodeForbidden, "tenant")
	refused(t, "TenantUsage", second(b.TenantUsage(ctx, spy, "acme")), switchboard.CodeForbidden, "")
	equal(t, "the database", b.dump(), before)

	// Add every new method with a caller here.
	covered := map[string]bool{
		"Accept": true, "SaveEventType": true, "ChangeEventType": true, "DeleteEventType": true, "TenantUsage": true, "PlanOperation": true, "StartOperation": true, "CreatePortalLink": true,
		"CreateSubscription": true, "CreateKey": true, // these two make rows: see their own tests
	}
	for name := range methods {
		covered[name] = true
	}
	for name := range lists {
		covered[name] = true
	}
	for method := range reflect.TypeOf(b.Store).Methods() {
		if method.Type.NumIn() > 2 && method.Type.In(2) == reflect.TypeFor[switchboard.Caller]() && !covered[method.Name] {
			t.Errorf("%s takes a caller and is not covered", method.Name)
		}
	}
}

// dump returns the content of the tables as text, by table.
func (b *bundle) dump() map[string][]string {
	b.t.Helper()
	var tables []string
	must(b.t, b.sql.Select(&tables, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
	content := map[string][]string{}
	for _, table := range tables {
		rows := []string{}
		must(b.t, b.sql.Select(&rows, "SELECT to_json(t)::text FROM "+table+" t ORDER BY 1"))
		content[table] = rows
	}
	return content
}
