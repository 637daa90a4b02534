package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// soon is a time limit for receivers that never do what the attempt waits for.
const soon = 300 * time.Millisecond

// shortly repeats an attempt with a short time limit until its outcome is as expected. On a busy
// machine the limit may end before the attempt has come to the wait: then the next attempt gets
// four times as long. It returns the last outcome.
func shortly(attempt func(limit time.Duration) switchboard.Outcome, is func(switchboard.Outcome) bool) switchboard.Outcome {
	for limit := soon; ; limit *= 4 {
		if o := attempt(limit); is(o) || limit > plenty/4 {
			return o
		}
	}
}

// sendShortly does that with send, until the outcome is that failure.
func sendShortly(t *testing.T, s *Sender, url string, failure switchboard.Failure) switchboard.Outcome {
	t.Helper()
	return shortly(func(limit time.Duration) switchboard.Outcome { return send(t, s, url, limit) },
		func(o switchboard.Outcome) bool { return o.Failure == failure })
}

// want fails the test unless the outcome is that failure without an answer, with a detail that
// reveals nothing.
func want(t *testing.T, o switchboard.Outcome, failure switchboard.Failure) {
	t.Helper()
	if o.Failure != failure || o.StatusCode != 0 || o.RetryAfter != 0 || o.Latency <= 0 {
		t.Errorf("%+v; want %s", o, failure)
	}
	if o.Detail == "" || strings.Contains(o.Detail, "s3cret") || strings.Contains(o.Detail, "://") || strings.ContainsAny(o.Detail, "?\n") {
		t.Errorf("detail %q", o.Detail)
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	tests := map[string]struct {
		failure switchboard.Failure
		trusted *x509.CertPool
		change  func(*x509.Certificate)
		detail  string
	}{
		"good":          {"", ca.pool(), nil, ""},
		"expired":       {switchboard.FailureTLSExpired, ca.pool(), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }, "expired at"},
		"not yet valid": {switchboard.FailureTLSExpired, ca.pool(), func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }, "is not valid yet: it is from"},
		"untrusted":     {switchboard.FailureTLSUntrusted, other.pool(), nil, "issuer is not trusted"},
		"other name":    {switchboard.FailureTLSName, ca.pool(), func(c *x509.Certificate) { c.DNSNames = []string{"other.test"} }, "is for another host name"},
		"other purpose": {switchboard.FailureTLS, ca.pool(), func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, "may not be used"},
		"no SAN": {switchboard.FailureTLSName, ca.pool(), func(c *x509.Certificate) {
			c.DNSNames, c.Subject = nil, pkix.Name{CommonName: "receiver.test"}
		}, "has no subject alternative name"},
		"no SAN, other common name": {switchboard.FailureTLSName, ca.pool(), func(c *x509.Certificate) {
			c.DNSNames, c.Subject = nil, pkix.Name{CommonName: "other.test"}
		}, "has no subject alternative name"},
		"SAN of a mailbox": {switchboard.FailureTLSName, ca.pool(), func(c *x509.Certificate) {
			c.DNSNames, c.EmailAddresses = nil, []string{"a@receiver.test"}
		}, "has no subject alternative name for a host"},
		"SAN of an address": {switchboard.FailureTLSName, ca.pool(), func(c *x509.Certificate) {
			c.DNSNames, c.IPAddresses = nil, []net.IP{net.IPv4(127, 0, 0, 1)}
		}, "is for IP addresses"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, s := serveTLS(t, ca.issue(t, test.change), test.trusted, http.NotFoundHandler())
			o := send(t, s, url+"/hook?token=s3cret", plenty)
			if test.failure != "" {
				want(t, o, test.failure)
				if !strings.Contains(o.Detail, test.detail) {
					t.Errorf("detail %q; want %q in it", o.Detail, test.detail)
				}
			} else if o.StatusCode != 404 {
				t.Errorf("%+v; want 404", o)
			}
		})
	}
}

// The URL has an IP address, and the certificate does not.
func TestCertificateForAnAddress(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	url, s := serveTLS(t, ca.issue(t, nil), ca.pool(), http.NotFoundHandler())
	o := send(t, s, strings.Replace(url, "receiver.test", "127.0.0.1", 1), plenty)
	want(t, o, switchboard.FailureTLSName)
	if o.Detail != "the certificate is for host names, and the url has an IP address" {
		t.Errorf("detail %q", o.Detail)
	}
}

// The detail says who ended the connection, and what each side says in TLS.
func TestWhoBrokeOff(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	port := portOf(t, listen(t, func(conn net.Conn) {
		server := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{ca.issue(t, nil)}, NextProtos: []string{"http/1.1"}})
		if readRequest(server) == nil {
			_, _ = conn.Write([]byte("\x17\x03\x03\x00\x20" + strings.Repeat("s3cret..", 4))) // a record that is not encrypted
			_, _ = io.Copy(io.Discard, conn)
		}
	}))
	s := setup(t, func(c *Config) { c.Guard.resolver, c.RootCAs = toLoopback{}, ca.pool() })
	o := send(t, s, "https://receiver.test:"+port, plenty)
	want(t, o, switchboard.FailureTLS)
	if o.Detail != "what the receiver sent is refused in TLS: bad record MAC" {
		t.Errorf("detail %q", o.Detail)
	}
}

func TestTLSFailures(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	handshake := func(config *tls.Config) func(net.Conn) {
		config.Certificates = []tls.Certificate{ca.issue(t, nil)}
		return func(conn net.Conn) {
			server := tls.Server(conn, config)
			if server.Handshake() != nil {
				_, _ = io.Copy(io.Discard, conn) // so that the alert is read before the connection ends
			}
		}
	}
	tests := map[string]struct {
		failure switchboard.Failure
		serve   func(net.Conn)
	}{
		"plain HTTP":        {switchboard.FailureTLS, func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n") }},
		"garbage":           {switchboard.FailureTLS, func(conn net.Conn) { _, _ = conn.Write(make([]byte, 100)) }},
		"old version only":  {switchboard.FailureTLS, handshake(&tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})},
		"wants our own":     {switchboard.FailureTLS, handshake(&tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12})},
		"wants it, TLS 1.3": {switchboard.FailureTLS, handshake(&tls.Config{ClientAuth: tls.RequireAnyClientCert})},
		"closes":            {switchboard.FailureReset, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1<<14)) }},
		"silent":            {switchboard.FailureTLS, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := portOf(t, listen(t, test.serve))
			s := setup(t, func(c *Config) {
				c.Guard.resolver, c.RootCAs, c.HandshakeTimeout = toLoopback{}, ca.pool(), soon
			})
			if name != "silent" {
				s = setup(t, func(c *Config) { c.Guard.resolver, c.RootCAs = toLoopback{}, ca.pool() })
			}
			want(t, send(t, s, "https://receiver.test:"+port+"/?token=s3cret", plenty), test.failure)
		})
	}
	t.Run("silent until the attempt's time is up", func(t *testing.T) {
		t.Parallel()
		addr := listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
		want(t, sendShortly(t, setup(t, nil), "https://"+addr, switchboard.FailureTLS), switchboard.FailureTLS)
	})
}

func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		failure  switchboard.Failure
		response string
	}{
		"nothing":            {switchboard.FailureReset, ""},
		"half the header":    {switchboard.FailureReset, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"},
		"half a status line": {switchboard.FailureBadResponse, "HTTP/1.1 20"}, // net/http takes it for a whole one
		"garbage":            {switchboard.FailureBadResponse, "s3cret garbage\r\n\r\n"},
		"binary":             {switchboard.FailureBadResponse, "\x00\x01\x02\r\n\r\n"},
		"status no number":   {switchboard.FailureBadResponse, "HTTP/1.1 abc OK\r\n\r\n"},
		"status too short":   {switchboard.FailureBadResponse, "HTTP/1.1 20 OK\r\n\r\n"},
		"other protocol":     {switchboard.FailureBadResponse, "SSH-2.0-OpenSSH_9.9 s3cret\r\n"},
	}
	s := setup(t, nil)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want(t, send(t, s, answers(t, test.response)+"/?token=s3cret", plenty), test.failure)
		})
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	addr := listen(t, func(conn net.Conn) {
		if readRequest(conn) == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Half: ")
			_ = conn.(*net.TCPConn).SetLinger(0) // closing sends RST
		}
	})
	want(t, send(t, setup(t, nil), "http://"+addr, plenty), switchboard.FailureReset)
	refusesAtOnce := listen(t, func(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) })
	want(t, send(t, setup(t, nil), "http://"+refusesAtOnce, plenty), switchboard.FailureReset)
}

func TestNoConnection(t *testing.T) {
	t.Parallel()
	_, taken := bound(t) // a socket that does not listen has the port
	want(t, send(t, setup(t, nil), "http://"+taken+"/?token=s3cret", plenty), switchboard.FailureConnectRefused)

	full := fullListener(t)
	s := setup(t, func(c *Config) { c.ConnectTimeout = soon })
	want(t, send(t, s, "http://"+full, plenty), switchboard.FailureConnectTimeout)
	want(t, sendShortly(t, setup(t, nil), "http://"+full, switchboard.FailureConnectTimeout), switchboard.FailureConnectTimeout)

	// No route leads to a broadcast address; the kernel says so at once.
	s = setup(t, func(c *Config) { c.Guard = NewGuard([]netip.Prefix{netip.MustParsePrefix("255.255.255.255/32")}) })
	want(t, send(t, s, "http://255.255.255.255", plenty), switchboard.FailureConnect)
}

func TestNextAddressIsTried(t *testing.T) {
	t.Parallel()
	port := portOf(t, strings.TrimPrefix(answers(t, "HTTP/1.1 204 No Content\r\n\r\n"), "http://"))
	s := setup(t, func(c *Config) {
		c.Guard.resolver = names{"two.test": {netip.MustParseAddr("127.0.0.9"), netip.MustParseAddr("127.0.0.1")}}
	})
	if o := send(t, s, "http://two.test:"+port, plenty); o.StatusCode != 204 {
		t.Errorf("%+v; want 204 from the second address", o)
	}
}

// bound returns a socket that is bound to a port of loopback, and its address.
func bound(t *testing.T) (fd int, addr string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
}

// fullListener returns the address of a listener whose queue is full, so that the kernel drops
// other connections.
func fullListener(t *testing.T) string {
	t.Helper()
	fd, addr := bound(t)
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		conn, err := net.DialTimeout("tcp", addr, soon)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the listener's queue does not fill")
	return ""
}

// silent is a resolver that does not answer in time.
type silent struct{}

func (silent) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// broken is a resolver whose server is in trouble.
type broken struct{}

func (broken) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return nil, &net.DNSError{Err: "server misbehaving", Name: host, Server: "s3cret", IsTemporary: true}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, resolver := range map[string]resolver{
		"unknown": names{}, "without addresses": names{"receiver.test": nil}, "silent": silent{}, "broken": broken{},
	} {
		s := setup(t, func(c *Config) { c.Guard.resolver, c.ConnectTimeout = resolver, soon })
		o := send(t, s, "http://receiver.test/?token=s3cret", plenty)
		if o.Failure != switchboard.FailureDNS {
			t.Errorf("%s: %+v", name, o)
		}
		want(t, o, switchboard.FailureDNS)
	}
	s := setup(t, func(c *Config) { c.Guard.resolver = silent{} })
	want(t, send(t, s, "http://receiver.test", soon), switchboard.FailureDNS)
}

func TestShortageIsOurs(t *testing.T) {
	t.Parallel()
	s := setup(t, nil)
	for _, errno := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		o, err := s.noResponse(t.Context(), &net.OpError{Op: "dial", Err: errno}, new(try), &attemptState{timeout: plenty})
		if interrupted, ok := errors.AsType[*Interrupted](err); !ok || interrupted.Sent || o.Failure != switchboard.FailureUnknown {
			t.Errorf("%v: %+v, %v; want an interruption", errno, o, err)
		}
	}
}
