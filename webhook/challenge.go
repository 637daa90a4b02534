package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

const (
	challengeTime   = 10 * time.Second
	challengePrefix = "chl_" // of the webhook-id, which is no delivery's
	maxShown        = 100    // bytes of a wrong answer that the error quotes
)

// Challenge asks the subscription's URL whether it wants our requests: it posts
// {"challenge":"…"}, signed and authenticated as a delivery is, with the headers that hold
// no placeholders, and expects the bare value back within 10 s. Any other response is an
// Invalid error for the field "request.url"; an *[Interrupted] says nothing about the
// receiver.
func (s *Sender) Challenge(ctx context.Context, sub switchboard.Subscription) error {
	const field = "request.url"
	if switchboard.HoldsTemplate(sub.Request.URL) {
		return switchboard.InvalidField(field, "cannot be challenged: it has placeholders, and there is no event to fill them from")
	}
	target, err := render.FinalURL(field, sub.Request.URL)
	if err != nil {
		return err
	}
	value, now := rand.Text(), time.Now()
	m := render.Message{
		Method: http.MethodPost, URL: target,
		Header: fixedHeaders(sub.Request.Headers), Body: []byte(`{"challenge":"` + value + `"}`),
	}
	m.Header.Set("Content-Type", "application/json")
	if err := s.sign(m, &sub, switchboard.NewID(challengePrefix, now), now); err != nil {
		return err
	}
	outcome, err := s.send(ctx, &sub, m, challengeTime)
	switch {
	case err != nil:
		return err
	case outcome.StatusCode == 0:
		return switchboard.InvalidField(field, "did not answer the challenge: %s", outcome.Detail)
	case outcome.Failure != "" || !isAnswer(outcome.Response, value):
		return switchboard.InvalidField(field, "must answer the challenge with its bare value and a status of 2xx, and answered %s", describe(outcome))
	}
	return nil
}

// fixedHeaders returns the headers that need no event.
func fixedHeaders(headers map[string]string) http.Header {
	header := make(http.Header, len(headers)+5) // content type, user agent, three of the signature
	for name, value := range headers {
		if !switchboard.HoldsTemplate(value) {
			header.Set(name, value)
		}
	}
	return header
}

// isAnswer reports whether the body is the value, bare or as a JSON string.
func isAnswer(response switchboard.Response, value string) bool {
	body := bytes.TrimSpace(response.Body)
	var text string
	return !response.Truncated && (string(body) == value || json.Unmarshal(body, &text) == nil && text == value)
}

// describe returns the status and the beginning of the body, for people.
func describe(o switchboard.Outcome) string {
	body := bytes.TrimSpace(o.Response.Body)
	if len(body) == 0 {
		return fmt.Sprintf("%d without a body", o.StatusCode)
	}
	return fmt.Sprintf("%d with %q", o.StatusCode, validText(string(body[:min(len(body), maxShown)])))
}
