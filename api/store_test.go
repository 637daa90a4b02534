package api

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
	"github.com/seed-49a43567/switchboard/store/postgres/pgtest"
)

var pg = pgtest.New(func(url string) (err error) {
	s, err := store.Open(store.Config{URL: url})
	if err != nil {
		return err
	}
	defer func() { err = s.Close() }()
	return s.Migrate(context.Background())
})

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// created is when the clock of every test starts.
var created = time.Date(2026, 1, 31, 12, 0, 0, 0, time.FixedZone("CET", 3600))

// database is a store with the rows of every test: keys, and for each of the tenants acme and
// globex a subscription, an event and its delivery. Making one takes longer than most tests, so
// tests reuse databases.
type database struct {
	*store.Store
	sql   *sqlx.DB
	ids   map[string]string // of the rows, by the tests' names
	seed  string            // the fingerprint of the rows
	print string            // the statement that makes it
	reset string            // the statements that restore the rows

	mu  sync.Mutex
	now time.Time
}

// databases are those that no test uses now.
var databases struct {
	sync.Mutex
	idle []*database
}

// takeDatabase gives the test a database until the test ends.
func takeDatabase(t testing.TB) *database {
	t.Helper()
	databases.Lock()
	var d *database
	if last := len(databases.idle) - 1; last >= 0 {
		d, databases.idle = databases.idle[last], databases.idle[:last]
	}
	databases.Unlock()
	if d == nil {
		d = newDatabase(t)
	}
	t.Cleanup(func() {
		if _, err := d.sql.Exec(d.reset); err != nil {
			t.Errorf("bring the rows back: %v", err)
			return
		}
		databases.Lock()
		databases.idle = append(databases.idle, d)
		databases.Unlock()
	})
	d.setClock(created)
	return d
}

func (d *database) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *database) setClock(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = now
}

// step moves the clock by a minute.
func (d *database) step() { d.setClock(d.clock().Add(time.Minute)) }

// anybody sees every tenant.
func anybody() switchboard.Caller {
	return switchboard.Caller{KeyID: "key_anybody", Role: switchboard.RoleAdmin, ReadPayload: true}
}

func newDatabase(t testing.TB) *database {
	t.Helper()
	d := &database{ids: map[string]string{}, now: created.Add(-time.Hour)}
	url := pg.Lasting(t)
	keyring, err := store.ParseKeyring("test:" + strings.Repeat("00", 32))
	must(t, err)
	d.Store, err = store.Open(store.Config{URL: url, Keyring: keyring, MaxConns: 6, Now: d.clock, BatchWait: time.Microsecond, CountTime: time.Minute})
	must(t, err)
	d.sql, err = sqlx.Open("postgres", url)
	must(t, err)
	d.sql.SetMaxOpenConns(1)
	d.seedKeys(t)
	d.seedDelivery(t, "acme", 38)
	d.seedDelivery(t, "globex", 1)
	erasure, err := d.EraseEvent(t.Context(), anybody(), "globex", "evt_globex", "asked")
	must(t, err)
	d.ids["era_globex"] = erasure.ID
	d.copyRows(t)
	d.seed = d.fingerprint(t)
	return d
}

// seedKeys makes the keys of the tests. Their texts contain role and tenant.
func (d *database) seedKeys(t testing.TB) {
	t.Helper()
	for _, text := range []string{
		adminKey, publisherKey, integratorKey, supportKey, viewerKey, acmeAdminKey, acmePublisherKey, acmeIntegratorKey, acmeViewerKey, expiredKey, revokedKey, globexKey,
	} {
		name := strings.TrimSuffix(strings.TrimPrefix(text, "sbk_"), "-1f4c")
		key := switchboard.Key{Name: name, Role: switchboard.RoleViewer, ReadPayload: true}
		switch tenant, role, bound := strings.Cut(name, "-"); {
		case bound:
			key.Tenant, key.Role = tenant, switchboard.Role(role)
		case switchboard.Role(name).Valid():
			key.Role = switchboard.Role(name)
		}
		if text == expiredKey {
			key.ExpiresAt = created.Add(-time.Minute)
		}
		d.step() // so that the list has them in this order
		made, err := d.CreateKey(t.Context(), anybody(), key, switchboard.Secret(text))
		must(t, err)
		if text == revokedKey {
			_, err := d.RevokeKey(t.Context(), anybody(), made.ID, "r")
			must(t, err)
		}
		d.ids["key_"+strings.TrimSuffix(name, "-viewer")] = made.ID
	}
	in, err := d.BeginSession(t.Context(), switchboard.SignIn{Caller: switchboard.Caller{
		KeyID: d.ids["key_globex"], Role: switchboard.RoleViewer, Tenant: "globex", Person: "Gus", ReadPayload: true, Address: "198.51.100.7",
	}})
	must(t, err)
	d.ids["ses_globex"] = in.Session.ID
	link, _, err := d.CreatePortalLink(t.Context(), switchboard.Caller{KeyID: d.ids["key_integrator"], Role: integrator}, switchboard.PortalLink{
		Tenant: "globex", Person: "Gea", Role: switchboard.RoleViewer, Lasts: 24 * time.Hour,
	})
	must(t, err)
	d.ids["plk_globex"] = link.ID
}

// seedDelivery makes the subscription sub_TENANT with version 3, the event evt_TENANT, and the
// delivery dlv_TENANT, whose first attempt was answered 503. With one allowed attempt it has
// failed, with more it is retrying.
func (d *database) seedDelivery(t testing.TB, tenant string, attempts int) {
	t.Helper()
	s := switchboard.Subscription{
		Tenant: tenant, Name: "CRM", Events: []string{"ticket.*"}, Verification: switchboard.VerificationNone,
		Request: switchboard.Request{URL: "https://crm.example.com/hook", Headers: map[string]string{"X-Api-Key": "hunter2", "X-Env": "prod"}},
		Secrets: []switchboard.SigningSecret{{Secret: "whsec_hunter2"}},
	}
	s.SetDefaults()
	must(t, d.CreateSubscription(t.Context(), anybody(), &s))
	d.setVersion(t, s.ID, 3)
	accepted, err := d.Accept(t.Context(), anybody(), []switchboard.Event{{ID: "evt_" + tenant, Tenant: tenant, Type: "ticket.created", Data: []byte(`1`)}})
	must(t, err)
	delivery := accepted[0].Deliveries[0]
	d.ids["sub_"+tenant], d.ids["dlv_"+tenant] = s.ID, delivery.ID
	limits := s.LimitsUnder(0)
	limits.MaxAttempts = attempts
	d.record(t, delivery, s.Retry, limits, switchboard.Attempt{Number: 1, Outcome: switchboard.Outcome{StatusCode: 503, Failure: switchboard.FailureHTTP5xx}})
}

// record records an attempt of the delivery, and returns the resulting delivery.
func (d *database) record(t testing.TB, delivery switchboard.Delivery, policy switchboard.RetryPolicy, limits switchboard.Limits, a switchboard.Attempt) switchboard.Delivery {
	t.Helper()
	now := d.clock()
	a.DeliveryID = delivery.ID
	if a.ID == "" {
		a.ID = switchboard.NewID(switchboard.AttemptPrefix, now)
	}
	if a.At.IsZero() {
		a.At = now
	}
	decision := switchboard.Next(policy, limits, delivery.ID, a.Number, a.Outcome)
	after, err := d.Record(t.Context(), switchboard.Record{Attempt: a, Decision: decision, TemporalRunID: "0198-run", Generation: delivery.Generation})
	must(t, err)
	return after
}

// setVersion sets the version of a subscription.
func (d *database) setVersion(t testing.TB, id string, version int) {
	t.Helper()
	_, err := d.sql.Exec("UPDATE subscriptions SET version = $1 WHERE id = $2", version, id)
	must(t, err)
}

// tables are all tables except that of migrations.
func (d *database) tables(t testing.TB) (names []string) {
	t.Helper()
	must(t, d.sql.Select(&names, `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'switchboard_migrations' ORDER BY 1`))
	return names
}

// copyRows keeps a copy of all rows, and prepares the statements that compare with it and restore
// it.
func (d *database) copyRows(t testing.TB) {
	t.Helper()
	var prints []string
	for _, table := range d.tables(t) {
		row := "r::text"
		if table == "keys" {
			row = "(to_jsonb(r) - 'last_used_at')::text" // written after the answer
		}
		prints = append(prints, fmt.Sprintf("coalesce((SELECT md5(string_agg(%[1]s, ' ' ORDER BY %[1]s)) FROM public.%[2]s r), '')", row, table))
	}
	d.reset, d.print = d.keepRows(t, "seed"), "SELECT "+strings.Join(prints, " || ")
}

// keepRows copies all rows into a schema, and returns the statements that restore them.
func (d *database) keepRows(t testing.TB, schema string) (restore string) {
	t.Helper()
	keep, restore := "CREATE SCHEMA "+schema+";", "BEGIN; SET LOCAL session_replication_role = replica;"
	for _, table := range d.tables(t) {
		keep += fmt.Sprintf("CREATE TABLE %[1]s.%[2]s AS TABLE public.%[2]s;", schema, table)
		restore += fmt.Sprintf("DELETE FROM public.%[2]s; INSERT INTO public.%[2]s OVERRIDING SYSTEM VALUE TABLE %[1]s.%[2]s;", schema, table)
	}
	_, err := d.sql.Exec(keep)
	must(t, err)
	return restore + "COMMIT"
}

// fingerprint changes if a row of any table changes.
func (d *database) fingerprint(t testing.TB) string {
	t.Helper()
	var sum string
	must(t, d.sql.Get(&sum, d.print))
	return sum
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
