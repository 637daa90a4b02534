package webhook

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/http2"

	"github.com/seed-49a43567/switchboard"
)

// Defaults and limits of connections.
const (
	defaultConnect   = 5 * time.Second
	defaultHandshake = 5 * time.Second
	// Idle connections to a host: twice the default number of requests in flight of a subscription.
	idlePerHost = 2 * switchboard.DefaultMaxInFlight
	// Below the 5 s after which Node, Apache and uvicorn close an idle connection, so that requests
	// rarely meet a connection that is just being closed. Gunicorn closes after 2 s: a request that
	// meets such a connection is repeated once.
	idleTime = 4 * time.Second
	// In a network that drops everything, an HTTP/2 connection looks alive, and all requests to its
	// host would share it. A ping finds out.
	pingAfter = 5 * time.Second
	pingTime  = 5 * time.Second
	// A receiver that reads nothing and keeps sending gets no ping, and could keep its connection
	// open. No attempt on it lasts longer than this.
	writeTime = time.Duration(switchboard.MaxTimeout)
	// How much memory a hostile receiver can make us use per HTTP/2 stream and connection. The
	// defaults are megabytes.
	streamBuffer     = 64 << 10
	connectionBuffer = 1 << 20
)

// http2Limits are the limits of HTTP/2 connections.
func http2Limits() http.HTTP2Config {
	return http.HTTP2Config{
		SendPingTimeout:               pingAfter,
		PingTimeout:                   pingTime,
		WriteByteTimeout:              writeTime,
		MaxReceiveBufferPerStream:     streamBuffer,
		MaxReceiveBufferPerConnection: connectionBuffer,
	}
}

// newTransport makes a transport with separate connections. It offers the HTTP versions in the
// NextProtos of the config.
func (s *Sender) newTransport(config *tls.Config) *http.Transport {
	transport := &http.Transport{
		Proxy:                  nil, // never the environment's, see docs/egress.md
		DialContext:            s.dialPlain,
		DialTLSContext:         s.dialTLS(config),
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    s.handshakeTimeout,
		ForceAttemptHTTP2:      true, // a custom DialContext would switch it off
		DisableCompression:     true, // the body is stored as it came, and no compression bomb is unpacked
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: maxHeaderRead,
		HTTP2:                  new(s.http2),
	}
	if config.NextProtos[0] == protoHTTP2 {
		withHTTP2(transport)
	} else {
		transport.ForceAttemptHTTP2 = false
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP1(true)
	}
	if s.guard.proxy != nil {
		s.useProxy(transport)
	}
	return transport
}

// The names of HTTP versions in TLS (RFC 7301).
const (
	protoHTTP2 = "h2"
	protoHTTP1 = "http/1.1"
)

// singleUse returns a transport for one request on a new connection. It closes the connection after
// the response, also with HTTP/2.
func singleUse(transport *http.Transport) *http.Transport {
	single := transport.Clone()
	single.DisableKeepAlives = true
	if single.ForceAttemptHTTP2 {
		single.TLSNextProto = nil // it leads to the connections of the other transport
		withHTTP2(single)
	}
	return single
}

// withHTTP2 makes a transport use the HTTP/2 of golang.org/x/net. In net/http of Go 1.26, a
// receiver can lock all HTTP/2 of a process with one frame, a WINDOW_UPDATE that overflows a
// stream's window: processWindowUpdate in h2_bundle.go locks the connection twice, and everybody
// who then looks for a connection to any receiver waits forever.
func withHTTP2(transport *http.Transport) {
	if err := http2.ConfigureTransport(transport); err != nil { //nolint:staticcheck // what it is deprecated for is what the fault is in
		panic(err) // only if the transport already has its own HTTP/2
	}
}

// dialPlain makes a connection that remembers the status of the last response.
func (s *Sender) dialPlain(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := s.dialCounted(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &responseConn{Conn: conn}, nil
}

// dialCounted makes a connection, unless the request has reached [maxDials].
func (s *Sender) dialCounted(ctx context.Context, network, address string) (net.Conn, error) {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok && p.dials.Add(1) > maxDials {
		return nil, errTooManyDials
	}
	return s.dial(ctx, network, address)
}

// dialTLS does what net/http does by default, with one difference: an HTTP/1.1 connection remembers
// the status of the last response. An HTTP/2 connection must be a *[tls.Conn].
func (s *Sender) dialTLS(config *tls.Config) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		plain, err := s.dialCounted(ctx, network, address)
		if err != nil {
			return nil, err
		}
		own := config.Clone()
		own.ServerName = host
		conn := tls.Client(plain, own)
		reach(ctx, handshaking)
		ctx, cancel := context.WithTimeout(ctx, s.handshakeTimeout)
		defer cancel()
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = plain.Close()
			return nil, err
		}
		if conn.ConnectionState().NegotiatedProtocol == protoHTTP2 {
			return conn, nil
		}
		return &responseConn{Conn: conn}, nil
	}
}
