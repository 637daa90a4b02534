package console

import (
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// TestSnippetsOfASubscription: they have its header and prefix.
func TestSnippetsOfASubscription(t *testing.T) {
	t.Parallel()
	sub := &client.Subscription{}
	sub.Signature.Signature = switchboard.Signature{Scheme: "hmac-sha256-hex", Header: "X-Acme-Signature", Prefix: "v0="}
	tab, err := snippetsOf(sub)
	must(t, err)
	for _, s := range tab.Snippets {
		for _, word := range []string{"X-Webhook-Signature", "x-webhook-signature", "HTTP_X_WEBHOOK_SIGNATURE", `"sha256="`, `'sha256='`} {
			if strings.Contains(s.Text, word) {
				t.Errorf("%s has %s", s.Language, word)
			}
		}
	}
	sub.Signature.Prefix = `"; drop`
	tab, err = snippetsOf(sub)
	must(t, err)
	if tab.Prefix != `"; drop` || strings.Contains(tab.Snippets[0].Text, "drop") {
		t.Errorf("a prefix that has to be escaped stands in a program")
	}
	sub.Signature.Scheme = "none"
	if tab, err = snippetsOf(sub); err != nil || len(tab.Snippets) > 0 || tab.Note == "" {
		t.Errorf("%+v, %v", tab, err)
	}
}
