package store_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// audited returns the entries that the filter matches, newest first.
func (b *bundle) audited(caller switchboard.Caller, f switchboard.AuditFilter) []switchboard.AuditEntry {
	b.t.Helper()
	page, err := b.Audit(b.t.Context(), caller, f, switchboard.PageRequest{})
	must(b.t, err)
	return page.Items
}

// verbs returns the verbs of the entries, oldest first.
func verbs(entries []switchboard.AuditEntry) string {
	var words []string
	for _, e := range entries {
		words = append([]string{string(e.Verb)}, words...)
	}
	return strings.Join(words, " ")
}

func TestAuditIsFiltered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ana := switchboard.Caller{KeyID: "key_ana", Role: switchboard.RoleSupport, Person: "Ana", Origin: switchboard.OriginConsole, RequestID: "req_1", Address: "198.51.100.7"}
	d := b.delivery("acme")
	b.advance(time.Hour)
	noon := b.clock()
	_, err := b.SetAside(t.Context(), ana, d.ID, "wrong price")
	must(t, err)
	b.advance(time.Hour)
	_, err = b.ReleaseDelivery(t.Context(), of("acme"), d.ID, "")
	must(t, err)
	b.advance(time.Hour)
	b.delivery("globex")
	for name, c := range map[string]struct {
		caller switchboard.Caller
		filter switchboard.AuditFilter
		want   string
	}{
		"all":            {root(), switchboard.AuditFilter{}, "create hold release create"},
		"a tenant":       {root(), switchboard.AuditFilter{Tenant: "acme"}, "create hold release"},
		"a bound key":    {of("globex"), switchboard.AuditFilter{}, "create"},
		"of another":     {of("globex"), switchboard.AuditFilter{Tenant: "acme"}, ""},
		"an object":      {root(), switchboard.AuditFilter{Object: d.ID}, "hold release"},
		"an actor":       {root(), switchboard.AuditFilter{Actor: "key_ana"}, "hold"},
		"a person":       {root(), switchboard.AuditFilter{Person: "Ana"}, "hold"},
		"a verb":         {root(), switchboard.AuditFilter{Verb: switchboard.AuditRelease}, "release"},
		"a kind":         {root(), switchboard.AuditFilter{Kind: switchboard.AuditSubscription}, "create create"},
		"from a time on": {root(), switchboard.AuditFilter{Tenant: "acme", After: noon}, "hold release"},
		"until a time":   {root(), switchboard.AuditFilter{Before: noon}, "create"},
		"an hour":        {root(), switchboard.AuditFilter{After: noon, Before: noon.Add(time.Hour)}, "hold"},
	} {
		equal(t, name, verbs(b.audited(c.caller, c.filter)), c.want)
	}
	e := b.audited(root(), switchboard.AuditFilter{Actor: "key_ana"})[0]
	equal(t, "by whom", []any{e.At, e.Role, e.Person, e.Origin, e.RequestID, e.Address, e.Reason}, []any{noon, switchboard.RoleSupport, "Ana", switchboard.OriginConsole, "req_1", "198.51.100.7", "wrong price"})
	theirs := b.audited(switchboard.Caller{KeyID: "key_bob", Role: switchboard.RoleIntegrator, Tenant: "acme"}, switchboard.AuditFilter{})
	equal(t, "what a tenant's own people see", verbs(theirs), "create hold release")
	equal(t, "whom they see", []string{theirs[1].Person, theirs[1].ActorName, theirs[1].Address, theirs[1].Reason}, []string{"", "", "", "wrong price"})
	equal(t, "what changed", string(e.Changed["state"].Before)+string(e.Changed["state"].After), `"pending""held"`)

	var found []switchboard.AuditEntry
	for asked := (switchboard.PageRequest{Limit: 1}); ; {
		page, err := b.Audit(t.Context(), root(), switchboard.AuditFilter{}, asked)
		must(t, err)
		found = append(found, page.Items...)
		if asked.Cursor = page.NextCursor; asked.Cursor == "" {
			break
		}
	}
	equal(t, "page by page", verbs(found), "create hold release create")
}

// TestAuditOfOthers: the audit has what people do in Temporal. Of Switchboard's own changes it has
// only the disabling of a subscription.
func TestAuditOfOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.delivery("acme")
	_, err := b.CloseDelivery(t.Context(), d.ID, 1, switchboard.StateCancelled, "x", switchboard.Action{Actor: switchboard.ActorTemporal, Kind: switchboard.ActionCancel, Reason: "terminated"})
	must(t, err)
	b.advance(time.Second)
	_, err = b.Reset(t.Context(), d.ID, "run_2", switchboard.Action{Actor: switchboard.ActorTemporal, Kind: switchboard.ActionReset, Reason: "reset"})
	must(t, err)
	found := b.audited(root(), switchboard.AuditFilter{Object: d.ID})
	equal(t, "in Temporal", verbs(found), "cancel reset")
	equal(t, "by whom", []any{found[0].Actor, found[0].Role, found[0].Origin}, []any{"temporal", switchboard.Role(""), switchboard.OriginTemporal})

	b.advance(time.Second)
	must(t, second(b.ReportHealth(t.Context(), switchboard.HealthReport{SubscriptionID: d.SubscriptionID, Disable: "410 Gone"})))
	found = b.audited(root(), switchboard.AuditFilter{Object: d.SubscriptionID})
	equal(t, "by itself", verbs(found), "create disable")
	equal(t, "by what", []any{found[0].Actor, found[0].Origin, found[0].Reason}, []any{"switchboard", switchboard.OriginSwitchboard, "410 Gone"})
	open := b.accept(event("acme", "")).Deliveries
	for _, d := range open {
		must(t, second(b.HoldDelivery(t.Context(), d, switchboard.Conditions{})))
		equal(t, "a hold by itself", verbs(b.audited(root(), switchboard.AuditFilter{Object: d.ID})), "")
	}
}

// TestAuditHoldsNoCredential makes a subscription with the canary in each place for a credential,
// changes it, and rotates its secret.
func TestAuditHoldsNoCredential(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := switchboard.Subscription{
		Tenant: "acme", Name: "CRM", Events: []string{"*"}, Secrets: []switchboard.SigningSecret{{Secret: "whsec_" + canary}},
		Request: switchboard.Request{
			URL: "https://crm.example.com/" + canary + "?key=" + canary, Body: switchboard.BodyParams, Params: []byte(`{"a":"` + canary + `"}`), Headers: switchboard.Headers{"X-Env": canary},
		},
		Auth: switchboard.Auth{Type: switchboard.AuthBasic, Username: canary, Password: canary},
	}
	must(t, b.CreateSubscription(t.Context(), root(), &sub))
	must(t, second(b.UpdateSubscription(t.Context(), root(), sub.ID, 1, func(s *switchboard.Subscription) error {
		s.Request.URL, s.Request.Headers, s.Request.Params = "https://crm.example.com/2"+canary, switchboard.Headers{"X-Env": "2" + canary}, []byte(`"2`+canary+`"`)
		s.Auth, s.Secrets = switchboard.Auth{Type: switchboard.AuthBearer, Token: "2" + canary}, []switchboard.SigningSecret{{Secret: "whsec_2" + canary}}
		return nil
	})))
	_, err := b.CreateKey(t.Context(), root(), switchboard.Key{Name: "k", Role: switchboard.RoleViewer}, canary)
	must(t, err)
	rows := b.dump()["audit"]
	equal(t, "rows", len(rows), 3)
	for _, row := range rows {
		if strings.Contains(row, canary) {
			t.Errorf("it holds a credential: %s", row)
		}
	}
}

// TestPruneAudit: a row of the audit is deleted after 400 days.
func TestPruneAudit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "*")
	b.advance(testDay)
	b.subscribe("globex", "*")
	for _, c := range []struct {
		days time.Duration
		left string
	}{{398, "create create"}, {1, "create"}, {1, ""}} {
		b.advance(testDay*c.days + time.Minute)
		_, _, err := b.PruneRecords(t.Context(), switchboard.Retention{Delivered: 30 * testDay, Failed: 90 * testDay})
		must(t, err)
		equal(t, "left", verbs(b.audited(root(), switchboard.AuditFilter{})), c.left)
	}
}

// TestErasedTenantsKeepWhoDidWhat: of the changes of an erased tenant's objects, the texts are
// erased, and so are the tenant's own people. Which operator did what stays.
func TestErasedTenantsKeepWhoDidWhat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.delivery("acme")
	b.advance(time.Second)
	theirs, ours := of("acme"), root()
	theirs.Person, theirs.Address = canary, canary
	ours.Person = "Ana"
	must(t, second(b.SetAside(t.Context(), theirs, d.ID, canary)))
	b.advance(time.Second)
	must(t, second(b.ReleaseDelivery(t.Context(), ours, d.ID, canary)))
	b.advance(time.Second)
	event, err := b.EraseEvent(t.Context(), ours, "acme", d.EventID, canary)
	must(t, err)
	b.eraseAll(event.ID)
	b.advance(time.Second)
	e, err := b.EraseTenant(t.Context(), ours, "acme", "asked for by letter")
	must(t, err)
	b.eraseAll(e.ID)
	found := b.audited(root(), switchboard.AuditFilter{Tenant: "acme"})
	equal(t, "what was done", verbs(found), "create hold release erase erase")
	for _, e := range found {
		kept := []any{e.Person, e.Reason, len(e.Changed), e.Object == ""}
		switch e.Verb {
		case switchboard.AuditHold:
			equal(t, "by their own", kept, []any{"", "", 0, false})
		case switchboard.AuditRelease:
			equal(t, "by an operator", kept, []any{"Ana", "", 0, false})
		case switchboard.AuditErase:
			event := e.Kind == switchboard.AuditEvent
			equal(t, "the erasure", kept, []any{"Ana", map[bool]string{false: "asked for by letter"}[event], 0, event})
		}
	}
	equal(t, "rows that hold the canary", b.canaries(), []string{})
}

// TestAuditOfVerification: the audit says who verified an address, and with which result.
func TestAuditOfVerification(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "ticket.*")
	b.state(sub.ID, switchboard.SubscriptionUnverified)
	for _, reason := range []string{"no answer", ""} {
		b.advance(time.Second)
		_, err := b.RecordVerification(t.Context(), of("acme"), sub.ID, sub.Version, reason)
		must(t, err)
	}
	entries := b.audited(root(), switchboard.AuditFilter{Object: sub.ID, Verb: switchboard.AuditVerify})
	equal(t, "entries", len(entries), 2)
	text := func(c switchboard.AuditChange) string { return string(c.Before) + " " + string(c.After) }
	equal(t, "a failure", text(entries[1].Changed["state_reason"]), ` "no answer"`)
	equal(t, "a success", text(entries[0].Changed["state"]), `"unverified" "active"`)
}

// TestReadsAreNotedOnce: if 20 people open a payload at the same time under one name, one entry is
// stored.
func TestReadsAreNotedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.delivery("acme")
	ana := switchboard.Caller{KeyID: "key_ana", Role: switchboard.RoleSupport, Person: "Ana", Origin: switchboard.OriginConsole}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := b.NotePayloadRead(t.Context(), ana, d.ID); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	b.advance(time.Hour)
	must(t, b.NotePayloadRead(t.Context(), ana, d.ID))
	equal(t, "entries", verbs(b.audited(root(), switchboard.AuditFilter{Object: d.ID})), "read_payload read_payload")
}
