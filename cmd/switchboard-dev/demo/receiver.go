package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"switchboard"
)

// maxBody bounds what the receiver reads: more than any demo event.
const maxBody = 1 << 20

// failEvery makes the receiver refuse the first attempt of every so-manieth
// delivery, so that a retry can be watched.
const failEvery = 5

// receiver is what a customer would run: it verifies the signature with the
// official library, and prints what arrives.
type receiver struct {
	verifier *standardwebhooks.Webhook
	out      io.Writer

	mu       sync.Mutex
	attempts map[string]int // by webhook-id
}

func newReceiver(secret switchboard.Secret, out io.Writer) (*receiver, error) {
	verifier, err := standardwebhooks.NewWebhook(secret.Reveal())
	if err != nil {
		return nil, err
	}
	return &receiver{verifier: verifier, out: out, attempts: map[string]int{}}, nil
}

func (r *receiver) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ServeHTTP answers as a careful receiver does.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxBody))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	id := request.Header.Get("webhook-id")
	if err := r.verifier.Verify(body, request.Header); err != nil {
		fmt.Fprintf(r.out, "  receiver  %s  signature REFUSED: %v\n", id, err)
		http.Error(w, "signature refused", http.StatusUnauthorized)
		return
	}
	status, number := r.answer(id)
	fmt.Fprintf(r.out, "  receiver  %s  attempt %d, %d bytes, signature verified, answered %d\n", id, number, len(body), status)
	w.WriteHeader(status)
}

func (r *receiver) answer(id string) (status, number int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts[id]++
	number = r.attempts[id]
	if number == 1 && len(r.attempts)%failEvery == 0 {
		return http.StatusServiceUnavailable, number
	}
	return http.StatusNoContent, number
}
