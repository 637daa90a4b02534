package signing

import (
	"bytes"
	"encoding/hex"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// The test vectors of RFC 4231 for HMAC-SHA-256, except the truncated one.
func TestHexSignatureOfRFC4231(t *testing.T) {
	t.Parallel()
	tests := []struct{ key, data, want string }{
		{strings.Repeat("\x0b", 20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{strings.Repeat("\xaa", 20), strings.Repeat("\xdd", 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
		{unhex(t, "0102030405060708090a0b0c0d0e0f10111213141516171819"), strings.Repeat("\xcd", 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
		{strings.Repeat("\xaa", 131), "Test Using Larger Than Block-Size Key - Hash Key First", "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
		{strings.Repeat("\xaa", 131), "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.", "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
	}
	for i, test := range tests {
		if got := signHex([]byte(test.key), "", "", []byte(test.data)); got != test.want {
			t.Errorf("case %d: %s; want %s", i+1, got, test.want)
		}
	}
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// receivers compute the signature like a customer's receiver, each with a library outside of Go.
func receivers(secret string) map[string]*exec.Cmd {
	const script = `
		const { createHmac } = require("node:crypto");
		const mac = createHmac("sha256", process.env.SECRET);
		process.stdin.on("data", (chunk) => mac.update(chunk)).on("end", () => console.log(mac.digest("hex")));`
	node := exec.Command("node", "-e", script)
	node.Env = append(node.Environ(), "SECRET="+secret)
	return map[string]*exec.Cmd{
		"node":    node,
		"openssl": exec.Command("openssl", "dgst", "-sha256", "-r", "-hmac", secret),
	}
}

// A machine for tests has Node.js or OpenSSL; each available one must agree.
func TestHexSignatureIsVerifiedByOtherImplementations(t *testing.T) {
	t.Parallel()
	bodies := map[string][]byte{
		"vendor's":  []byte(`{"event":"user.created","payload":{"id":"7","name":"Anna"}}`),
		"odd bytes": []byte("{\"a\": \"\xff\x00\\u00e9 é\"}\r\n"),
		"empty":     {},
		"large":     bytes.Repeat([]byte(`{"a":1}`), 20_000),
	}
	secrets := []switchboard.Secret{"sz_live_5f2e8c0b7d", "ein Schlüssel 'with' \"quotes\" $HOME", NewSecret(HMACHex)}
	asked := map[string]int{}
	for _, secret := range secrets {
		for name, body := range bodies {
			header := http.Header{}
			signature := switchboard.Signature{Scheme: HMACHex, Header: "x-signalzen-signature"}
			if err := Sign(header, signature, "dlv_01", time.Now(), body, []switchboard.SigningSecret{{Secret: secret}}); err != nil {
				t.Fatal(err)
			}
			for program, command := range receivers(secret.Reveal()) {
				if command.Err != nil {
					continue
				}
				command.Stdin = bytes.NewReader(body)
				out, err := command.Output()
				if err != nil {
					t.Fatalf("%s: %v", program, err)
				}
				want, _, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
				if got := header.Get("X-Signalzen-Signature"); got != want || len(want) != 64 {
					t.Errorf("%s, %s: %s; want %s", program, name, got, want)
				}
				asked[program]++
			}
		}
	}
	if len(asked) == 0 {
		t.Error("neither node nor openssl is installed: nobody else has checked the signature")
	}
}

func TestHexSignatureHeader(t *testing.T) {
	t.Parallel()
	now := time.Unix(1700000000, 0)
	signature := switchboard.Signature{Scheme: HMACHex, Header: "x-hub-signature-256", Prefix: "sha256="}
	header := http.Header{"X-Env": {"prod"}}
	err := Sign(header, signature, "dlv_01", now, []byte("Hello, World!"), []switchboard.SigningSecret{
		{Secret: "It's a Secret to Everybody"}, {Secret: "the secret before", ExpiresAt: now.Add(time.Hour)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"X-Env": {"prod"}, "Webhook-Id": {"dlv_01"}, "Webhook-Timestamp": {"1700000000"},
		// GitHub documents this value for this secret and body.
		"X-Hub-Signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
	}
	if diff := cmp.Diff(want, header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}
