package store_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
	"github.com/seed-49a43567/switchboard/store"
	"github.com/seed-49a43567/switchboard/store/postgres/pgtest"
)

var pg = pgtest.New(migrate)

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

func migrate(url string) (err error) {
	s, err := store.Open(store.Config{URL: url, Now: begin}) // so that the tests' days have partitions
	if err != nil {
		return err
	}
	defer func() { err = s.Close() }()
	return s.Migrate(context.Background())
}

// ring is a key of 32 bytes, in hex.
const ring = "test:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// bundle is a store on a database of its own, with a clock that the test moves.
type bundle struct {
	*store.Store
	t   *testing.T
	url string
	sql *sqlx.DB // past the store

	mu    sync.Mutex
	now   time.Time
	ticks bool // see tick
}

// begin is when every test's clock starts.
func begin() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 123456000, time.UTC) }

func setup(t *testing.T) *bundle {
	t.Helper()
	return setupAt(t, pg.Database(t))
}

func setupAt(t *testing.T, url string) *bundle {
	t.Helper()
	b := &bundle{t: t, url: url, now: begin()}
	b.Store = b.open(ring)
	db, err := sqlx.Open("postgres", url)
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	b.sql = db
	return b
}

// open opens another store on the same database.
func (b *bundle) open(keys string) *store.Store {
	b.t.Helper()
	s := b.openPatient(keys, 0)
	b.t.Cleanup(func() { must(b.t, s.Close()) })
	return s
}

// openPatient opens a store that waits that long for more to share a commit. The test closes it.
func (b *bundle) openPatient(keys string, wait time.Duration) *store.Store {
	b.t.Helper()
	keyring, err := store.ParseKeyring(keys)
	must(b.t, err)
	s, err := store.Open(store.Config{URL: b.url, Keyring: keyring, Now: b.clock, BatchWait: wait, CountTime: longest})
	must(b.t, err)
	return s
}

func (b *bundle) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ticks {
		b.now = b.now.Add(time.Microsecond)
	}
	return b.now
}

// tick makes each reading of the clock a microsecond later than the one before.
func (b *bundle) tick() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ticks = true
}

func (b *bundle) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// root sees every tenant.
func root() switchboard.Caller {
	return switchboard.Caller{KeyID: "key_root", Role: switchboard.RoleAdmin}
}

// of is a caller who sees one tenant.
func of(tenant string) switchboard.Caller {
	return switchboard.Caller{KeyID: "key_" + tenant, Role: switchboard.RoleAdmin, Tenant: tenant}
}

// subscribe makes an active subscription of the tenant to the event types.
func (b *bundle) subscribe(tenant string, events ...string) switchboard.Subscription {
	b.t.Helper()
	s := switchboard.Subscription{
		Tenant: tenant, Name: switchboard.NewID("name ", time.Now()), Events: events,
		Request: switchboard.Request{URL: "https://Receiver.example:8443/hook", Headers: map[string]string{"Authorization": "Bearer hunter2"}},
		Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}},
	}
	s.SetDefaults()
	must(b.t, b.CreateSubscription(b.t.Context(), root(), &s))
	return s
}

// event is an event of the tenant that a subscription to "ticket.*" takes.
func event(tenant, id string) switchboard.Event {
	return switchboard.Event{ID: id, Tenant: tenant, Type: "ticket.created", Data: []byte(`{"b": 1,  "a":2}`)}
}

func (b *bundle) accept(e switchboard.Event) switchboard.Acceptance {
	b.t.Helper()
	accepted, err := b.Accept(b.t.Context(), root(), []switchboard.Event{e})
	must(b.t, err)
	must(b.t, accepted[0].Err)
	return accepted[0]
}

// delivery makes a subscription of the tenant and one delivery to it.
func (b *bundle) delivery(tenant string) switchboard.Delivery {
	b.t.Helper()
	sub := b.subscribe(tenant, "ticket.*")
	a, err := b.AcceptFor(b.t.Context(), root(), sub.ID, event(tenant, ""), false)
	must(b.t, err)
	return a.Deliveries[0]
}

// read returns the delivery as it is now.
func (b *bundle) read(id string) switchboard.Delivery {
	b.t.Helper()
	found, err := b.Find(b.t.Context(), []string{id})
	must(b.t, err)
	if len(found) != 1 {
		b.t.Fatalf("found %d deliveries %s", len(found), id)
	}
	return found[0]
}

// startDue returns when the delivery is due to be dispatched; zero: it was dispatched.
func (b *bundle) startDue(id string) time.Time {
	b.t.Helper()
	var due time.Time
	must(b.t, b.sql.Get(&due, "SELECT coalesce(dispatch_at, '0001-01-01Z') FROM deliveries WHERE id = $1", id))
	return due.UTC()
}

// actions lists the actions on the delivery, as "actor action reason".
func (b *bundle) actions(id string) []string {
	b.t.Helper()
	detail, err := b.Delivery(b.t.Context(), root(), id)
	must(b.t, err)
	var done []string
	for _, a := range detail.Actions {
		done = append(done, fmt.Sprintf("%s %s %s", a.Actor, a.Kind, a.Reason))
	}
	return done
}

// attempt is the delivery's attempt with that number, which took 20 ms and got the status code.
func (b *bundle) attempt(d switchboard.Delivery, number, status int) switchboard.Attempt {
	return switchboard.Attempt{
		ID: switchboard.NewID(switchboard.AttemptPrefix, b.clock()), DeliveryID: d.ID, Number: number, At: b.clock(), Timeout: 10 * time.Second,
		Request:             switchboard.SentRequest{Method: "POST", URL: "https://receiver.example:8443/hook", Headers: map[string]string{"X-Env": "prod"}, Bytes: 16, SHA256: []byte("digest of the body")},
		SubscriptionVersion: 3,
		Outcome: switchboard.Outcome{
			StatusCode: status, Failure: switchboard.FailureOfStatus(status), Latency: 20 * time.Millisecond, Requests: 2, RemoteIP: "203.0.113.7",
			Response: switchboard.Response{Headers: map[string]string{"Server": "test"}, Body: []byte{0, 0xff, 'x'}},
		},
	}
}

// record records an attempt of the delivery's current run with what Next decides.
func (b *bundle) record(d switchboard.Delivery, number, status int) switchboard.Delivery {
	b.t.Helper()
	a := b.attempt(d, number, status)
	policy := switchboard.Subscription{}
	policy.SetDefaults()
	after, err := b.Record(b.t.Context(), switchboard.Record{Attempt: a, Decision: switchboard.Next(policy.Retry, policy.LimitsUnder(0), d.ID, number-d.PriorAttempts, a.Outcome), TemporalRunID: "run_of_" + d.ID, Generation: d.Generation})
	must(b.t, err)
	return after
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// equal compares got with want.
func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// refused checks an error's code and, unless it is empty, its field.
func refused(t testing.TB, what string, err error, code switchboard.Code, field string) {
	t.Helper()
	if switchboard.CodeOf(err) != code {
		t.Errorf("%s: got error %v, want code %s", what, err, code)
		return
	}
	if field != "" && !strings.Contains(err.Error(), ": "+field+": ") {
		t.Errorf("%s: got error %v, want field %s", what, err, field)
	}
}

// longest is how long a test waits for something that takes far less on any machine.
const longest = 2 * time.Minute

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(longest); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
