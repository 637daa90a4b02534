package webhook

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// with returns the message with that header in addition. The message itself stays
// as it is: what shows the receiver who we are is added to the one that is sent
// only, never to the one that is stored.
func (m Message) with(name, value string) Message {
	m.Header = m.Header.Clone()
	m.Header.Set(name, value)
	return m
}

// sentAs is [Message.Sent] of the message with what auth adds to it, masked whatever
// the header's name.
func (m Message) sentAs(auth *switchboard.Auth) switchboard.SentRequest {
	sent := m.Sent()
	if name := auth.HeaderName(); name != "" {
		sent.Headers[name] = switchboard.Mask
	}
	return sent
}

// sendAs sends the message with what the subscription's auth shows the receiver.
// Timeout and error are those of [Sender.Attempt].
func (s *Sender) sendAs(ctx context.Context, sub *switchboard.Subscription, m Message, timeout time.Duration) (switchboard.Outcome, error) {
	return within(ctx, timeout, func(ctx context.Context, x *attemptState) (switchboard.Outcome, error) {
		to := destination{http1: sub.Request.HTTPVersion == switchboard.HTTPVersion1}
		switch auth := &sub.Auth; auth.Type {
		case switchboard.AuthBasic:
			pair := auth.Username + ":" + auth.Password.Reveal()
			m = m.with(auth.HeaderName(), "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
		case switchboard.AuthBearer:
			m = m.with(auth.HeaderName(), "Bearer "+auth.Token.Reveal())
		case switchboard.AuthAPIKey:
			m = m.with(auth.HeaderName(), auth.Value.Reveal())
		case switchboard.AuthOAuth2:
			return s.sendWithToken(ctx, sub, to, m, x)
		case switchboard.AuthMTLS:
			to.client = auth
		}
		return s.send(ctx, to, m, x)
	})
}

// sendWithToken sends the message with an OAuth token. A receiver that does not take
// the token may have lost or withdrawn it before its time: it gets the message once
// more, with a new one, within the same attempt and its timeout. What comes of that is
// the outcome; of the first request nothing is kept.
func (s *Sender) sendWithToken(ctx context.Context, sub *switchboard.Subscription, to destination, m Message, x *attemptState) (switchboard.Outcome, error) {
	name := sub.Auth.HeaderName()
	token, err := s.token(ctx, sub, refusal{})
	if err != nil {
		return s.noToken(ctx, err, x)
	}
	outcome, err := s.send(ctx, to, m.with(name, "Bearer "+token.text), x)
	status := outcome.StatusCode
	if err != nil || !s.isRefused(token, status, x.reason) {
		return outcome, err
	}
	token, err = s.token(ctx, sub, refusal{token.text, status == http.StatusForbidden && x.reason == ""})
	if err != nil {
		outcome, err = s.noToken(ctx, err, x)
		outcome.Detail = fmt.Sprintf("the receiver answered %d %s; %s", status, http.StatusText(status), outcome.Detail)
		return outcome, err
	}
	return s.send(ctx, to, m.with(name, "Bearer "+token.text), x)
}

// CheckAuth asks, when a subscription is saved, whether its auth works: a token
// endpoint must give a token, and a client certificate must not have expired. What
// does not is an [switchboard.Invalid] error for the field at fault. Whether the
// receiver takes it, only a delivery shows.
func (s *Sender) CheckAuth(ctx context.Context, sub switchboard.Subscription) error {
	switch sub.Auth.Type {
	case switchboard.AuthOAuth2:
		return s.checkToken(ctx, &sub.Auth)
	case switchboard.AuthMTLS:
		return checkCertificate(&sub.Auth, time.Now())
	}
	return nil
}
