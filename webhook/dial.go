package webhook

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// phase is how far an attempt has come. It distinguishes failures that look alike, above all
// timeouts.
type phase int32

const (
	resolving     phase = iota
	reachingProxy       // the egress proxy, which is ours
	connecting
	handshaking
	connected // from here on the receiver may have seen the request
	answering // the first byte of the response has come
)

// progress is the phase of one attempt, the number of its dials, and the address that was dialled
// last. A dial may outlive the request that began it, so several goroutines write to it.
type progress struct {
	reached, dials atomic.Int32
	dialled        atomic.Pointer[netip.Addr]
}

type progressKey struct{}

// reach notes a phase, unless a later one was reached already.
func (p *progress) reach(next phase) {
	for {
		now := p.reached.Load()
		if now >= int32(next) || p.reached.CompareAndSwap(now, int32(next)) {
			return
		}
	}
}

func (p *progress) phase() phase { return phase(p.reached.Load()) }

// reach notes a phase of the attempt that ctx belongs to.
func reach(ctx context.Context, next phase) {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		p.reach(next)
	}
}

// attemptDelay is how long a connection may take before the next address is tried as
// well (RFC 8305 5).
const attemptDelay = 250 * time.Millisecond

// dial connects to the address, "host:port", of a receiver or of the proxy, within the connect
// timeout, which includes the name's resolution. It tries the addresses of a host as RFC 8305 says:
// it adds the next address after a quarter of a second, and uses the first connection.
func (s *Sender) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if s.guard.proxy != nil {
		return s.dialProxy(ctx, network, address)
	}
	// net/http lets a dial outlive its request, to use the connection for the next one. Then only
	// this time limit ends it.
	ctx, cancel := context.WithTimeout(ctx, s.connectTimeout)
	defer cancel()
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	if err := s.guard.permitHost(host); err != nil {
		return nil, err
	}
	connect := func(ctx context.Context, addr netip.Addr) (net.Conn, error) {
		reach(ctx, connecting)
		dialer := net.Dialer{Control: func(network, address string, c syscall.RawConn) error {
			if err := s.guard.control(network, address, c); err != nil {
				return err // do not show which address was refused
			}
			if p, ok := ctx.Value(progressKey{}).(*progress); ok {
				p.dialled.Store(&addr)
			}
			return nil
		}}
		return dialer.DialContext(ctx, network, netip.AddrPortFrom(addr, uint16(port)).String())
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return connect(ctx, addr)
	}
	addrs, lookup := make(chan netip.Addr), make(chan error, 1)
	go func() { lookup <- s.guard.find(ctx, host, addrs) }()
	conn, errs := race(ctx, addrs, attemptDelay, connect, func(late net.Conn) { _ = late.Close() })
	switch {
	case conn != nil:
		return conn, nil
	case len(errs) > 0:
		return nil, slices.MinFunc(errs, func(a, b error) int { return cmp.Compare(rank(a), rank(b)) })
	}
	return nil, <-lookup
}

// rank orders the errors of a host's addresses; the lowest explains best why there is no
// connection. Errors of our own come first, since the others may follow from them. A missing route
// says little if another address has one: this machine may have no IPv6. A refusal by the guard
// comes last.
func rank(err error) int {
	_, refused := errors.AsType[*forbiddenError](err)
	switch {
	case ours(err):
		return 0
	case refused:
		return 3
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH),
		errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return 2
	}
	return 1
}
