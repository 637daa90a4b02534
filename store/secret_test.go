package store_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
	"github.com/seed-49a43567/switchboard/store"
)

// TestNoSecretCanBeRead searches every column of every table, in every usual spelling, for secrets.
func TestNoSecretCanBeRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const header, keyText, old, inQuery = "Bearer hunter2", "swk_hunter3", "PREVIOUS-hunter4", "hunter5-in-the-query"
	sub := b.subscribe("acme", "*")
	rotated := signing.NewSecret(signing.Standard)
	must(t, second(b.RotateSecret(t.Context(), root(), sub.ID, rotated, switchboard.Rotation{Grace: time.Hour})))
	must(t, second(b.UpdateSubscription(t.Context(), root(), sub.ID, 2, func(s *switchboard.Subscription) error {
		s.Request.URL = "https://crm.example.com/a%2Fb?token=" + inQuery + "&id={{ id }}"
		s.Request.Headers["X-Token"] = old
		return nil
	})))
	must(t, second(b.CreateKey(t.Context(), root(), switchboard.Key{Name: "n", Role: switchboard.RoleAdmin}, keyText)))
	b.accept(event("acme", ""))

	var all strings.Builder
	for table, rows := range b.dump() {
		text := strings.Join(rows, "\n")
		if table == "audit" { // it says which headers were changed, and nothing of their values
			text = strings.NewReplacer("request.headers.Authorization", "", "request.headers.X-Token", "").Replace(text)
		}
		all.WriteString(text)
	}
	changed, err := b.Subscription(t.Context(), root(), sub.ID)
	must(t, err)
	equal(t, "the URL, put together again", changed.Request.URL, "https://crm.example.com/a%2Fb?token="+inQuery+"&id={{ id }}")
	content := strings.ToLower(all.String())
	if !strings.Contains(content, sub.ID) {
		t.Fatal("the dump holds nothing")
	}
	if !strings.Contains(content, "https://crm.example.com/a%2fb") {
		t.Error("the URL before its query cannot be read")
	}
	for _, secret := range []string{header, keyText, old, inQuery, "x-token", "authorization", rotated.Reveal(), sub.Secrets[0].Secret.Reveal()} {
		body := strings.TrimPrefix(secret, signing.SecretPrefix)
		for _, spelling := range []string{body, hex.EncodeToString([]byte(body)), base64.StdEncoding.EncodeToString([]byte(body))} {
			if strings.Contains(content, strings.ToLower(spelling)) {
				t.Errorf("%q can be read in the tables", spelling)
			}
		}
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	newer := "newer:" + strings.Repeat("ab", 32)
	both := b.open(newer + "," + ring)
	got, err := both.Subscription(t.Context(), root(), sub.ID)
	must(t, err)
	equal(t, "what the old key encrypted", got, withoutSecrets(sub))
	must(t, third(both.UpdateSubscription(t.Context(), root(), sub.ID, 1, func(*switchboard.Subscription) error { return nil })))
	onlyNew := b.open(newer)
	must(t, second(onlyNew.Subscription(t.Context(), root(), sub.ID)))

	got, err = b.Subscription(t.Context(), root(), sub.ID)
	must(t, err)
	equal(t, "without the key", got.Unreadable, []string{"request.headers"})
}

// TestMovedCiphertextIsUnreadable moves a ciphertext to another row.
func TestMovedCiphertextIsUnreadable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mine, theirs := b.subscribe("spy", "*"), b.subscribe("acme", "*")
	_, err := b.sql.Exec("UPDATE subscriptions SET headers_ciphertext = (SELECT headers_ciphertext FROM subscriptions WHERE id = $2) WHERE id = $1", mine.ID, theirs.ID)
	must(t, err)
	got, err := b.Subscription(t.Context(), of("spy"), mine.ID)
	must(t, err)
	equal(t, "moved headers", []any{got.Unreadable, len(got.Request.Headers)}, []any{[]string{"request.headers"}, 0})
}

// TestNoPasswordInErrors: nobody knows where the password ends in a URL that cannot be parsed.
func TestNoPasswordInErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ url, says string }{
		{"postgres://joe:s3cr/et@db.example:5432/switchboard", "cannot be parsed"},
		{"postgres://joe:s3cr#et@db.example/switchboard", "cannot be parsed"},
		{"postgres://joe:%s3cr\"et@db.example/switchboard", "cannot be parsed"},
		{"postgres://joe:s3cr et@db.example/switchboard\n", "cannot be parsed"},
		{"postgres://joe:s3cret@db.example/switchboard?sslmode=sometimes", "sslmode"},
	} {
		_, err := store.Open(store.Config{URL: test.url})
		if err == nil {
			t.Errorf("%q can be opened", test.url)
			continue
		}
		if m := err.Error(); !strings.HasPrefix(m, "database URL: ") || !strings.Contains(m, test.says) || strings.Contains(m, "s3cr") || strings.Contains(m, "et@") {
			t.Errorf("%q: %s", test.url, m)
		}
	}
}
