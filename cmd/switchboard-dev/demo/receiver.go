package demo

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
)

// maxBody limits what the receiver reads. It is more than any demo event.
const maxBody = 1 << 20

// receiver does what the demo's customers would do: it verifies the signature with the official
// library. The console shows what it answers; it prints the rest.
type receiver struct {
	verifier *standardwebhooks.Webhook
	out      io.Writer
	started  time.Time
	plain    net.Listener
	expired  net.Listener // with the expired certificate
}

func newReceiver(c Config) (*receiver, error) {
	verifier, err := standardwebhooks.NewWebhook(c.Secret.Reveal())
	if err != nil {
		return nil, err
	}
	r := &receiver{verifier: verifier, out: c.Out, started: time.Now()}
	if r.plain, err = listen(c.Receiver, "--demo-addr"); err != nil {
		return nil, err
	}
	if r.expired, err = listen(c.Expired, "--demo-tls-addr"); err != nil {
		return nil, errors.Join(err, r.plain.Close())
	}
	host, _, err := net.SplitHostPort(c.Expired)
	if err != nil {
		return nil, err
	}
	certificate, err := expiredCertificate(host, r.started)
	if err != nil {
		return nil, err
	}
	r.expired = tls.NewListener(r.expired, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	return r, nil
}

func listen(address, flag string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("the demo's receiver: %w (choose another address with %s, or leave the demo out with --no-demo)", err, flag)
	}
	return listener, nil
}

// serve answers until ctx ends.
func (r *receiver) serve(ctx context.Context) error {
	// Handshakes that a client refuses are not logged, because the console shows them.
	server := &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	var group errgroup.Group
	for _, listener := range []net.Listener{r.plain, r.expired} {
		group.Go(func() error {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	return group.Wait()
}

// ServeHTTP answers in the way of a careful receiver, and of the path.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxBody))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	if err := r.verifier.Verify(body, request.Header); err != nil {
		fmt.Fprintf(r.out, "  receiver  %s  signature REFUSED: %v\n", request.Header.Get("webhook-id"), err)
		http.Error(w, "signature refused", http.StatusUnauthorized)
		return
	}
	switch path := request.URL.Path; {
	case path == warehousePath:
		<-request.Context().Done() // the sender gives up, or the demo ends
	case path == crmPath && crmFails(time.Since(r.started)):
		http.Error(w, "upstream connect error: the CRM restarts", http.StatusServiceUnavailable)
	default:
		if path == onCallPath {
			r.alert(body)
		}
		w.WriteHeader(http.StatusNoContent)
	}
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
