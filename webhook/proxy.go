package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// proxyTime is the time limit for connecting to the egress proxy, with TLS. The proxy is in our own
// network. The limit is below that of an attempt, so that a timeout can be attributed.
const proxyTime = 2 * time.Second

// ParseProxy reads the URL of an egress proxy: http, https or socks5. Proxies of the first two get
// a CONNECT for https receivers, and the requests themselves for http ones. The URL may contain a
// user name and a password, so errors do not quote it.
func ParseProxy(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil: // it quotes the URL
		return nil, errors.New("is not a URL such as http://user:password@proxy.example.internal:3128")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" && u.Scheme != "socks5h":
		return nil, errors.New("must start with http://, https:// or socks5://")
	case u.Hostname() == "":
		return nil, errors.New("names no host")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("may hold nothing after host and port")
	case !switchboard.IsPort(u.Port()):
		return nil, errors.New("names a port that does not exist")
	}
	return u, nil
}

// proxyError says that the egress proxy cannot be used, so that no receiver can be reached.
type proxyError struct{ err error }

func (e *proxyError) Error() string { return e.err.Error() }

func (e *proxyError) Unwrap() error { return e.err }

// proxyAway returns the error of an unusable proxy in the form that callers of the API may see.
func proxyAway(err error) error {
	return &switchboard.Error{
		Code: switchboard.CodeUnavailable, Message: "the egress proxy, through which all receivers are reached, cannot be used now",
		Err: &proxyError{err},
	}
}

// proxyRefusal is the response of an egress proxy that refuses to connect to the host.
type proxyRefusal struct{ status int }

func (e *proxyRefusal) Error() string { return fmt.Sprintf("the egress proxy answered %d", e.status) }

// outcome returns the outcome of the attempt. A proxy refuses an address with 403, Smokescreen with
// 407. 504 means that there was no connection in time.
func (e *proxyRefusal) outcome() switchboard.Outcome {
	failure := switchboard.FailureConnect
	switch e.status {
	case http.StatusForbidden, http.StatusProxyAuthRequired:
		failure = switchboard.FailureForbidden
	case http.StatusGatewayTimeout:
		failure = switchboard.FailureConnectTimeout
	}
	return failed(failure, "the egress proxy answered %d instead of connecting to the host", e.status)
}

// useProxy makes the transport connect through the guard's proxy. The proxy's own address is not
// guarded, because the operator chose it.
func (s *Sender) useProxy(transport *http.Transport) {
	transport.Proxy = func(req *http.Request) (*url.URL, error) {
		return s.guard.proxy, s.guard.permitHost(req.URL.Hostname())
	}
	if s.guard.proxy.Scheme == "https" {
		// By default the transport offers HTTP/2 to the proxy but does not speak it, and presents
		// the receiver's client certificate.
		transport.DialTLSContext = s.dialProxyTLS
	}
	transport.ProxyConnectHeader = http.Header{"User-Agent": {s.userAgent}}
	transport.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
		switch {
		case resp.StatusCode == http.StatusOK:
			return nil
		case resp.StatusCode == http.StatusProxyAuthRequired && resp.Header.Get("Proxy-Authenticate") != "":
			// The proxy asks for credentials (RFC 9110 15.5.8): ours are wrong.
			return proxyAway(&proxyRefusal{resp.StatusCode})
		}
		return &proxyRefusal{resp.StatusCode}
	}
}

// dialProxy connects to the proxy.
func (s *Sender) dialProxy(ctx context.Context, network, address string) (net.Conn, error) {
	reach(ctx, reachingProxy)
	var dialer net.Dialer
	ctx, cancel := context.WithTimeout(ctx, min(proxyTime, s.connectTimeout))
	defer cancel()
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, proxyAway(err)
	}
	if s.guard.proxy.Scheme != "https" {
		reach(ctx, connecting)
	}
	return conn, nil
}

// dialProxyTLS connects to a proxy that speaks TLS.
func (s *Sender) dialProxyTLS(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, min(proxyTime, s.connectTimeout))
	defer cancel()
	conn, err := s.dialCounted(ctx, network, address)
	if err != nil {
		return nil, err
	}
	secured := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.rootCAs, ServerName: s.guard.proxy.Hostname()})
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, proxyAway(err)
	}
	reach(ctx, connecting)
	return &responseConn{Conn: secured}, nil // net/http would take a bare *tls.Conn for the receiver's
}
