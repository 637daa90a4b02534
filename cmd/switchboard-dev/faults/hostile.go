package faults

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// The tenants of the hostile receivers.
const (
	tenantHTTP1 = "faults-http1"
	tenantTLS   = "faults-tls"
	tenantHTTP2 = "faults-http2"
)

// misbehaviour is what a hostile receiver does with a connection, which is then closed, at the
// latest after hostileLimit.
type misbehaviour func(net.Conn)

// hostileLimit is longer than Switchboard waits for these receivers.
const hostileLimit = 5 * time.Second

// floodPause stops a flood from using up the machine's CPU, which is not the fault.
const floodPause = 10 * time.Millisecond

// hostile is a receiver that misbehaves on request, in each of its ways in turn, and otherwise
// answers 200.
type hostile struct {
	url      string
	listener net.Listener
	server   *http.Server
	ways     []misbehaviour
	bad      atomic.Bool
	count    atomic.Int64
	well     chan net.Conn // to the server
	closed   chan struct{}
	close    func() error

	mu   sync.Mutex
	kept []net.Conn // of the server, since it last misbehaved
}

// startHostile starts all hostile receivers, by tenant.
func startHostile(seen *arrivals, c *certificates) (map[string]*hostile, error) {
	all := map[string]*hostile{}
	for _, wanted := range []struct {
		tenant string
		ways   []misbehaviour
		config *tls.Config // nil: it speaks plain HTTP
	}{
		{tenantHTTP1, http1Ways(), nil},
		{tenantTLS, tlsWays(c), &tls.Config{Certificates: []tls.Certificate{c.good}, NextProtos: []string{"http/1.1"}}},
		{tenantHTTP2, http2Ways(c), &tls.Config{Certificates: []tls.Certificate{c.good}, NextProtos: []string{"h2"}}},
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return all, err // the caller closes the started ones
		}
		all[wanted.tenant] = newHostile(listener, seen, wanted.ways, wanted.config)
	}
	return all, nil
}

func newHostile(listener net.Listener, seen *arrivals, ways []misbehaviour, config *tls.Config) *hostile {
	h := &hostile{listener: listener, ways: ways, well: make(chan net.Conn), closed: make(chan struct{})}
	h.server = &http.Server{Handler: seen, ReadHeaderTimeout: 10 * time.Second, TLSConfig: config}
	h.close = sync.OnceValue(func() error {
		close(h.closed)
		return errors.Join(h.server.Close(), ignoreClosed(listener.Close()))
	})
	go h.accept()
	if config == nil {
		h.url = "http://" + listener.Addr().String() + "/"
		go func() { _ = h.server.Serve(h) }() // returns after Close, and only then
		return h
	}
	h.url = "https://" + listener.Addr().String() + "/"
	h.server.Protocols = new(http.Protocols)
	h.server.Protocols.SetHTTP1(config.NextProtos[0] == "http/1.1")
	h.server.Protocols.SetHTTP2(config.NextProtos[0] == "h2")
	go func() { _ = h.server.ServeTLS(h, "", "") }()
	return h
}

func (h *hostile) accept() {
	for {
		conn, err := h.listener.Accept()
		if err != nil {
			return // closed
		}
		if h.bad.Load() {
			way := h.ways[int(h.count.Add(1)-1)%len(h.ways)]
			go misbehave(conn, way)
			continue
		}
		select {
		case h.well <- conn:
		case <-h.closed:
			_ = conn.Close()
		}
	}
}

func misbehave(conn net.Conn, way misbehaviour) {
	defer func() { _ = conn.Close() }()
	if conn.SetDeadline(time.Now().Add(hostileLimit)) == nil {
		way(conn)
	}
}

// Accept, Close and Addr make the channel of well-behaved connections a listener for the server.
func (h *hostile) Accept() (net.Conn, error) {
	select {
	case conn := <-h.well:
		h.mu.Lock()
		defer h.mu.Unlock()
		h.kept = append(h.kept, conn)
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close closes the listener.
func (h *hostile) Close() error { return ignoreClosed(h.listener.Close()) }

// Addr is the receiver's address.
func (h *hostile) Addr() net.Addr { return h.listener.Addr() }

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// dropKept closes the kept connections.
func (h *hostile) dropKept() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, conn := range h.kept {
		_ = conn.Close() // it may already be closed
	}
	h.kept = nil
}

// beHostile makes the receiver of that tenant misbehave for the duration of a fault. It closes
// earlier connections, so that every request is affected.
func beHostile(tenant string) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		h := r.hostile[tenant]
		h.bad.Store(true)
		defer h.bad.Store(false)
		h.dropKept()
		return r.hold(ctx)
	}
}
