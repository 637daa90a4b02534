package store_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// foreign is a key with the id of the tests' own, and other bytes.
var foreign = "test:" + strings.Repeat("ff", 32)

// private is a subscription with something in every part that is encrypted.
func (b *bundle) private(name string) switchboard.Subscription {
	b.t.Helper()
	s := full()
	s.Name, s.State, s.StateReason = name, switchboard.SubscriptionActive, ""
	s.Request.Body, s.Request.ContentType, s.Request.Params = switchboard.BodyParams, "text/xml", json.RawMessage(`{"a":"b"}`)
	s.Request.Missing = switchboard.MissingEmpty
	s.Auth = switchboard.Auth{Type: switchboard.AuthBearer, Token: "hunter5"}
	must(b.t, b.CreateSubscription(b.t.Context(), root(), &s))
	return s
}

// TestUnreadableParts: the parts of a row that cannot be read are named, and nothing else is lost.
func TestUnreadableParts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	healthy := b.private("healthy")
	for _, test := range []struct {
		damage string
		want   []string
	}{
		{"headers_ciphertext = '\\x00'", []string{"request.headers"}},
		{"headers_key_id = 'gone'", []string{"request.headers"}},
		{"private_ciphertext = '\\x00'", []string{"request.url", "auth", "request.params", "request.soap"}},
		{"private_key_id = 'gone'", []string{"request.url", "auth", "request.params", "request.soap"}},
		{"private_ciphertext = '\\x00', document = replace(document::text, 'params', 'data')::json", []string{"request.url", "auth"}},
		{"filter = '{'", []string{"filter"}},
		{"document = replace(document::text, '\"missing\":', '\"envelope\":')::json", []string{"request"}},
		{"document = replace(document::text, 'false', '1')::json", []string{"adaptive"}},
		{"document = replace(document::text, '1.7', '[]')::json", []string{"retry"}},
		{"document = replace(document::text, '2.5s', 'soon')::json", []string{"timeout"}},
		{"", []string{"secret"}},
	} {
		b.advance(time.Second) // the list is newest first
		sub := b.private(cmp.Or(test.damage, "of the secret"))
		statement := "UPDATE subscriptions SET " + test.damage + " WHERE id = $1"
		if test.damage == "" {
			statement = "UPDATE subscription_secrets SET ciphertext = '\\x00' WHERE subscription_id = $1"
		}
		_, err := b.sql.Exec(statement, sub.ID)
		must(t, err)
		got, err := b.Subscription(t.Context(), root(), sub.ID)
		must(t, err)
		equal(t, test.damage, []any{got.Unreadable, got.Name}, []any{test.want, sub.Name})
		url := sub.Request.URL
		if slices.Contains(test.want, "request.url") { // its query is lost
			url, _ = switchboard.SplitQuery(url)
		}
		equal(t, test.damage+": the URL", got.Request.URL, url)
		page, err := b.Subscriptions(t.Context(), root(), switchboard.SubscriptionFilter{}, switchboard.PageRequest{})
		must(t, err)
		equal(t, "all are listed", len(page.Items), 2)
		equal(t, test.damage+" in the list", page.Items[0], got)
		equal(t, "the other one is whole", page.Items[1], withoutSecrets(healthy))
		must(t, b.DeleteSubscription(t.Context(), root(), sub.ID, ""))
	}
}

// TestUnreadableSubscription: with the wrong key nothing is sent, and the subscription can be given
// again, rotated and deleted.
func TestUnreadableSubscription(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub, other := b.private("repaired"), b.private("deleted")
	accepted, err := b.AcceptFor(t.Context(), root(), sub.ID, event("acme", ""), false)
	must(t, err)
	d := accepted.Deliveries[0]
	wrong := b.open(foreign)

	_, err = wrong.LoadForAttempt(t.Context(), d.ID)
	if !errors.Is(err, switchboard.ErrUnreadable) || !strings.Contains(err.Error(), `"test"`) {
		t.Errorf("work: %v", err)
	}

	endpoint, err := wrong.SubscriptionWithSecrets(t.Context(), root(), sub.ID)
	must(t, err)
	equal(t, "endpoint", []any{endpoint.Unreadable, len(endpoint.Secrets)},
		[]any{[]string{"request.headers", "request.url", "auth", "request.params", "request.soap", "secret"}, 0})
	refused(t, "a change that gives nothing anew", third(wrong.UpdateSubscription(t.Context(), root(), sub.ID, 1, func(s *switchboard.Subscription) error {
		s.Name = "renamed"
		return nil
	})), switchboard.CodeConflict, "request.headers")
	must(t, third(wrong.UpdateSubscription(t.Context(), root(), sub.ID, 1, func(s *switchboard.Subscription) error {
		s.Request.Headers, s.Auth, s.Request.Params = map[string]string{"A": "b"}, switchboard.Auth{}, json.RawMessage(`{}`)
		s.Unreadable = nil
		return nil
	})))
	_, err = wrong.LoadForAttempt(t.Context(), d.ID)
	refused(t, "the secret is left", err, switchboard.CodeConflict, "secret")
	next := signing.NewSecret(signing.Standard)
	must(t, second(wrong.RotateSecret(t.Context(), root(), sub.ID, next, switchboard.Rotation{Grace: time.Hour})))
	work, err := wrong.LoadForAttempt(t.Context(), d.ID)
	must(t, err)
	equal(t, "it signs with the new one alone", work.Subscription.Secrets, []switchboard.SigningSecret{{Secret: next, CreatedAt: b.clock()}})

	must(t, second(wrong.DeleteSubscription(t.Context(), root(), other.ID, "")))
	refused(t, "deleted", second(wrong.Subscription(t.Context(), root(), other.ID)), switchboard.CodeNotFound, "")
}

// TestUnreadableNeighbours: the same for the other rows with documents of their own.
func TestUnreadableNeighbours(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"a.good", "b.bad", "c.good"} {
		must(t, b.SaveEventType(t.Context(), root(), switchboard.EventType{Platform: "acme", Name: name, Description: "d"}))
	}
	_, err := b.sql.Exec("UPDATE event_types SET document = '{' WHERE name = 'b.bad'")
	must(t, err)
	types, err := b.EventTypes(t.Context())
	must(t, err)
	equal(t, "event types", types, []switchboard.EventType{
		{Platform: "acme", Name: "a.good", Description: "d"},
		{Platform: "acme", Name: "b.bad", Unreadable: true},
		{Platform: "acme", Name: "c.good", Description: "d"},
	})
	bad := switchboard.EventType{Platform: "acme", Name: "b.bad"}
	refused(t, "change", second(b.ChangeEventType(t.Context(), root(), bad, func(*switchboard.EventType) error { return nil })), switchboard.CodeConflict, "")
	must(t, b.SaveEventType(t.Context(), root(), bad))
	must(t, second(b.ChangeEventType(t.Context(), root(), bad, func(*switchboard.EventType) error { return nil })))

	d := b.delivery("acme")
	for number := range 4 {
		b.record(d, number+1, 500)
	}
	for number, headers := range []string{`{"A": 1, "B": "b"}`, `["x"]`, `null`} {
		_, err := b.sql.Exec("UPDATE attempts SET response_headers = $2 WHERE delivery_id = $1 AND number = $3", d.ID, headers, number+1)
		must(t, err)
	}
	detail, err := b.Delivery(t.Context(), root(), d.ID)
	must(t, err)
	got := []map[string]string{}
	for _, a := range detail.Attempts {
		got = append(got, a.Outcome.Response.Headers)
	}
	equal(t, "headers of answers", got, []map[string]string{{"A": "1", "B": "b"}, {"": `["x"]`}, nil, {"Server": "test"}})
}

// TestCheckKeys: a process checks that its keys are the database's before it uses them.
func TestCheckKeys(t *testing.T) {
	t.Parallel()
	const newer, other = "newer:ab", "newer:cd"
	key := func(short string) string { return short[:6] + strings.Repeat(short[6:], 32) }
	b := setup(t)
	check := func(what, keys, says string, lost ...string) {
		t.Helper()
		err := b.open(keys).CheckKeys(t.Context(), lost...)
		if says == "" {
			must(t, err)
			return
		}
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "SWITCHBOARD_ENCRYPTION_KEY") {
			t.Errorf("%s: %v; want an error that says %q", what, err, says)
		}
		for _, secret := range []string{"ababab", "cdcdcd", "0001020304", "ffffff"} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error shows a key", what)
			}
		}
	}
	sub := b.subscribe("acme", "*") // before there were check values
	check("other bytes, before any check", foreign, "test has other bytes")
	check("another id, before any check", key(newer), "lacks the key test")
	check("the key", ring, "")
	check("the key again", ring, "")
	check("other bytes", foreign, "test has other bytes")
	check("other bytes, after another", key(newer)+","+foreign, "test has other bytes")
	check("a new key, first roll-out", ring+","+key(newer), "")
	check("the new key with other bytes", ring+","+key(other), "newer has other bytes")
	check("the old process, meanwhile", ring, "")
	check("second roll-out", key(newer)+","+ring, "")
	must(t, third(b.open(key(newer)+","+ring).UpdateSubscription(t.Context(), root(), sub.ID, 1, func(*switchboard.Subscription) error { return nil })))
	check("the old process, when the new key is in use", ring, "lacks the key newer")
	check("the new key alone, while a secret is under the old one", key(newer), "lacks the key test")
	check("the old key is given up", key(newer), "", "test")
	must(t, second(b.open(key(newer)+","+ring).RotateSecret(t.Context(), root(), sub.ID, signing.NewSecret(signing.Standard), switchboard.Rotation{})))
	check("the new key alone, when nothing is under the old one", key(newer), "")
	must(t, b.DeleteSubscription(t.Context(), root(), sub.ID, ""))
	check("nothing is in use", ring, "")
}

// TestDamagedRowDoesNotDisproveAKey: for rows from before there were check values.
func TestDamagedRowDoesNotDisproveAKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "*")
	_, err := b.sql.Exec("UPDATE subscriptions SET headers_ciphertext = '\\x00' WHERE id = $1", b.subscribe("acme", "*").ID)
	must(t, err)
	must(t, b.CheckKeys(t.Context()))
}
