package webhook

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// loopback is the allow-list of the guard with which tests reach their receivers.
func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// names is a resolver that only knows these hosts.
type names map[string][]netip.Addr

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if addrs, ok := n[host]; ok {
		return addrs, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// setup returns a sender that may reach loopback; change may be nil.
func setup(t testing.TB, change func(*Config)) *Sender {
	t.Helper()
	config := Config{Guard: NewGuard(loopback()), Version: "1.2.3"}
	if change != nil {
		change(&config)
	}
	s := NewSender(config)
	t.Cleanup(s.Close)
	return s
}

// work is a valid work whose subscription posts the data to that URL.
func work(url string) switchboard.LoadedDelivery {
	w := switchboard.LoadedDelivery{
		Delivery: switchboard.Delivery{ID: "dlv_01", Tenant: "acme"},
		Event: switchboard.Event{
			ID: "evt_01", Tenant: "acme", Type: "ticket.created", Data: []byte(`{"a": 1.0}`),
			OccurredAt: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.FixedZone("", 3600)),
		},
		Subscription: switchboard.Subscription{
			ID: "sub_01", Tenant: "acme", Name: "CRM", Events: []string{"*"},
			Request: switchboard.Request{URL: url, Body: switchboard.BodyData},
			Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}},
		},
	}
	w.Subscription.SetDefaults()
	return w
}

// withParams is a valid work whose subscription sends params.
func withParams(url, method, contentType, params string) switchboard.LoadedDelivery {
	w := work(url)
	r := &w.Subscription.Request
	r.Method, r.Body, r.ContentType, r.Params = method, switchboard.BodyParams, contentType, json.RawMessage(params)
	return w
}

// send makes one attempt that must not be interrupted.
func send(t *testing.T, s *Sender, url string, timeout time.Duration) switchboard.Outcome {
	t.Helper()
	_, outcome, err := s.Attempt(t.Context(), work(url), time.Now(), timeout)
	if err != nil {
		t.Fatalf("Attempt: %v", err)
	}
	return outcome
}

// listen is a receiver below HTTP: serve gets each connection, which is closed when serve returns.
// It returns the receiver's address.
func listen(t testing.TB, serve func(conn net.Conn)) string {
	t.Helper()
	return listenAt(t, "127.0.0.1:0", serve)
}

// listener listens at an address. It skips the test on a machine without that address.
func listener(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		skipWithout(t, address, err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// skipWithout skips the test on a machine without the address, and fails it for any other error.
func skipWithout(t testing.TB, address string, err error) {
	t.Helper()
	if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Skipf("this machine has no %s: %v", address, err)
	}
	t.Fatal(err)
}

// listenAt is listen at that address.
func listenAt(t testing.TB, address string, serve func(conn net.Conn)) string {
	t.Helper()
	l := listener(t, address)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// portOf is the port of an address with host and port.
func portOf(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// answers is a receiver that reads each request and then writes these bytes, and closes the
// connection.
func answers(t *testing.T, response string) string {
	t.Helper()
	return "http://" + listen(t, func(conn net.Conn) {
		if readRequest(conn) == nil {
			_, _ = io.WriteString(conn, response)
		}
	})
}

// readRequest reads one request with its body.
func readRequest(conn net.Conn) error {
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err
}

// flood writes the text until the other side disconnects.
func flood(w io.Writer, text string) {
	for {
		if _, err := io.WriteString(w, text); err != nil {
			return
		}
	}
}

// authority issues certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert: cert, key: key}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue makes a certificate for receiver.test that is valid for that long from now on; change may
// be nil.
func (a *authority) issue(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{"receiver.test"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// serveTLS is a receiver at https://receiver.test with that certificate. It returns its URL and a
// sender whose resolver knows it and that trusts the pool.
func serveTLS(t *testing.T, cert tls.Certificate, trusted *x509.CertPool, handler http.Handler) (string, *Sender) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	server.StartTLS()
	t.Cleanup(server.Close)
	port := portOf(t, server.Listener.Addr().String())
	s := setup(t, func(c *Config) {
		c.RootCAs = trusted
		c.Guard.resolver = names{"receiver.test": {netip.MustParseAddr("127.0.0.1")}}
	})
	return "https://" + net.JoinHostPort("receiver.test", port), s
}
