package switchboard

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// encoded is a secret with n bytes behind the prefix.
func encoded(prefix string, n int) Secret {
	return Secret(prefix + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, n)))
}

func TestNewSigningSecret(t *testing.T) {
	t.Parallel()
	for scheme, size := range map[Scheme]int{SchemeStandard: newSecret, SchemeStandardEd25519: ed25519.PrivateKeySize, SchemeHMACHex: 2 * newSecret} {
		made, other := NewSigningSecret(scheme), NewSigningSecret(scheme)
		key, err := scheme.Key(made)
		if err != nil || len(key) != size || made == other || scheme.CheckSecret(made) != nil {
			t.Errorf("%s: a new secret has a key of %d bytes, %v", scheme, len(key), err)
		}
	}
	if NewSigningSecret(SchemeNone) != "" || SchemeNone.CheckSecret("") != nil {
		t.Error("none has a secret")
	}
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	seed := encoded(PrivateKeyPrefix, 32)
	private, err := SchemeStandardEd25519.Key(seed)
	if err != nil {
		t.Fatal(err)
	}
	whole := Secret(PrivateKeyPrefix + base64.StdEncoding.EncodeToString(private))
	if again, err := SchemeStandardEd25519.Key(whole); err != nil || !bytes.Equal(again, private) {
		t.Errorf("the private key of 64 bytes: %v", err)
	}
	standard := encoded(SecretPrefix, 32).Reveal()
	good := map[Scheme][]Secret{
		SchemeStandard:        {encoded(SecretPrefix, 24), encoded(SecretPrefix, 64)},
		SchemeStandardEd25519: {seed, whole},
		SchemeHMACHex:         {Secret(strings.Repeat("k", 16)), Secret(strings.Repeat("k", 256)), "pässwörter mit Leerzeichen", Secret(standard)},
		SchemeNone:            {""},
	}
	bad := map[Scheme][]Secret{
		SchemeStandard: {
			"", "whsec_", Secret(standard[len(SecretPrefix):]), Secret("WHSEC_" + standard[len(SecretPrefix):]), Secret(standard[:len(standard)-1]),
			Secret(standard + " "), Secret(standard + "\n"), "whsec_%%%", encoded(SecretPrefix, 23), encoded(SecretPrefix, 65), seed,
		},
		SchemeStandardEd25519: {"", "whsk_", "whsk_%%%", encoded(PrivateKeyPrefix, 31), encoded(PrivateKeyPrefix, 33), encoded(PrivateKeyPrefix, 64), encoded(PublicKeyPrefix, 32), Secret(standard)},
		SchemeHMACHex: {
			"", Mask, Secret(strings.Repeat("k", 15)), Secret(strings.Repeat("k", 257)), "a line break\nin the middle", " a space at the front", "a space at the end ",
			"no UTF-8 at all \xff", "a control \x00 character", "a separator \u2028 of lines", seed, whole,
		},
		SchemeNone: {"x", Secret(standard)},
		"unknown":  {"", Secret(standard)},
	}
	for scheme, secrets := range good {
		for _, secret := range secrets {
			if err := scheme.CheckSecret(secret); err != nil {
				t.Errorf("%s: %q: %v", scheme, secret.Reveal(), err)
			}
		}
	}
	for scheme, secrets := range bad {
		for _, secret := range secrets {
			e, ok := errors.AsType[*Error](scheme.CheckSecret(secret))
			if !ok || e.Code != CodeInvalid || e.Field != "secret" && scheme != "unknown" {
				t.Errorf("%s: %q: %v; want an invalid field secret", scheme, secret.Reveal(), e)
			} else if len(secret) > 20 && strings.Contains(e.Error(), secret.Reveal()) {
				t.Errorf("%s: the error shows the secret: %v", scheme, e)
			}
		}
	}
}

func TestFitting(t *testing.T) {
	t.Parallel()
	standard := SigningSecret{Secret: NewSigningSecret(SchemeStandard)}
	key := SigningSecret{Secret: NewSigningSecret(SchemeStandardEd25519), ExpiresAt: time.Unix(1, 0)}
	text := SigningSecret{Secret: "a text of one's own"}
	all := []SigningSecret{text, key, standard}
	for scheme, want := range map[Scheme][]SigningSecret{
		SchemeStandard: {standard}, SchemeStandardEd25519: {key}, SchemeHMACHex: {text, standard}, SchemeNone: nil,
	} {
		if diff := cmp.Diff(want, scheme.Fitting(all)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", scheme, diff)
		}
	}
}
