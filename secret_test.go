package switchboard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	const text = "whsec_dG9wLXNlY3JldA=="
	secret := Secret(text)
	work := LoadedDelivery{Subscription: Subscription{Secrets: []SigningSecret{{Secret: secret}}}}
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%.40s", "%30v"} {
		fmt.Fprintf(&printed, verb+"\n", secret)
		fmt.Fprintf(&printed, verb+"\n", &secret)
		fmt.Fprintf(&printed, verb+"\n", []Secret{secret})
		fmt.Fprintf(&printed, verb+"\n", work)
		fmt.Fprintf(&printed, verb+"\n", fmt.Errorf("%w: "+verb, errors.ErrUnsupported, secret))
	}
	fmt.Fprintln(&printed, secret, secret.String())
	for _, value := range []any{secret, &secret, work, map[string]Secret{"a": secret}} {
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		printed.Write(encoded)
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", value)
		printed.Write(log.Bytes())
	}
	for _, hidden := range []string{text, "dG9w", fmt.Sprintf("%x", text), fmt.Sprintf("%X", text)} {
		if strings.Contains(printed.String(), hidden) {
			t.Errorf("printing shows %q in:\n%s", hidden, printed.String())
		}
	}
	if !strings.Contains(printed.String(), Mask) {
		t.Errorf("nothing is masked in:\n%s", printed.String())
	}
	if secret.Reveal() != text {
		t.Errorf("Reveal() = %q; want the text", secret.Reveal())
	}
}

func TestSecretIsReadFromJSON(t *testing.T) {
	t.Parallel()
	var got struct{ Secret Secret }
	if err := json.Unmarshal([]byte(`{"secret":"whsec_abc"}`), &got); err != nil || got.Secret.Reveal() != "whsec_abc" {
		t.Errorf("%q, %v; want whsec_abc", got.Secret.Reveal(), err)
	}
}

func TestMaskHeaders(t *testing.T) {
	t.Parallel()
	headers := map[string]string{
		"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret", "x-apikey": "s3cret", "Cookie": "s3cret", "Set-Cookie": "s3cret",
		"X-Auth": "s3cret", "X-Access-Token": "s3cret", "Client-SECRET": "s3cret", "X-Session": "s3cret", "Proxy-Authorization": "s3cret",
		"Password": "s3cret", "X-Aws-Credential": "s3cret", "X-Access-Key": "s3cret",
		"Content-Type": "application/json", "X-Env": "prod", "Webhook-Signature": "v1,abc",
	}
	masked := MaskHeaders(headers)
	for name, value := range masked {
		if strings.Contains(value, "s3cret") {
			t.Errorf("%s is not masked", name)
		}
	}
	for _, name := range []string{"Content-Type", "X-Env", "Webhook-Signature"} {
		if masked[name] != headers[name] {
			t.Errorf("%s: %q; want it unchanged", name, masked[name])
		}
	}
	if len(masked) != len(headers) || headers["Cookie"] != "s3cret" {
		t.Error("MaskHeaders drops headers, or changes its argument")
	}
}
