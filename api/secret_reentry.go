package api

import (
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook"
)

// requireAgain reports which stored secrets have to be given again, because the change sends
// them to another address than they were given for: they are never shown, and whoever may
// change the subscription need not know them. Placeholders stay in the path and query, so
// scheme, host and port are the address; a token endpoint's is all of its URL, since many
// customers share the hosts of logins. The key of a client certificate never leaves.
func requireAgain(before, after *switchboard.Subscription) func(field string) bool {
	moved := origin(before.Request.URL) != origin(after.Request.URL)
	authMoved := before.Auth.Type == after.Auth.Type && (moved || before.Auth.TokenURL != after.Auth.TokenURL)
	return func(field string) bool {
		if strings.HasPrefix(field, "request.headers.") {
			return moved
		}
		return authMoved && field != "auth.private_key"
	}
}

// origin is a URL's scheme, host and port as requests are sent there: φίλος.gr and φίλοσ.gr
// are the same word in two cases, and two hosts. What has no such form stays as it is written,
// and so is an origin of its own.
func origin(rawURL string) string {
	if address, err := webhook.FinalAddress("url", rawURL); err == nil {
		return address
	}
	return switchboard.Address(rawURL)
}
