package signing

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// encoded is a secret with n bytes after the prefix.
func encoded(prefix string, n int) switchboard.Secret {
	return encode(prefix, bytes.Repeat([]byte{7}, n))
}

func TestNewSecret(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		scheme switchboard.Scheme
		size   int // of the key
	}{
		{Standard, 32},
		{StandardEd25519, ed25519.PrivateKeySize},
		{HMACHex, 64},
	} {
		made, other := NewSecret(test.scheme), NewSecret(test.scheme)
		key, err := find(test.scheme).parse(made)
		if err != nil || len(key) != test.size || made == other || CheckSecret(test.scheme, made) != nil {
			t.Errorf("%s: a new secret has a key of %d bytes, %v", test.scheme, len(key), err)
		}
	}
	if NewSecret(None) != "" || CheckSecret(None, "") != nil {
		t.Error("none has a secret")
	}
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	seed := encoded(PrivateKeyPrefix, 32)
	private, err := parseEd25519(seed)
	if err != nil {
		t.Fatal(err)
	}
	whole := encode(PrivateKeyPrefix, private)
	if again, err := parseEd25519(whole); err != nil || !bytes.Equal(again, private) {
		t.Errorf("the private key of 64 bytes: %v", err)
	}
	base := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	standard := switchboard.Secret(SecretPrefix + base)
	tests := []struct {
		scheme switchboard.Scheme
		secret switchboard.Secret
		valid  bool
	}{
		{Standard, encoded(SecretPrefix, 24), true},
		{Standard, encoded(SecretPrefix, 64), true},
		{StandardEd25519, seed, true},
		{StandardEd25519, whole, true},
		{HMACHex, switchboard.Secret(strings.Repeat("k", 16)), true},
		{HMACHex, switchboard.Secret(strings.Repeat("k", 256)), true},
		{HMACHex, "pässwörter mit Leerzeichen", true},
		{HMACHex, standard, true},
		{None, "", true},

		{Standard, "", false},
		{Standard, "whsec_", false},
		{Standard, switchboard.Secret(base), false},
		{Standard, switchboard.Secret("WHSEC_" + base), false},
		{Standard, standard[:len(standard)-1], false},
		{Standard, standard + " ", false},
		{Standard, standard + "\n", false},
		{Standard, "whsec_%%%", false},
		{Standard, encoded(SecretPrefix, 23), false},
		{Standard, encoded(SecretPrefix, 65), false},
		{Standard, seed, false},
		{StandardEd25519, "", false},
		{StandardEd25519, "whsk_", false},
		{StandardEd25519, "whsk_%%%", false},
		{StandardEd25519, encoded(PrivateKeyPrefix, 31), false},
		{StandardEd25519, encoded(PrivateKeyPrefix, 33), false},
		{StandardEd25519, encoded(PrivateKeyPrefix, 64), false},
		{StandardEd25519, encoded(PublicKeyPrefix, 32), false},
		{StandardEd25519, standard, false},
		{HMACHex, "", false},
		{HMACHex, switchboard.Mask, false},
		{HMACHex, switchboard.Secret(strings.Repeat("k", 15)), false},
		{HMACHex, switchboard.Secret(strings.Repeat("k", 257)), false},
		{HMACHex, "a line break\nin the middle", false},
		{HMACHex, " a space at the front", false},
		{HMACHex, "a space at the end ", false},
		{HMACHex, "no UTF-8 at all \xff", false},
		{HMACHex, "a control \x00 character", false},
		{HMACHex, "a separator \u2028 of lines", false},
		{HMACHex, seed, false},
		{HMACHex, whole, false},
		{None, "x", false},
		{None, standard, false},
		{"unknown", "", false},
		{"unknown", standard, false},
	}
	for _, test := range tests {
		err := CheckSecret(test.scheme, test.secret)
		if test.valid {
			if err != nil {
				t.Errorf("%s: %q: %v", test.scheme, test.secret.Reveal(), err)
			}
			continue
		}
		e, ok := errors.AsType[*switchboard.Error](err)
		if !ok || e.Code != switchboard.CodeInvalid || e.Field != "secret" && test.scheme != "unknown" {
			t.Errorf("%s: %q: %v; want an invalid field secret", test.scheme, test.secret.Reveal(), err)
		} else if len(test.secret) > 20 && strings.Contains(e.Error(), test.secret.Reveal()) {
			t.Errorf("%s: the error shows the secret: %v", test.scheme, e)
		}
	}
}

// Valid decides which secrets sign at a time; neither the store nor the API does.
func TestValid(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	secret := func(scheme switchboard.Scheme, expires time.Duration) switchboard.SigningSecret {
		made := switchboard.SigningSecret{Secret: NewSecret(scheme)}
		if expires != 0 {
			made.ExpiresAt = now.Add(expires)
		}
		return made
	}
	current, previous := secret(Standard, 0), secret(Standard, time.Nanosecond)
	ends, over := secret(Standard, -time.Nanosecond), secret(Standard, -time.Hour)
	key := secret(StandardEd25519, 0)
	earlierKey := secret(StandardEd25519, time.Hour)
	text := switchboard.SigningSecret{Secret: "a text of one's own"}
	type secrets = []switchboard.SigningSecret
	tests := []struct {
		name        string
		scheme      switchboard.Scheme
		given, want secrets
	}{
		{"current and previous", Standard, secrets{current, previous}, secrets{current, previous}},
		{"expired", Standard, secrets{current, previous, ends, over}, secrets{current, previous}},
		{"at its very end", Standard, secrets{current, {Secret: ends.Secret, ExpiresAt: now}}, secrets{current}},
		{"without a current one", Standard, secrets{previous, over}, secrets{previous}},
		{"a previous one of another scheme", Standard, secrets{current, earlierKey}, secrets{current}},
		{"a current one of another scheme", Standard, secrets{key, previous}, nil},
		{"only expired ones", Standard, secrets{over}, nil},
		{"Ed25519", StandardEd25519, secrets{key, earlierKey, previous}, secrets{key, earlierKey}},
		{"room for one signature", HMACHex, secrets{text, previous}, secrets{text}},
		{"room for one signature, without a current one", HMACHex, secrets{previous}, secrets{previous}},
		{"a scheme that signs nothing", None, secrets{current}, nil},
		{"an unknown scheme", "md5", secrets{current}, nil},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, Valid(test.scheme, test.given, now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestMaxSecrets(t *testing.T) {
	t.Parallel()
	for scheme, want := range map[switchboard.Scheme]int{Standard: 5, StandardEd25519: 5, HMACHex: 1} {
		if got := MaxSecrets(scheme); got != want {
			t.Errorf("%s: %d; want %d", scheme, got, want)
		}
	}
}
