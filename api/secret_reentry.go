package api

import (
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// requireAgain refuses a change that keeps stored secrets but sends them to another address than
// they were given for. Secrets are never shown, and people who may change the subscription need not
// know them. An address is scheme, host and port, because path and query may have placeholders. For
// a token endpoint it is the whole URL, since many customers share the hosts of logins. The key of
// a client certificate never leaves.
func requireAgain(before, after *switchboard.Subscription, kept []string) error {
	moved := render.Origin(before.Request.URL) != render.Origin(after.Request.URL)
	authMoved := moved || before.Auth.TokenURL != after.Auth.TokenURL
	for _, field := range kept {
		inHeader := strings.HasPrefix(field, "request.headers.")
		if inHeader && moved || !inHeader && authMoved && field != "auth.private_key" {
			return switchboard.InvalidField(field, "must be given again: it would be sent to another address than it was given for")
		}
	}
	return nil
}
