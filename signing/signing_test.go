package signing

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/seed-49a43567/switchboard"
)

var v1 = switchboard.Signature{Scheme: Standard}

// verify checks a signature like a receiver, with the official library.
func verify(t *testing.T, secret switchboard.Secret, body []byte, header http.Header) error {
	t.Helper()
	receiver, err := standardwebhooks.NewWebhook(secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return receiver.Verify(body, header)
}

func TestSignIsVerifiedByTheOfficialLibrary(t *testing.T) {
	t.Parallel()
	secret, other := NewSecret(Standard), NewSecret(Standard)
	body := []byte("{\"a\": \"\xff.\\u00e9\"}\n")
	sign := func(at time.Time) http.Header {
		header := http.Header{}
		if err := Sign(header, v1, "dlv_01", at, body, []switchboard.SigningSecret{{Secret: secret}}); err != nil {
			t.Fatal(err)
		}
		return header
	}
	if err := verify(t, secret, body, sign(time.Now())); err != nil {
		t.Errorf("a good signature is refused: %v", err)
	}
	refusals := map[string]struct {
		err    error
		secret switchboard.Secret
		body   []byte
		at     time.Time
		change func(http.Header)
	}{
		"tampered body":      {err: standardwebhooks.ErrNoMatchingSignature, body: append([]byte(" "), body...)},
		"other secret":       {err: standardwebhooks.ErrNoMatchingSignature, secret: other},
		"other id":           {err: standardwebhooks.ErrNoMatchingSignature, change: func(h http.Header) { h.Set("webhook-id", "dlv_02") }},
		"tampered timestamp": {err: standardwebhooks.ErrNoMatchingSignature, change: func(h http.Header) { h.Set("webhook-timestamp", "1") }},
		"old":                {err: standardwebhooks.ErrMessageTooOld, at: time.Now().Add(-10 * time.Minute)},
		"from the future":    {err: standardwebhooks.ErrMessageTooNew, at: time.Now().Add(10 * time.Minute)},
	}
	for name, refusal := range refusals {
		at, with, received := refusal.at, refusal.secret, refusal.body
		if at.IsZero() {
			at = time.Now()
		}
		if with == "" {
			with = secret
		}
		if received == nil {
			received = body
		}
		header := sign(at)
		check := func() error { return verify(t, with, received, header) }
		if refusal.change != nil {
			refusal.change(header)
			receiver, err := standardwebhooks.NewWebhook(with.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			check = func() error { return receiver.VerifyIgnoringTimestamp(received, header) }
		}
		if err := check(); !errors.Is(err, refusal.err) {
			t.Errorf("%s: verified with %v; want %v", name, err, refusal.err)
		}
	}
}

func TestSignDuringRotation(t *testing.T) {
	t.Parallel()
	now := time.Now()
	current, previous, expired := NewSecret(Standard), NewSecret(Standard), NewSecret(Standard)
	header := http.Header{"Webhook-Signature": {"v1,forged"}, "Webhook-Id": {"forged"}}
	body := []byte(`{}`)
	err := Sign(header, v1, "dlv_01", now, body, []switchboard.SigningSecret{
		{Secret: current}, {Secret: previous, ExpiresAt: now.Add(time.Second)}, {Secret: expired, ExpiresAt: now},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]switchboard.Secret{"current": current, "previous": previous} {
		if err := verify(t, secret, body, header); err != nil {
			t.Errorf("the %s secret does not verify: %v", name, err)
		}
	}
	if err := verify(t, expired, body, header); err == nil {
		t.Error("the expired secret still signs")
	}
	if got := strings.Fields(header.Get("Webhook-Signature")); len(got) != 2 || len(header.Values("Webhook-Signature")) != 1 {
		t.Errorf("webhook-signature holds %q; want two signatures", header.Values("Webhook-Signature"))
	}
	if got := header.Get("Webhook-Id"); got != "dlv_01" {
		t.Errorf("webhook-id is %q; want dlv_01", got)
	}
}

func TestSignRefusesUnusableSecrets(t *testing.T) {
	t.Parallel()
	now := time.Now()
	tests := map[string][]switchboard.SigningSecret{
		"none":            nil,
		"only an expired": {{Secret: NewSecret(Standard), ExpiresAt: now.Add(-time.Hour)}},
		"not base64":      {{Secret: NewSecret(Standard)}, {Secret: "whsec_%%%"}},
		"other scheme's":  {{Secret: NewSecret(StandardEd25519)}},
	}
	for name, secrets := range tests {
		header := http.Header{}
		err := Sign(header, v1, "dlv_01", now, nil, secrets)
		if e, ok := errors.AsType[*switchboard.Error](err); !ok || e.Field != "secret" {
			t.Errorf("%s: Sign: %v; want an invalid field secret", name, err)
		}
		if len(header) != 0 {
			t.Errorf("%s: the header was changed: %v", name, header)
		}
	}
}

func TestSignWithoutSignature(t *testing.T) {
	t.Parallel()
	header := http.Header{}
	if err := Sign(header, switchboard.Signature{Scheme: None}, "dlv_01", time.Unix(1700000000, 0), []byte(`{}`), nil); err != nil {
		t.Fatal(err)
	}
	want := http.Header{"Webhook-Id": {"dlv_01"}, "Webhook-Timestamp": {"1700000000"}}
	if diff := cmp.Diff(want, header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}

func TestSignRefusesUnknownSchemes(t *testing.T) {
	t.Parallel()
	for _, signature := range []switchboard.Signature{{}, {Scheme: "md5"}, {Scheme: HMACHex}, {Scheme: HMACHex, Header: "A\r\nB"}} {
		header := http.Header{}
		err := Sign(header, signature, "dlv_01", time.Now(), nil, []switchboard.SigningSecret{{Secret: "a secret that is a text"}})
		if switchboard.CodeOf(err) != switchboard.CodeInvalid || len(header) != 0 {
			t.Errorf("%+v: %v, header %v; want it refused", signature, err, header)
		}
	}
}

// After a change of scheme, the previous secret belongs to another scheme.
func TestSignPassesOverSecretsOfTheSchemeBefore(t *testing.T) {
	t.Parallel()
	now := time.Now()
	current := NewSecret(Standard)
	header := http.Header{}
	err := Sign(header, v1, "dlv_01", now, []byte(`{}`), []switchboard.SigningSecret{
		{Secret: current}, {Secret: NewSecret(StandardEd25519), ExpiresAt: now.Add(time.Hour)},
	})
	if err != nil || strings.Contains(header.Get("Webhook-Signature"), " ") {
		t.Fatalf("%v, %v; want one signature", err, header)
	}
	if err := verify(t, current, []byte(`{}`), header); err != nil {
		t.Error(err)
	}
}
