package signing

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/circl/sign/ed25519"

	"github.com/seed-49a43567/switchboard"
)

// verifyV1a checks a signature like a receiver that only knows the public key, with another
// implementation of Ed25519 than the signing one.
func verifyV1a(t *testing.T, public string, body []byte, header http.Header) bool {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
	if err != nil || len(key) != ed25519.PublicKeySize {
		t.Fatalf("the public key %q: %v", public, err)
	}
	content := header.Get("webhook-id") + "." + header.Get("webhook-timestamp") + "." + string(body)
	for each := range strings.SplitSeq(header.Get("webhook-signature"), " ") {
		version, encoded, _ := strings.Cut(each, ",")
		signature, err := base64.StdEncoding.DecodeString(encoded)
		if version != "v1a" || err != nil {
			t.Fatalf("the signature %q is not one of v1a: %v", each, err)
		}
		if ed25519.Verify(key, []byte(content), signature) {
			return true
		}
	}
	return false
}

func TestEd25519IsVerifiedByAnotherImplementation(t *testing.T) {
	t.Parallel()
	v1a := switchboard.Signature{Scheme: StandardEd25519}
	now := time.Now()
	body := []byte("{\"a\": \"\xff.\\u00e9\"}\n")
	secrets := []switchboard.SigningSecret{
		{Secret: NewSecret(StandardEd25519)},
		{Secret: NewSecret(StandardEd25519), ExpiresAt: now.Add(time.Second)},
		{Secret: NewSecret(StandardEd25519), ExpiresAt: now},
	}
	keys := PublicKeys(StandardEd25519, secrets, now.Add(-time.Second)) // when all three were valid
	header := http.Header{}
	if err := Sign(header, v1a, "dlv_01", now, body, secrets); err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Fields(header.Get("webhook-signature"))); n != 2 || len(header) != 3 {
		t.Errorf("%d signatures in %v; want those of the two keys that are valid", n, header)
	}
	for i, want := range []bool{true, true, false} {
		if got := verifyV1a(t, keys[i].Text, body, header); got != want {
			t.Errorf("key %d verifies: %t; want %t", i, got, want)
		}
	}
	tampered := map[string]func() (http.Header, []byte){
		"body":      func() (http.Header, []byte) { return header, append([]byte(" "), body...) },
		"id":        func() (http.Header, []byte) { h := header.Clone(); h.Set("webhook-id", "dlv_02"); return h, body },
		"timestamp": func() (http.Header, []byte) { h := header.Clone(); h.Set("webhook-timestamp", "1"); return h, body },
	}
	for name, change := range tampered {
		h, b := change()
		if verifyV1a(t, keys[0].Text, b, h) {
			t.Errorf("tampered %s: the signature verifies", name)
		}
	}
}

// Customers often bring the whole private key, in libsodium's form.
func TestEd25519WithAPrivateKeyOf64Bytes(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	secret := switchboard.Secret("whsk_" + base64.StdEncoding.EncodeToString(private))
	header := http.Header{}
	err = Sign(header, switchboard.Signature{Scheme: StandardEd25519}, "dlv_01", time.Now(), []byte(`{}`), []switchboard.SigningSecret{{Secret: secret}})
	if err != nil {
		t.Fatal(err)
	}
	if !verifyV1a(t, "whpk_"+base64.StdEncoding.EncodeToString(public), []byte(`{}`), header) {
		t.Error("the signature does not verify")
	}
}
