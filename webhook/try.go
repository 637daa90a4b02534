package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

// maxDials limits how many connections one request may dial. net/http dials again, without end, if
// an HTTP/2 connection is closed before the request gets a stream on it. Many simultaneous requests
// to a receiver that allows few streams need a few dials each.
const maxDials = 10

var (
	errSentBefore   = errors.New("net/http would send the request again by itself")
	errTooManyDials = errors.New("each connection was closed before it could be used")
)

// attemptState is what an attempt has done so far.
type attemptState struct {
	timeout  time.Duration // of the attempt, for people
	requests int           // number of requests that got a connection, and so may have been sent
	repeated bool          // the one repeat is used up
	remoteIP string        // the address that was dialled last; empty: none, or the proxy's
	reason   string        // why the receiver refused the token with 403; empty: it did not say
}

// try is one running request.
type try struct {
	progress
	cancel   context.CancelCauseFunc
	used     *http.Transport
	route    route
	http1    bool          // the transport offers HTTP/1.1 only
	conn     net.Conn      // the connection that was used; nil: none yet
	reused   bool          // the connection has served another request before
	sent     atomic.Bool   // a part of the header was sent; set only for requests without a body
	response *responseConn // conn, if it is HTTP/1.1
}

// watch returns a context in which net/http reports to t. hasBody says whether the request has a
// body.
func (t *try) watch(ctx context.Context, hasBody bool) context.Context {
	trace := &httptrace.ClientTrace{
		TLSHandshakeStart:    func() { t.reach(handshaking) },
		GotConn:              t.gotConn,
		GotFirstResponseByte: func() { t.reach(answering) },
	}
	if !hasBody {
		trace.WroteHeaderField = func(string, []string) { t.sent.Store(true) }
	}
	ctx = context.WithValue(ctx, progressKey{}, &t.progress)
	return httptrace.WithClientTrace(ctx, trace)
}

// gotConn is called before the request is written to a connection. net/http itself repeats requests
// without a body, over HTTP/2 some hundred times a second. gotConn stops that and leaves the
// decision to [try.again]. As long as nothing was sent, net/http may continue.
func (t *try) gotConn(info httptrace.GotConnInfo) {
	if t.sent.Load() {
		t.cancel(errSentBefore)
		if !isHTTP2(info.Conn) { // the context's end would come too late there
			_ = info.Conn.Close()
		}
		return
	}
	t.conn, t.reused = info.Conn, info.Reused
	if t.response, _ = info.Conn.(*responseConn); t.response != nil {
		t.response.begin()
	}
	t.reach(connected)
}

// remoteIP returns the address of the connection, or else the last address that was dialled.
func (t *try) remoteIP() string {
	if t.conn != nil {
		if addr, ok := t.conn.RemoteAddr().(*net.TCPAddr); ok {
			return addr.AddrPort().Addr().Unmap().String()
		}
	}
	if addr := t.dialled.Load(); addr != nil {
		return addr.Unmap().String()
	}
	return ""
}

func isHTTP2(conn net.Conn) bool {
	secure, ok := conn.(*tls.Conn)
	return ok && secure.ConnectionState().NegotiatedProtocol == protoHTTP2
}

// repeat says how a request may be repeated within its attempt.
type repeat int

const (
	never     repeat = iota
	anew             // on a new connection
	overHTTP1        // on a new connection, over HTTP/1.1
)

// again decides whether a request that failed without a response is repeated. An attempt repeats at
// most once. Receivers recognise a repeated delivery by its webhook-id, and the next attempt would
// send the same (RFC 9110 9.2.2). So the only point is that a failure that says nothing about the
// receiver uses up no attempt.
func (t *try) again(err error) repeat {
	text := err.Error()
	switch {
	case http2Code(text) == codeHTTP1Required && !t.http1: // RFC 9113 7
		return overHTTP1
	case isRenegotiation(err) && !t.http1 && t.route.client != route{}.client:
		return overHTTP1
	// By GOAWAY or REFUSED_STREAM the receiver said that it did not process the request (RFC 9113
	// 8.7).
	case errors.Is(err, errSentBefore), strings.HasPrefix(text, cannotRetry):
		return anew
	// Some servers send PROTOCOL_ERROR instead of GOAWAY.
	case http2Code(text) == codeProtocolError && strings.Contains(text, fromPeer):
		return anew
	// The receiver or the network closed an idle connection in the meantime (RFC 9112 9.3.1).
	case t.reused && t.phase() == connected && (!isHTTP2(t.conn) || isLost(err)):
		return anew
	}
	return never
}

// isIdleTimeout reports whether the response comes from a server that closes an idle connection
// because it got no request, while ours was on its way (RFC 9110 15.5.9).
func (t *try) isIdleTimeout(resp *http.Response) bool {
	return resp.StatusCode == http.StatusRequestTimeout && resp.Close && t.reused && !isHTTP2(t.conn)
}

// outgoing is a request that may be made more than once.
type outgoing struct {
	build   func(context.Context) (*http.Request, error)
	hasBody bool
}

// try makes one request. t is nil if the request could not be made at all; otherwise the caller
// calls t.cancel after reading the response.
func (s *Sender) try(ctx context.Context, to destination, x *attemptState, r outgoing) (t *try, resp *http.Response, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	t = &try{cancel: cancel}
	req, err := r.build(t.watch(ctx, r.hasBody))
	if err != nil {
		cancel(nil)
		return nil, nil, err
	}
	t.route = to.route(req.URL)
	entry, err := s.pool.get(t.route, to.client)
	if err != nil {
		cancel(nil)
		return nil, nil, err
	}
	t.used, t.http1 = entry.transport, entry.http1
	req.GetBody = nil // over HTTP/2, net/http would also repeat a request with a body
	transport := entry.transport
	if x.repeated {
		transport = singleUse(transport)
	}
	// A transport instead of a client, because it follows no redirects and stores no cookies.
	resp, err = transport.RoundTrip(req)
	switch {
	case t.conn != nil:
		x.requests++
	case s.guard.proxy != nil:
		// This ends dials for which nobody waits any more. net/http waits a minute for a proxy's
		// answer to CONNECT, and forever for one that speaks SOCKS.
		go transport.CloseIdleConnections()
	}
	if err != nil && errors.Is(context.Cause(ctx), errSentBefore) {
		err = errSentBefore
	}
	return t, resp, err
}

// do makes one request. Once per attempt it makes a second one, if the failure or response of the
// first allows it.
func (s *Sender) do(ctx context.Context, to destination, x *attemptState, r outgoing) (*try, *http.Response, error) {
	for {
		t, resp, err := s.try(ctx, to, x, r)
		if t == nil || ctx.Err() != nil || ours(err) || err == nil && !t.isIdleTimeout(resp) {
			return t, resp, err
		}
		how := anew
		if err != nil {
			how = t.again(err)
		}
		if how == overHTTP1 { // also for later attempts
			s.pool.demandHTTP1(t.route, to.client)
		}
		if how == never || x.repeated {
			return t, resp, err
		}
		if err == nil {
			_ = resp.Body.Close()
		}
		t.cancel(nil)
		x.repeated = true
	}
}
