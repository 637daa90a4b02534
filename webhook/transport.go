package webhook

import (
	"crypto/tls"
	"net/http"
	"time"

	"switchboard"
)

// Defaults and bounds of connections.
const (
	defaultConnect   = 5 * time.Second
	defaultHandshake = 5 * time.Second
	// Kept connections: as many to a host as a subscription has requests in flight
	// by default, twice; and for less time than common servers keep theirs, so that
	// a request seldom meets a connection that is just being closed.
	idlePerHost = 2 * switchboard.DefaultMaxInFlight
	idleInAll   = 1024
	idleTime    = 30 * time.Second
	// A network that drops everything leaves a connection of HTTP/2 looking alive,
	// and all requests to its host would share it: ask it.
	pingAfter = 5 * time.Second
	pingTime  = 5 * time.Second
	// What a hostile receiver can make us hold in memory per request and connection
	// of HTTP/2; the defaults are megabytes.
	streamBuffer     = 64 << 10
	connectionBuffer = 1 << 20
)

// isRepeated reports whether net/http takes the request for one that does no harm
// twice: it repeats such a one by itself when a kept connection is closed before the
// answer. The receiver may have read it by then, and an attempt is one request.
func isRepeated(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	// Written as net/http looks for them, and so as [http.Header.Set] writes them.
	_, hasKey := req.Header["Idempotency-Key"]
	_, hasOther := req.Header["X-Idempotency-Key"]
	return hasKey || hasOther
}

// alone returns the transport for one request, on a connection of its own: net/http
// repeats nothing on a new one. It closes that one with the answer, in HTTP/2 too,
// so that there is nothing to close here.
func alone(transport *http.Transport) *http.Transport {
	single := transport.Clone()
	single.DisableKeepAlives = true
	return single
}

// newTransport makes a transport with connections of its own.
func (s *Sender) newTransport() *http.Transport {
	transport := &http.Transport{
		Proxy:                  nil, // the environment's is for other things, see docs/egress.md
		DialContext:            s.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.rootCAs},
		TLSHandshakeTimeout:    s.handshakeTimeout,
		ForceAttemptHTTP2:      true, // a DialContext of one's own switches it off otherwise
		DisableCompression:     true, // what was received is stored as it came, and no bomb goes off
		MaxIdleConns:           idleInAll,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: maxHeaderRead,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout:               pingAfter,
			PingTimeout:                   pingTime,
			MaxReceiveBufferPerStream:     streamBuffer,
			MaxReceiveBufferPerConnection: connectionBuffer,
		},
	}
	if s.guard.proxy != nil {
		s.useProxy(transport)
	}
	return transport
}
