package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook"
)

// TestPreviewResend: the request has the changes, the answer says whether the address is another
// one, nothing is stored, and the preview refuses what the resend refuses.
func TestPreviewResend(t *testing.T) {
	t.Parallel()
	const invalid, forbidden = http.StatusUnprocessableEntity, http.StatusForbidden
	for _, c := range []struct {
		key, body string
		status    int
		field     string
		want      string // in the answer
	}{
		{supportKey, `{}`, 200, "", `"body":"rendered"`},
		{supportKey, `{"headers":{"X-Replay":"1"},"timeout":"20s"}`, 200, "", `"X-Replay":"1"`},
		{supportKey, `{"headers":{"Authorization":"hunter2"}}`, 200, "", `"Authorization":"[redacted]"`},
		{adminKey, `{"url":"https://other.example.com/x","body":"mine"}`, 200, "", `"body":"mine","elsewhere":true`},
		{adminKey, `{"url":"https://crm.example.com/other"}`, 200, "", `"elsewhere":false`},

		{supportKey, `{"body":"x"}`, forbidden, "body", ""},
		{integratorKey, `{}`, forbidden, "", ""},
		{adminKey, `{"reason":"r"}`, invalid, "reason", ""},
		{adminKey, `{"url":"http://169.254.169.254/latest"}`, invalid, "url", ""},
		{adminKey, `{"headers":{"Host":"evil.example.com"}}`, invalid, "headers.Host", ""},
		{adminKey, `{"timeout":"31s"}`, invalid, "timeout", ""},
	} {
		b := setup(t, func(config *Config) { config.Sender.(*fakeSender).Previewer = overriddenPreview{} })
		got := b.call(t, c.key, "POST", "/v1/deliveries/dlv_acme/preview", c.body)
		switch c.status {
		case http.StatusOK:
			if got.want(t, c.status); !strings.Contains(string(got.body), c.want) {
				t.Errorf("%s: %s", c.body, got.body)
			}
		case forbidden:
			got.wantProblem(t, c.status, switchboard.CodeForbidden, c.field)
		default:
			got.wantProblem(t, c.status, switchboard.CodeInvalid, c.field)
		}
		if b.stored(t) {
			t.Errorf("%s: something was stored or started", c.body)
		}
	}
}

// TestPreviewResendOfTheErased: there is nothing to send.
func TestPreviewResendOfTheErased(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.db.sql.Exec("UPDATE events SET erased_at = now(), data = '' WHERE id = 'evt_globex'") // of a delivery that has ended
	must(t, err)
	b.call(t, adminKey, "POST", "/v1/deliveries/dlv_globex/preview", `{}`).wantProblem(t, http.StatusConflict, switchboard.CodeConflict, "")
}

// overriddenPreview shows the subscription with the changes, without rendering.
type overriddenPreview struct{}

func (overriddenPreview) Preview(loaded switchboard.LoadedDelivery, _ time.Time) (webhook.Preview, error) {
	loaded = webhook.Overridden(loaded)
	made := webhook.Preview{Method: "POST", URL: loaded.Subscription.Request.URL, Headers: loaded.Subscription.Request.Headers, Body: []byte("rendered")}
	if loaded.Body != nil {
		made.Body = []byte(*loaded.Body)
	}
	return made, nil
}
