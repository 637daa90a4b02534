package api

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// TestSecretOfEachScheme: the new secret fits the scheme, and a private key is not shown.
func TestSecretOfEachScheme(t *testing.T) {
	t.Parallel()
	for _, scheme := range signing.Schemes() {
		t.Run(string(scheme), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			got := b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+`,"signature":{"scheme":"`+string(scheme)+`"}`)).want(t, http.StatusCreated)
			shown, _ := got["secret"].(string)
			stored := b.subscription(t, "sub_new").Secrets
			if err := signing.CheckSecret(scheme, current(stored)); err != nil {
				t.Error(err)
			}
			keys, _ := got["signature"].(map[string]any)["public_keys"].([]any)
			switch scheme {
			case signing.None:
				if shown != "" || len(stored) != 0 {
					t.Errorf("a secret: %q, %d", shown, len(stored))
				}
			case signing.StandardEd25519:
				if shown != "" || len(keys) != 1 || !strings.HasPrefix(keys[0].(string), signing.PublicKeyPrefix) {
					t.Errorf("secret %q, keys %v", shown, keys)
				}
			default:
				if shown != current(stored).Reveal() || len(keys) != 0 {
					t.Errorf("secret %q, keys %v", shown, keys)
				}
			}
		})
	}
}

// TestChangeOfScheme: the secret stays if it fits; otherwise the answer shows a new one.
func TestChangeOfScheme(t *testing.T) {
	t.Parallel()
	cases := []struct {
		from, to switchboard.Scheme
		stays    bool
	}{
		{signing.Standard, signing.Standard, true},
		{signing.Standard, signing.HMACHex, true}, // any text is a key
		{signing.Standard, signing.StandardEd25519, false},
		{signing.StandardEd25519, signing.HMACHex, false},
		{signing.HMACHex, signing.Standard, false},
		{signing.Standard, signing.None, true},
		{signing.None, signing.Standard, false},
	}
	for _, c := range cases {
		t.Run(string(c.from+" to "+c.to), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.sign(t, "sub_acme", c.from)
			before := current(b.subscription(t, "sub_acme").Secrets)
			got := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", `{"version":3,"signature":{"scheme":"`+string(c.to)+`"}}`).want(t, http.StatusOK)
			after := b.subscription(t, "sub_acme")
			if err := signing.CheckSecret(c.to, current(after.Secrets)); err != nil && c.to != signing.None {
				t.Error(err)
			}
			if stays := current(after.Secrets) == before; stays != c.stays {
				t.Errorf("the secret stays: %v", stays)
			}
			shown, _ := got["secret"].(string)
			if wantShown := !c.stays && c.to != signing.StandardEd25519; wantShown != (shown != "") || wantShown && shown != current(after.Secrets).Reveal() {
				t.Errorf("shown: %q", shown)
			}
			keys, _ := got["signature"].(map[string]any)["public_keys"].([]any)
			if (c.to == signing.StandardEd25519) != (len(keys) == 1) {
				t.Errorf("public keys %v", keys)
			}
		})
	}
}

// rotatedAt is the time of rotations, at which no grace is over.
var rotatedAt = time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)

// TestPublicKeys: during a rotation, every answer with one subscription lists both keys.
func TestPublicKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sign(t, "sub_acme", signing.StandardEd25519)
	first := signing.PublicKeys(signing.StandardEd25519, b.subscription(t, "sub_acme").Secrets, created)[0]
	b.db.setClock(rotatedAt)
	got := b.call(t, integratorKey, "POST", "/v1/subscriptions/sub_acme/rotate_secret", nil).want(t, http.StatusOK)
	keys := got["signature"].(map[string]any)["public_keys"].([]any)
	if len(keys) != 2 || keys[0] == first.Text || keys[1] != first.Text || got["secret"] != nil {
		t.Errorf("keys %v, secret %v", keys, got["secret"])
	}
	for _, again := range []answer{
		b.call(t, viewerKey, "GET", "/v1/subscriptions/sub_acme", nil),
		b.call(t, integratorKey, "POST", "/v1/subscriptions/sub_acme/verify", nil),
		b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", `{"version":4,"name":"x"}`),
	} {
		if same := again.want(t, http.StatusOK)["signature"].(map[string]any)["public_keys"].([]any); len(same) != 2 {
			t.Errorf("keys %v", same)
		}
		if strings.Contains(string(again.body), signing.PrivateKeyPrefix) {
			t.Errorf("a private key is shown: %s", again.body)
		}
	}

	var set struct {
		Keys []struct {
			Kty, Crv, X, Kid, Use, Alg string
			Expires                    *time.Time `json:"expires_at"`
		}
	}
	if err := json.Unmarshal(b.call(t, viewerKey, "GET", "/v1/subscriptions/sub_acme/jwks", nil).body, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 2 || set.Keys[0].Expires != nil || set.Keys[1].Expires == nil || !set.Keys[1].Expires.Equal(rotatedAt.Add(defaultGrace)) {
		t.Fatalf("%+v", set)
	}
	x, err := base64.RawURLEncoding.DecodeString(set.Keys[1].X)
	if err != nil || !first.Key.Equal(ed25519.PublicKey(x)) {
		t.Errorf("x %q: %v", set.Keys[1].X, err)
	}
	if k := set.Keys[0]; k.Kty != "OKP" || k.Crv != "Ed25519" || k.Use != "sig" || k.Alg != "EdDSA" || k.Kid == set.Keys[1].Kid {
		t.Errorf("%+v", k)
	}
	b.call(t, viewerKey, "GET", "/v1/subscriptions/sub_globex/jwks", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
}

// signingNow returns what an answer says about the secrets that sign.
func signingNow(t *testing.T, got map[string]any) (since, until []string) {
	t.Helper()
	for _, each := range asList(got["signature"].(map[string]any)["secrets"]) {
		secret := each.(map[string]any)
		since = append(since, secret["since"].(string))
		end, _ := secret["until"].(string)
		until = append(until, end)
	}
	return since, until
}

// TestWhatSigns: since when and until when, in every answer with one subscription.
func TestWhatSigns(t *testing.T) {
	t.Parallel()
	at := func(after time.Duration) string { return created.Add(after).UTC().Format(time.RFC3339) }
	for scheme, n := range map[switchboard.Scheme]int{signing.Standard: 2, signing.StandardEd25519: 2, signing.HMACHex: 1} {
		b := setup(t)
		b.sign(t, "sub_acme", scheme)
		b.db.setClock(rotatedAt)
		rotated := b.call(t, integratorKey, "POST", "/v1/subscriptions/sub_acme/rotate_secret", `{"grace":"1h"}`).want(t, http.StatusOK)
		if rotated["version"] != 4.0 {
			t.Errorf("%s: version %v", scheme, rotated["version"])
		}
		for i, got := range []map[string]any{
			rotated,
			b.call(t, viewerKey, "GET", "/v1/subscriptions/sub_acme", nil).want(t, http.StatusOK),
			b.call(t, integratorKey, "POST", "/v1/subscriptions/sub_acme/verify", nil).want(t, http.StatusOK),
			b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", `{"version":4,"name":"x"}`).want(t, http.StatusOK),
		} {
			since, until := signingNow(t, got)
			if len(since) != n || since[0] != rotatedAt.Format(time.RFC3339) || until[0] != "" {
				t.Fatalf("%s, answer %d: since %q until %q", scheme, i, since, until)
			}
			if n == 2 && (since[1] != at(0) || until[1] != rotatedAt.Add(time.Hour).Format(time.RFC3339)) {
				t.Errorf("%s, answer %d: since %q until %q", scheme, i, since, until)
			}
		}
	}
	b := setup(t)
	b.sign(t, "sub_acme", signing.None)
	if since, _ := signingNow(t, b.call(t, viewerKey, "GET", "/v1/subscriptions/sub_acme", nil).want(t, http.StatusOK)); since != nil {
		t.Errorf("of no scheme: %q", since)
	}
	list := b.call(t, viewerKey, "GET", "/v1/subscriptions", nil).want(t, http.StatusOK)
	if since, _ := signingNow(t, asList(list["data"])[0].(map[string]any)); since != nil {
		t.Errorf("in a list: %q", since)
	}
	made := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", `{"version":3,"signature":{"scheme":"standard"}}`).want(t, http.StatusOK)
	if since, until := signingNow(t, made); len(since) != 1 || since[0] != made["updated_at"] || until[0] != "" {
		t.Errorf("of another scheme: since %q until %q", since, until)
	}
}

func TestRevokePrevious(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const path = "/v1/subscriptions/sub_acme/rotate_secret"
	b.call(t, integratorKey, "POST", path, `{"grace":"1h","revoke_previous":true}`).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "grace")
	b.sign(t, "sub_acme", signing.Standard)
	got := b.call(t, integratorKey, "POST", path, `{"revoke_previous":true}`).want(t, http.StatusOK)
	if since, _ := signingNow(t, got); len(since) != 1 || !b.store.rotation.RevokePrevious {
		t.Errorf("%q sign, %+v", since, b.store.rotation)
	}
}
