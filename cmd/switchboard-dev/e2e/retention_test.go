package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"io"
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

// erase requests an erasure and waits until it is finished.
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

// verify returns the output of `switchboard verify`, and whether every promise is kept.
func (s *system) verify() (printed string, kept bool) {
	s.t.Helper()
	var out bytes.Buffer
	for deadline := time.Now().Add(awaitTimeout); ; time.Sleep(time.Second) {
		out.Reset()
		err := app.Verify(s.t.Context(), s.config, app.VerifyOptions{}, &out)
		if err == nil || err == app.ErrViolations { //nolint:errorlint // it is returned as it is
			return out.String(), err == nil
		}
		if time.Now().After(deadline) { // until then, a slow Temporal may not have answered in time
			s.t.Fatal(err)
		}
	}
}

// storeAt returns a store with the clock of that many days ago.
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

// oldDatabase makes the database of a Switchboard that has run for that many days.
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

// prepareOldSystem makes a Switchboard, without starting it, with a database in which some
// partitions are past the retention.
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

// Deliveries that ended too long ago are removed. An open one stays, and is delivered when its
// receiver is back. Afterwards every promise is kept.
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
	made := map[string]string{} // delivery by its outcome and its age in days
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

// canaryReceiver answers with canaries, except to requests that should hang.
func canaryReceiver(t *testing.T, canary string) *receiver {
	t.Helper()
	release, stop := context.WithCancel(context.Background())
	r := newReceiverFunc(t, func(_ int, w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		w.Header().Set("X-Canary", canary)
		switch {
		case bytes.Contains(body, []byte("hang")):
			select {
			case <-request.Context().Done():
			case <-release.Done():
			}
		case bytes.Contains(body, []byte("fail")):
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, "the answer: "+canary)
	})
	t.Cleanup(stop)
	return r
}

// After a tenant's erasure, neither the database nor Temporal contains any of its words, except the
// ids that Temporal keeps for searches. Some deliveries are in flight or in backoff when the
// erasure begins.
func TestErasure(t *testing.T) {
	t.Parallel()
	canary, canaryID := switchboard.NewID("canary-", time.Now()), switchboard.NewID("platform-", time.Now())
	s := newSystem(t)
	r := canaryReceiver(t, canary)
	sub, _ := s.subscribe(r.URL, fields{
		"name": canary, "retry": hourly["retry"], "ordering": "key", "signature": fields{"scheme": "hmac-sha256-hex", "header": "X-" + canary}, "auth": fields{"type": "basic", "username": canary, "password": canary},
		"filter":  fields{"data": fields{"name": canary}},
		"request": fields{"url": r.URL + "/" + canary + "?key=" + canary, "headers": fields{"X-Canary": canary}, "body": "params", "params": fields{canary: canary + "{{ what }}"}},
	})
	s.newKey("viewer", "acme")
	post := func(what, key string) client.Delivery {
		accepted, err := s.api().PostEvent(t.Context(), client.NewEvent{
			Tenant: "acme", Type: "ticket.created", ID: canaryID + what, Key: key, Data: []byte(`{"name":"` + canary + `","what":"` + what + `"}`),
		}, client.IdempotencyKey(canary+what))
		if err != nil || len(accepted.Deliveries) != 1 {
			t.Fatalf("post: %+v, %v", accepted, err)
		}
		return s.delivery(accepted.Deliveries[0].ID)
	}
	done, failing, hanging := post("done", canary), post("fail", canary+"2"), post("hang", canary+"3")
	s.awaitState(done.ID, "delivered")
	s.awaitBackoff(failing.ID)
	r.await(t, 3)
	cancelled := post("fail-again", canary+"4")
	s.awaitBackoff(cancelled.ID)
	s.operate(cancelled.ID, "cancel", canary)
	if a := s.call(http.MethodPost, "/v1/subscriptions/"+sub+"/rotate_secret", fields{}); a.status >= 300 {
		t.Errorf("rotate: answered %d %s", a.status, a.body)
	}
	if found := holding(t, s.config.DatabaseURL, canary); len(found) < 5 {
		t.Errorf("before, only %v hold the canary", found)
	}

	s.erase("/v1/events/" + done.EventID + "/data")
	if event, err := s.api().GetEvent(t.Context(), done.EventID, ""); err != nil || len(event.Data) > 0 || event.Key != "" {
		t.Errorf("the erased event: %+v, %v", event, err)
	}
	if printed, kept := s.verify(); !kept {
		t.Errorf("after the erasure of an event:\n%s", printed)
	}

	e := s.erase("/v1/tenants/acme")
	if e.Erased.Deliveries != 4 || e.Erased.Events != 4 || e.Erased.Cancelled != 2 || e.Erased.Subscriptions != 1 || e.Erased.Keys != 1 {
		t.Errorf("erased %+v", e.Erased)
	}
	s.awaitWorkflow(failing.ID, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED)
	s.awaitWorkflow(hanging.ID, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED)
	for _, word := range []string{canary, canaryID} {
		if found := holding(t, s.config.DatabaseURL, word); len(found) > 0 {
			t.Errorf("%v hold %s", found, word)
		}
	}
	for _, name := range []string{"temporal", "temporal_visibility"} {
		if found := holding(t, shared.databases.Server(t).URL(name), canary); len(found) > 0 {
			t.Errorf("%v of Temporal hold the canary", found)
		}
	}
	var histories string // Temporal's list is slightly delayed
	await(t, "the erasure in the histories", func() bool { histories = s.histories(); return strings.Contains(histories, e.ID) })
	if strings.Contains(histories, canary) {
		t.Error("Temporal's histories hold the canary")
	}
	if printed, kept := s.verify(); !kept {
		t.Errorf("after the erasure of a tenant:\n%s", printed)
	}
	if a := s.call(http.MethodGet, "/v1/deliveries/"+failing.ID, nil); a.status != http.StatusNotFound {
		t.Errorf("its delivery: answered %d", a.status)
	}
	accepted, err := s.api().PostEvent(t.Context(), client.NewEvent{Tenant: "acme", Type: "ticket.created", Data: []byte(`1`)})
	if err != nil || len(accepted.Deliveries) > 0 {
		t.Errorf("an event after it: %+v, %v", accepted, err)
	}
}

// holding returns the tables of a database that contain a word, as text or in bytes. Together they
// are everything that a dump of the database contains.
func holding(t *testing.T, url, word string) []string {
	t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var tables string
	if err := db.QueryRowContext(t.Context(), `
SELECT string_agg(format('SELECT %L WHERE EXISTS (SELECT FROM %s r WHERE strpos(r::text, $1) > 0 OR strpos(r::text, $2) > 0)', oid::regclass, oid::regclass), ' UNION ALL ')
FROM pg_class WHERE relkind = 'r' AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`).Scan(&tables); err != nil {
		t.Fatal(err)
	}
	rows, err := db.QueryContext(t.Context(), tables, word, hex.EncodeToString([]byte(word)))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		found = append(found, table)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// histories returns the histories of all workflows as text.
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
