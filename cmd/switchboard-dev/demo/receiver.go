package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/seed-49a43567/switchboard"
)

// maxBody bounds what the receiver reads: more than any demo event.
const maxBody = 1 << 20

// failingPath is the endpoint that fails when the demo begins, for outage; onCallPath is the one that
// hears of it.
const (
	failingPath = "/crm"
	onCallPath  = "/on-call"
	outage      = 45 * time.Second
)

// receiver is what a customer would run: it verifies the signature with the
// official library, and prints what arrives.
type receiver struct {
	verifier *standardwebhooks.Webhook
	out      io.Writer

	mu        sync.Mutex
	attempts  map[string]int // of deliveries that were not taken yet, by webhook-id
	recovered bool
}

// recover ends the outage after that time.
func (r *receiver) recover(ctx context.Context, after time.Duration) error {
	end := time.NewTimer(after)
	defer end.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-end.C:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recovered = true
	fmt.Fprintf(r.out, "  receiver  %s is back: what waits for it arrives with its next attempt, or after the next probe\n", failingPath)
	return nil
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
	status, number := r.answer(id, request.URL.Path)
	fmt.Fprintf(r.out, "  receiver  %s  %s, attempt %d, signature verified, answered %d\n", id, request.URL.Path, number, status)
	if request.URL.Path == onCallPath {
		r.alert(body)
	}
	w.WriteHeader(status)
}

// alert prints what an operational event says.
func (r *receiver) alert(body []byte) {
	var e struct {
		Type string
		Data switchboard.OperationalData
	}
	if json.Unmarshal(body, &e) == nil {
		fmt.Fprintf(r.out, "  on call   %s %s: %s\n", e.Data.Subscription.Name, e.Type, e.Data.Reason)
	}
}

func (r *receiver) answer(id, path string) (status, number int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts[id]++
	number = r.attempts[id]
	if path == failingPath && !r.recovered {
		return http.StatusServiceUnavailable, number
	}
	delete(r.attempts, id)
	return http.StatusNoContent, number
}
