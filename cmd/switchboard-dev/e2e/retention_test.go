package e2e

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	sdk "go.temporal.io/sdk/client"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/cmd/switchboard/app"
	"github.com/seed-49a43567/switchboard/signing"
	"github.com/seed-49a43567/switchboard/store"
	"github.com/seed-49a43567/switchboard/workflows"
)

// erase asks for an erasure and waits until it is finished.
func (s *system) erase(path string) switchboard.Erasure {
	s.t.Helper()
	a := s.call(http.MethodDelete, path+"?reason=asked", nil)
	if a.status != http.StatusAccepted {
		s.t.Fatalf("erase: answered %d %s", a.status, a.body)
	}
	e := as[switchboard.Erasure](s.t, a)
	await(s.t, "erased", func() bool {
		var err error
		e, err = s.api().GetErasure(s.t.Context(), e.ID)
		return err == nil && e.Finished()
	})
	return e
}

// verify is what `switchboard verify` prints, and whether every promise is kept.
func (s *system) verify() (printed string, kept bool) {
	s.t.Helper()
	var out bytes.Buffer
	err := app.Verify(s.t.Context(), s.config, app.VerifyOptions{}, &out)
	if err != nil && err != app.ErrViolations { //nolint:errorlint // it is returned as it is
		s.t.Fatal(err)
	}
	return out.String(), err == nil
}

// storeAt is a store with the clock of so many days ago.
func storeAt(t *testing.T, url string, days int) *store.Store {
	t.Helper()
	keyring, err := store.ParseKeyring(encryptionKey)
	if err != nil {
		t.Fatal(err)
	}
	back, err := store.Open(store.Config{URL: url, Keyring: keyring, Now: func() time.Time { return time.Now().AddDate(0, 0, -days) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = back.Close() })
	return back
}

// oldDatabase is that of a Switchboard that has run for so many days.
func oldDatabase(t *testing.T, days int) string {
	t.Helper()
	url := shared.databases.Empty(t)
	for ; days >= 0; days -= store.PartitionsAhead {
		if err := storeAt(t, url, days).Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return url
}

// prepareOldSystem makes a Switchboard, which does not run yet, of a database with partitions of
// which some are past the retention.
func prepareOldSystem(t *testing.T) *system {
	t.Helper()
	s := prepareSystem(t, oldDatabase(t, 21), shared.addr(t), namespaceOf(t))
	s.config.Retention, s.config.RetentionFailed = switchboard.Duration(10*24*time.Hour), switchboard.Duration(15*24*time.Hour)
	return s
}

// retain runs the workflow Retain to its end.
func (s *system) retain(id string) (result workflows.RetainResult) {
	s.t.Helper()
	run, err := s.temporal.ExecuteWorkflow(s.t.Context(), sdk.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue}, workflows.Retain)
	if err == nil {
		err = run.Get(s.t.Context(), &result)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return result
}

// Of deliveries on both sides of the limit those leave that ended too long ago; one that is
// open stays and is delivered when its receiver is back. Then every promise is kept.
func TestRetention(t *testing.T) {
	t.Parallel()
	s := prepareOldSystem(t)
	url := s.config.DatabaseURL
	r := newReceiver(t, 503, 200)
	everybody := switchboard.Caller{Role: switchboard.RoleAdmin}
	sub := switchboard.Subscription{Tenant: "acme", Name: "old", Events: []string{"*"}, Request: switchboard.Request{URL: r.URL},
		Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}}}
	sub.Retry.InitialInterval = switchboard.Duration(time.Hour)
	sub.SetDefaults()
	if err := storeAt(t, url, 20).CreateSubscription(t.Context(), everybody, &sub); err != nil {
		t.Fatal(err)
	}
	made := map[string]string{} // delivery by what became of it, and how many days ago
	for _, old := range []struct {
		name, state string
		days        int
	}{{"delivered 12", "delivered", 12}, {"delivered 5", "delivered", 5}, {"failed 12", "failed", 12}, {"failed 20", "failed", 20}, {"open 20", "", 20}} {
		accepted, err := storeAt(t, url, old.days).Accept(t.Context(), everybody, []switchboard.Event{{Tenant: "acme", Type: "ticket.created", Data: []byte(`1`)}})
		if err != nil || accepted[0].Err != nil {
			t.Fatal(err, accepted[0].Err)
		}
		d := accepted[0].Deliveries[0]
		made[old.name] = d.ID
		if old.state == "" {
			continue
		}
		if _, err := s.database().ExecContext(t.Context(), "UPDATE deliveries SET state = $2, reason = 'http_410', next_attempt_at = NULL, dispatch_at = NULL, completed_at = created_at WHERE id = $1", d.ID, old.state); err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	t.Cleanup(s.stop)
	s.awaitBackoff(made["open 20"])

	t.Logf("retention: %+v", s.retain("retain-by-test"))
	for name, want := range map[string]int{"delivered 12": 404, "delivered 5": 200, "failed 12": 200, "failed 20": 404, "open 20": 200} {
		if got := s.call(http.MethodGet, "/v1/deliveries/"+made[name], nil).status; got != want {
			t.Errorf("%s days ago: answered %d, want %d", name, got, want)
		}
	}
	if a := s.call(http.MethodPost, "/v1/deliveries/"+made["failed 12"]+"/retry", fields{}); a.status != http.StatusConflict || !strings.Contains(string(a.body), "cannot be started again") {
		t.Errorf("a retry past the retention: answered %d %s", a.status, a.body)
	}
	s.operate(made["open 20"], "retry", "the receiver is back")
	s.awaitState(made["open 20"], "delivered")
	if printed, kept := s.verify(); !kept {
		t.Errorf("after retention:\n%s", printed)
	}
}

// After a tenant's erasure neither the database nor Temporal holds a word of it.
func TestErasure(t *testing.T) {
	t.Parallel()
	const canary = "canary5183"
	s := newSystem(t)
	r := newReceiver(t, 200, 503)
	s.subscribe(r.URL+"/"+canary, fields{"name": canary, "retry": hourly["retry"], "request": fields{"url": r.URL + "/" + canary, "headers": fields{"X-Canary": canary}}})
	s.newKey("viewer", "acme")
	done := s.post("ticket.created", `{"name":"`+canary+`"}`)
	s.awaitState(done, "delivered")
	open := s.post("ticket.created", `{"name":"`+canary+`"}`)
	s.awaitBackoff(open)
	one, err := s.api().GetDelivery(t.Context(), done)
	if err != nil {
		t.Fatal(err)
	}
	s.erase("/v1/events/" + one.EventID + "/data")
	if event, err := s.api().GetEvent(t.Context(), one.EventID, ""); err != nil || len(event.Data) > 0 {
		t.Errorf("the erased event: %+v, %v", event, err)
	}
	if printed, kept := s.verify(); !kept {
		t.Errorf("after the erasure of an event:\n%s", printed)
	}

	e := s.erase("/v1/tenants/acme")
	if e.Erased.Deliveries != 2 || e.Erased.Events != 2 || e.Erased.Cancelled != 1 || e.Erased.Subscriptions != 1 || e.Erased.Keys != 1 {
		t.Errorf("erased %+v", e.Erased)
	}
	s.awaitWorkflow(open, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED)
	for table, text := range s.dump() {
		if strings.Contains(text, canary) {
			t.Errorf("%s holds the canary", table)
		}
	}
	if found := s.histories(); strings.Contains(found, canary) || !strings.Contains(found, e.ID) {
		t.Error("Temporal's histories hold the canary, or not the erasure")
	}
	if printed, kept := s.verify(); !kept {
		t.Errorf("after the erasure of a tenant:\n%s", printed)
	}
	if a := s.call(http.MethodGet, "/v1/deliveries/"+open, nil); a.status != http.StatusNotFound {
		t.Errorf("its delivery: answered %d", a.status)
	}
	accepted, err := s.api().PostEvent(t.Context(), client.NewEvent{Tenant: "acme", Type: "ticket.created", Data: []byte(`1`)})
	if err != nil || len(accepted.Deliveries) > 0 {
		t.Errorf("an event after it: %+v, %v", accepted, err)
	}
}

// dump is the content of every table, with bytes as the text that they are.
func (s *system) dump() map[string]string {
	s.t.Helper()
	db := s.database()
	found := map[string]string{}
	for _, table := range tables() {
		var text string
		if err := db.QueryRowContext(s.t.Context(), "SELECT coalesce(string_agg(r::text, E'\\n'), '') FROM "+table+" r").Scan(&text); err != nil {
			s.t.Fatal(err)
		}
		found[table] = text
	}
	var data string
	if err := db.QueryRowContext(s.t.Context(), "SELECT coalesce(string_agg(encode(data, 'escape'), ''), '') || (SELECT coalesce(string_agg(encode(response_body, 'escape'), ''), '') FROM attempts) FROM events").Scan(&data); err != nil {
		s.t.Fatal(err)
	}
	found["bytes"] = data
	return found
}

// histories are those of all workflows, as text.
func (s *system) histories() string {
	s.t.Helper()
	page, err := s.temporal.ListWorkflow(s.t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: s.namespace, PageSize: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	var all strings.Builder
	for _, execution := range page.GetExecutions() {
		all.WriteString(execution.String())
		events := s.temporal.GetWorkflowHistory(s.t.Context(), execution.GetExecution().GetWorkflowId(), execution.GetExecution().GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			if err != nil {
				s.t.Fatal(err)
			}
			all.WriteString(event.String())
		}
	}
	return all.String()
}
