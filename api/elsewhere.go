package api

import (
	"net/textproto"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
	"github.com/seed-49a43567/switchboard/webhook"
)

// checkElsewhere refuses a change that sends a stored secret to another place than it
// was given for, unless the secret is given again: it is never shown, and who may
// change the subscription need not know it. Placeholders stay in the path and query,
// so scheme, host and port are the place; a token endpoint's is all of its URL, since
// many customers share the hosts of logins.
func (p *subscriptionPatch) checkElsewhere(before, after *switchboard.Subscription) error {
	elsewhere := place(before.Request.URL) != place(after.Request.URL)
	if before.Auth.Type == after.Auth.Type && (elsewhere || before.Auth.TokenURL != after.Auth.TokenURL) {
		if err := p.Auth.checkAnew(&after.Auth); err != nil {
			return err
		}
	}
	if !elsewhere {
		return nil
	}
	given := map[string]string{}
	if p.Request.Headers != nil {
		for name, value := range *p.Request.Headers {
			given[textproto.CanonicalMIMEHeaderKey(name)] = value
		}
	}
	for name := range after.Request.Headers {
		value, anew := given[textproto.CanonicalMIMEHeaderKey(name)]
		if switchboard.SensitiveHeader(name) && (!anew || value == switchboard.Mask) {
			return keptElsewhere("request.headers." + rest.Clip(name))
		}
	}
	return nil
}

// place is a URL's scheme, host and port as requests are sent there: φίλος.gr and
// φίλοσ.gr are the same word in two cases, and two hosts. What has no such form stays as
// it is written, and so is a place of its own.
func place(rawURL string) string {
	if address, err := webhook.FinalAddress("url", rawURL); err == nil {
		return address
	}
	return switchboard.Address(rawURL)
}

// checkAnew is an error unless the secret that stands in a's requests was given. A
// client certificate's key never leaves, so it need not be.
func (in *authInput) checkAnew(a *switchboard.Auth) error {
	if in == nil {
		in = &authInput{}
	}
	for _, s := range []struct {
		field         string
		stored, given *switchboard.Secret
	}{
		{"auth.password", &a.Password, in.Password},
		{"auth.token", &a.Token, in.Token},
		{"auth.value", &a.Value, in.Value},
		{"auth.client_secret", &a.ClientSecret, in.ClientSecret},
	} {
		if *s.stored != "" && (s.given == nil || s.given.Reveal() == switchboard.Mask) {
			return keptElsewhere(s.field)
		}
	}
	for name := range a.Parameters {
		if !switchboard.SensitiveHeader(name) {
			continue // it is shown
		}
		if in.Parameters == nil || (*in.Parameters)[name] == switchboard.Mask {
			return keptElsewhere("auth.parameters." + rest.Clip(name))
		}
	}
	return nil
}

func keptElsewhere(field string) error {
	return switchboard.InvalidField(field, "must be given again: it would be sent to another address than it was given for")
}
