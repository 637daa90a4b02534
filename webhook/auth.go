package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// authorized is a message with the credentials that identify the sender to the receiver.
type authorized struct {
	message render.Message
	to      destination
	token   grant // only with oauth2
}

// authorize adds the subscription's endpoint authentication to the message. It does not use the
// refused token again. Its errors are those of [Sender.token].
func (s *Sender) authorize(ctx context.Context, sub *switchboard.Subscription, m render.Message, refused refusal) (authorized, error) {
	auth := &sub.Auth
	a := authorized{message: m, to: destination{http1: sub.Request.HTTPVersion == switchboard.HTTPVersion1}}
	var value string
	switch auth.Type {
	case switchboard.AuthBasic:
		value = "Basic " + base64.StdEncoding.EncodeToString([]byte(auth.Username+":"+auth.Password.Reveal()))
	case switchboard.AuthBearer:
		value = "Bearer " + auth.Token.Reveal()
	case switchboard.AuthAPIKey:
		value = auth.Value.Reveal()
	case switchboard.AuthOAuth2:
		var err error
		if a.token, err = s.token(ctx, sub, refused); err != nil {
			return a, err
		}
		value = "Bearer " + a.token.text
	case switchboard.AuthMTLS:
		a.to.client = auth
	}
	if name := auth.HeaderName(); name != "" {
		a.message.Header = m.Header.Clone() // the credential is never part of what is stored of the message
		a.message.Header.Set(name, value)
	}
	return a, nil
}

// sentAs is [render.Message.Sent] of the message with the header that auth adds, which is
// masked whatever its name, and the digest of the body.
func sentAs(m render.Message, auth *switchboard.Auth) switchboard.SentRequest {
	sent := m.Sent()
	digest := sha256.Sum256(m.Body)
	sent.SHA256 = digest[:]
	if name := auth.HeaderName(); name != "" {
		sent.Headers[name] = switchboard.Mask
	}
	return sent
}

// CheckAuth checks, when a subscription is saved, that its auth works: the token endpoint must give
// a token, and the client certificate must not have expired. Otherwise it returns an Invalid error
// for the field at fault. Only a delivery shows whether the receiver accepts the auth.
func (s *Sender) CheckAuth(ctx context.Context, sub switchboard.Subscription) error {
	switch sub.Auth.Type {
	case switchboard.AuthOAuth2:
		return s.checkToken(ctx, &sub.Auth)
	case switchboard.AuthMTLS:
		return checkCertificate(&sub.Auth, time.Now())
	}
	return nil
}
