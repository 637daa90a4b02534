// Package receive verifies the webhooks that Switchboard sends, for receivers written in Go.
//
//	verifier, err := receive.New(receive.Config{Secrets: []string{os.Getenv("WEBHOOK_SECRET")}})
//	http.Handle("POST /hook", verifier.Handler(func(w http.ResponseWriter, r *http.Request, m receive.Message) {
//		…
//	}))
//
// It verifies the signature scheme "standard", which is that of Standard Webhooks, with that
// project's own library. A receiver may get a message twice: whoever must not act twice
// remembers [Message.ID] for as long as the sender retries.
package receive

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// DefaultMaxBody is room for an event of the most data that Switchboard takes by default,
// 256 KiB, in any encoding.
const DefaultMaxBody = 1 << 20

// Config says what is accepted.
type Config struct {
	// Secrets are the signing secrets, each as the answer that made it shows it, with
	// whsec_. One is enough; while a secret is rotated both are given, in any order.
	Secrets []string

	MaxBody int64 // in bytes; a longer body is answered with 413. 0: DefaultMaxBody
}

// Verifier verifies webhooks. It may be used by several goroutines at the same time.
type Verifier struct {
	keys    []*standardwebhooks.Webhook
	maxBody int64
}

// Message is a webhook whose signature is right.
type Message struct {
	ID   string // the same in every attempt of the delivery
	Body []byte // as it was sent, byte for byte
}

// New makes a verifier.
func New(config Config) (*Verifier, error) {
	if len(config.Secrets) == 0 {
		return nil, errors.New("receive: Config.Secrets is empty")
	}
	v := &Verifier{maxBody: config.MaxBody}
	if v.maxBody == 0 {
		v.maxBody = DefaultMaxBody
	}
	for i, secret := range config.Secrets {
		key, err := standardwebhooks.NewWebhook(secret)
		empty := strings.TrimPrefix(secret, "whsec_") == "" // as of a variable that is not set: anybody could sign
		if err != nil || empty {                            // the library's error is not shown: it may hold the secret
			return nil, fmt.Errorf("receive: secret %d is not one of the scheme standard, as whsec_ and base64", i+1)
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
}

// Verify reports what is wrong with a webhook's signature or time; nil: it is genuine. The body
// is the bytes as they came.
func (v *Verifier) Verify(header http.Header, body []byte) error {
	var err error
	for _, key := range v.keys {
		if err = key.Verify(body, header); err == nil {
			return nil
		}
	}
	return fmt.Errorf("receive: %w", err)
}

// Handler passes the webhooks that are genuine on to next. It answers others with 401, which
// says what is wrong and never what would be right, and a body that is too long with 413. What
// next answers is what Switchboard sees: 2xx ends the delivery, anything else is tried again.
func (v *Verifier) Handler(next func(http.ResponseWriter, *http.Request, Message)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, v.maxBody))
		if _, long := errors.AsType[*http.MaxBytesError](err); long {
			http.Error(w, fmt.Sprintf("the body is longer than %d bytes", v.maxBody), http.StatusRequestEntityTooLarge)
			return
		}
		if err != nil {
			http.Error(w, "the body did not arrive whole", http.StatusBadRequest)
			return
		}
		if err := v.Verify(r.Header, body); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		next(w, r, Message{ID: r.Header.Get(standardwebhooks.HeaderWebhookID), Body: body})
	})
}
