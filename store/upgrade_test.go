package store_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// sealed is what version 1 encrypted with the ring's key for that place.
func sealed(t *testing.T, plain, place string) []byte {
	t.Helper()
	key, err := hex.DecodeString(strings.TrimPrefix(ring, "test:"))
	must(t, err)
	block, err := aes.NewCipher(key)
	must(t, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	must(t, err)
	return aead.Seal(nil, nil, []byte(plain), []byte(place))
}

// TestUpgradeFromVersion1: what version 1 wrote is read, delivered to and changed as
// if this version had written it.
func TestUpgradeFromVersion1(t *testing.T) {
	t.Parallel()
	b := setupAt(t, pg.Empty(t))
	provider, err := goose.NewProvider(goose.DialectPostgres, b.sql.DB, os.DirFS("migrations"),
		goose.WithTableName("switchboard_migrations"), goose.WithDisableGlobalRegistry(true))
	must(t, err)
	_, err = provider.UpTo(t.Context(), 1)
	must(t, err)

	const sub, secret, text = "sub_old", "sec_old", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	_, err = b.sql.Exec(`
INSERT INTO subscriptions (id, tenant, name, state, state_reason, events, method, url, body, content_type, signature_scheme, retry, timeout,
	max_in_flight, version, created_at, updated_at, headers_key_id, headers_ciphertext)
VALUES ($1, 'acme', 'CRM', 'active', '', '{Ticket.*,call.Rang}', 'POST', 'https://old.example:8443/hook?token=hunter3', 'envelope', 'application/json', 'standard',
	'{"initial_interval":"5s","backoff_coefficient":3,"maximum_interval":"10h","maximum_attempts":12}', '10s', 16, 7, $2, $2, 'test', $3)`,
		sub, begin(), sealed(t, `{"Authorization":"Bearer hunter2"}`, "subscriptions/sub_old/headers"))
	must(t, err)
	_, err = b.sql.Exec("INSERT INTO subscription_secrets (id, subscription_id, created_at, key_id, ciphertext) VALUES ($1, $2, $3, 'test', $4)",
		secret, sub, begin(), sealed(t, text, "subscription_secrets/sub_old/sec_old"))
	must(t, err)
	_, err = b.sql.Exec(`INSERT INTO events (id, tenant, type, created_at, occurred_at, data) VALUES ('evt_old', 'acme', 'ticket.created', $1, $1, '{"a": 1}')`, begin())
	must(t, err)
	_, err = b.sql.Exec(`INSERT INTO deliveries (id, tenant, state, reason, attempts_made, next_attempt_at, event_type, host, method, created_at, event_id, subscription_id)
		VALUES ('dlv_old', 'acme', 'retrying', 'http_503', 1, $1, 'ticket.created', 'old.example:8443', 'POST', $1, 'evt_old', $2)`, begin(), sub)
	must(t, err)
	_, err = b.sql.Exec(`INSERT INTO attempts VALUES ('att_old', 'dlv_old', 1, 1, $1, 503, 'http_5xx', '', 20000, 10000000, 0,
		'POST', 'https://old.example:8443/hook', '{}', 8, '{}', false, '')`, begin())
	must(t, err)

	must(t, b.Migrate(t.Context()))
	must(t, b.CheckSchema(t.Context()))

	want := switchboard.Subscription{
		ID: sub, Tenant: "acme", Name: "CRM", Events: []string{"Ticket.*", "call.Rang"},
		Request:   switchboard.Request{URL: "https://old.example:8443/hook?token=hunter3", Headers: map[string]string{"Authorization": "Bearer hunter2"}},
		Signature: switchboard.Signature{Scheme: signing.Standard}, Secrets: []switchboard.SigningSecret{{Secret: text, CreatedAt: begin()}},
		// As it was stored, whatever the defaults are today.
		Retry: switchboard.RetryPolicy{
			InitialInterval: switchboard.Duration(5 * time.Second), BackoffCoefficient: 3,
			MaximumInterval: switchboard.Duration(10 * time.Hour), MaxAttempts: 12,
		},
		Verification: switchboard.VerificationNone, Version: 7, CreatedAt: begin(), UpdatedAt: begin(),
	}
	want.SetDefaults()
	work, err := b.LoadForAttempt(t.Context(), "dlv_old")
	must(t, err)
	equal(t, "subscription", work.Subscription, want)
	must(t, work.Subscription.Validate())
	if got := work.Subscription.Secrets[0].Secret.Reveal(); got != text {
		t.Errorf("the signing secret is of %d bytes", len(got))
	}
	equal(t, "limits under load", work.Subscription.LimitsUnder(1), switchboard.Limits{Timeout: want.Timeout, IntervalFactor: 1, MaxAttempts: 12, Load: 1})

	detail, err := b.Delivery(t.Context(), root(), "dlv_old")
	must(t, err)
	if a := detail.Attempts[0]; a.IntervalFactor != 1 || a.MaxAttempts != 0 || a.Load != 0 || a.Timeout != 10*time.Second {
		t.Errorf("the attempt was made under %+v", a)
	}
	if after := b.record(detail.Delivery, 2, 200); after.State != switchboard.StateDelivered {
		t.Errorf("the delivery became %s", after.State)
	}
	for eventType, deliveries := range map[string]int{"TICKET.closed": 1, "call.rang": 1, "call.ended": 0} {
		a := b.accept(switchboard.Event{Tenant: "acme", Type: eventType, Data: []byte("{}")})
		equal(t, "deliveries of "+eventType, len(a.Deliveries), deliveries)
	}
	changed, err := b.UpdateSubscription(t.Context(), root(), sub, 7, func(s *switchboard.Subscription) error {
		s.Name = "renamed"
		return nil
	})
	must(t, err)
	equal(t, "headers after a change", changed.Request.Headers, want.Request.Headers)
	again, err := b.Subscription(t.Context(), root(), sub)
	must(t, err)
	equal(t, "URL after a change", again.Request.URL, want.Request.URL)
	var column string
	must(t, b.sql.QueryRow("SELECT url FROM subscriptions WHERE id = $1", sub).Scan(&column))
	equal(t, "what can be read of it", column, "https://old.example:8443/hook")
}

// TestUpgradeTellsWhatWasPermanent: before version 8 a failed delivery did not say which
// of the two it was.
func TestUpgradeTellsWhatWasPermanent(t *testing.T) {
	t.Parallel()
	b := setupAt(t, pg.Empty(t))
	provider, err := goose.NewProvider(goose.DialectPostgres, b.sql.DB, os.DirFS("migrations"),
		goose.WithTableName("switchboard_migrations"), goose.WithDisableGlobalRegistry(true))
	must(t, err)
	_, err = provider.UpTo(t.Context(), 11)
	must(t, err)
	sub := b.subscribe("acme", "*")
	want := map[string]bool{}
	for reason, permanent := range map[string]bool{"http_410": true, "forbidden_address": true, "render": true, "http_500": false, "dns": false} {
		d := b.accept(switchboard.Event{Tenant: "acme", Type: "call.rang", Data: []byte("1")}).Deliveries[0]
		_, err := b.sql.Exec(`UPDATE deliveries SET state = 'failed', reason = $2, attempts_made = 1, next_attempt_at = NULL, dispatch_at = NULL,
			completed_at = $3 WHERE id = $1`, d.ID, reason, begin())
		must(t, err)
		want[d.ID] = permanent
	}
	open := b.accept(switchboard.Event{Tenant: "acme", Type: "call.rang", Data: []byte("1")}).Deliveries[0]
	_, err = b.sql.Exec("UPDATE deliveries SET state = 'retrying', reason = 'render', attempts_made = 1 WHERE id = $1", open.ID)
	must(t, err)
	want[open.ID] = false
	must(t, b.Migrate(t.Context()))
	for id, permanent := range want {
		detail, err := b.Delivery(t.Context(), root(), id)
		must(t, err)
		if d := detail.Delivery; d.Permanent != permanent || d.SubscriptionID != sub.ID {
			t.Errorf("%s: permanent %t, want %t", d.Reason, d.Permanent, permanent)
		}
	}
}
