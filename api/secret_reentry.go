package api

import (
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// requireAgain refuses a change that keeps stored secrets and sends them to another address
// than they were given for: they are never shown, and whoever may change the subscription need
// not know them. Placeholders stay in the path and query, so scheme, host and port are the
// address; a token endpoint's is all of its URL, since many customers share the hosts of
// logins. The key of a client certificate never leaves.
func requireAgain(before, after *switchboard.Subscription, kept []string) error {
	moved := origin(before.Request.URL) != origin(after.Request.URL)
	authMoved := moved || before.Auth.TokenURL != after.Auth.TokenURL
	for _, field := range kept {
		inHeader := strings.HasPrefix(field, "request.headers.")
		if inHeader && moved || !inHeader && authMoved && field != "auth.private_key" {
			return switchboard.InvalidField(field, "must be given again: it would be sent to another address than it was given for")
		}
	}
	return nil
}

// origin is a URL's scheme, host and port as requests are sent there: φίλος.gr and φίλοσ.gr
// are the same word in two cases, and two hosts. What has no such form stays as it is written,
// and so is an origin of its own.
func origin(rawURL string) string {
	if address, err := render.FinalAddress("url", rawURL); err == nil {
		return address
	}
	return switchboard.Address(rawURL)
}
