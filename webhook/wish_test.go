package webhook

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// TestReceiverWishes: the header counts only if the receiver knows Standard Webhooks.
func TestReceiverWishes(t *testing.T) {
	t.Parallel()
	const disable, abort = switchboard.WishDisable, switchboard.WishAbortMessage
	for name, c := range map[string]struct {
		scheme switchboard.Scheme
		status int
		header string
		want   switchboard.ReceiverWish
	}{
		"standard":               {signing.Standard, 500, "disable", disable},
		"standard, a success":    {signing.Standard, 200, "disable", disable},
		"standard, abort":        {signing.Standard, 400, "abort-message", abort},
		"ed25519":                {signing.StandardEd25519, 500, "abort-message", abort},
		"hmac":                   {signing.HMACHex, 500, "disable", ""},
		"not signed":             {signing.None, 500, "abort-message", ""},
		"no header":              {signing.Standard, 500, "", ""},
		"another word":           {signing.Standard, 500, "retry", ""},
		"in capitals":            {signing.Standard, 500, "DISABLE", disable},
		"a redirect, and a word": {signing.Standard, 302, "disable", disable},
	} {
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("webhook-delivery", c.header)
			w.WriteHeader(c.status)
		}))
		w := work(receiver.URL)
		w.Subscription.Signature = switchboard.Signature{Scheme: c.scheme}
		signing.SetDefaults(&w.Subscription.Signature)
		w.Subscription.Secrets = nil
		if secret := signing.NewSecret(c.scheme); secret != "" {
			w.Subscription.Secrets = []switchboard.SigningSecret{{Secret: secret}}
		}
		if o := attempt(t, setup(t, nil), w, plenty); o.StatusCode != c.status || o.Wish != c.want {
			t.Errorf("%s: %d, %q (%s); want %d, %q", name, o.StatusCode, o.Wish, o.Detail, c.status, c.want)
		}
		receiver.Close()
	}
}
