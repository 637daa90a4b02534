// Package receive verifies the webhooks that Switchboard sends, for receivers written in Go.
//
//	verifier, err := receive.New(receive.Config{Secrets: []string{os.Getenv("WEBHOOK_SECRET")}})
//	http.Handle("POST /hook", verifier.Handler(func(w http.ResponseWriter, r *http.Request, m receive.Message) {
//		…
//	}))
//
// It verifies the signature scheme "standard", which is that of Standard Webhooks, with that
// project's own library. A receiver may get a message twice. If it must not act twice, it
// has to remember [Message.ID] for as long as the sender retries.
package receive

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// DefaultMaxBody has room, in any encoding, for an event with the default maximum of data, 256 KiB.
const DefaultMaxBody = 1 << 20

// Config says what to accept.
type Config struct {
	// Secrets are the signing secrets, each as in the answer that made it, with whsec_. One is
	// enough. While a secret is rotated, give both, in any order.
	Secrets []string

	MaxBody int64 // in bytes; a longer body is answered with 413; 0: DefaultMaxBody
}

// Verifier verifies webhooks. Several goroutines may use it at the same time.
type Verifier struct {
	keys    []*standardwebhooks.Webhook
	maxBody int64
}

// Message is a webhook with a valid signature.
type Message struct {
	ID   string // the same in every attempt of the delivery
	Body []byte // byte for byte as it was sent
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
		empty := strings.TrimPrefix(secret, "whsec_") == "" // for example from an unset variable: anybody could sign
		if err != nil || empty {                            // the library's error is hidden because it may contain the secret
			return nil, fmt.Errorf("receive: secret %d is not one of the scheme standard, as whsec_ and base64", i+1)
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
}

// Verify says what is wrong with a webhook's signature or time, or returns nil if the webhook is
// genuine. The body must have the bytes as they came.
func (v *Verifier) Verify(header http.Header, body []byte) error {
	var err error
	for _, key := range v.keys {
		if err = key.Verify(body, header); err == nil {
			return nil
		}
	}
	return fmt.Errorf("receive: %w", err)
}

// Handler passes genuine webhooks on to next. It answers others with 401, which says what is wrong
// but never what would be right, and too long bodies with 413. Switchboard sees what next answers:
// 2xx ends the delivery, and after anything else it tries again.
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
