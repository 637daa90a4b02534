package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// authorized is a message with what proves to the receiver who sends it.
type authorized struct {
	message render.Message
	to      destination
	token   grant // of oauth2 only
}

// authorize adds the subscription's endpoint authentication to the message. The token
// refused is not used again. Its errors are those of [Sender.token].
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
		a.message.Header = m.Header.Clone() // what is stored of the message never holds the credential
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

// CheckAuth asks, when a subscription is saved, whether its auth works: a token
// endpoint must give a token, and a client certificate must not have expired. What
// does not is an Invalid error for the field at fault. Whether the receiver accepts it,
// only a delivery shows.
func (s *Sender) CheckAuth(ctx context.Context, sub switchboard.Subscription) error {
	switch sub.Auth.Type {
	case switchboard.AuthOAuth2:
		return s.checkToken(ctx, &sub.Auth)
	case switchboard.AuthMTLS:
		return checkCertificate(&sub.Auth, time.Now())
	}
	return nil
}
