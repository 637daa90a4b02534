package webhook

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"
)

// phase is how far an attempt has come. It tells failures apart that look alike,
// above all what was not done in time.
type phase int32

const (
	resolving phase = iota
	connecting
	handshaking
	connected // from here on the receiver may have seen the request
	answering // the first byte of the answer has come
)

// progress follows one attempt. A dial may outlive the request that began it, so
// several goroutines write to it.
type progress struct{ reached, dials atomic.Int32 }

type progressKey struct{}

// reach notes a phase; an earlier one than was reached already is not noted.
func (p *progress) reach(next phase) {
	for {
		now := p.reached.Load()
		if now >= int32(next) || p.reached.CompareAndSwap(now, int32(next)) {
			return
		}
	}
}

func (p *progress) phase() phase { return phase(p.reached.Load()) }

// dial connects to the address, "host:port", within the connect timeout, which
// includes resolving the name. The addresses are tried in the resolver's order,
// each with its share of the time that is left.
func (s *Sender) dial(ctx context.Context, network, address string) (net.Conn, error) {
	// net/http lets a dial outlive its request, to keep the connection for the next
	// one; this bound is then the only one.
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
	addrs, err := s.guard.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		p.reach(connecting)
	}
	var failed []error
	for i, addr := range addrs {
		conn, err := s.dialOne(ctx, network, netip.AddrPortFrom(addr, uint16(port)), len(addrs)-i)
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

// dialOne connects to one address in the first of so many equal shares of the
// context's time.
func (s *Sender) dialOne(ctx context.Context, network string, addr netip.AddrPort, shares int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(shares))
		defer cancel()
	}
	dialer := net.Dialer{Control: s.guard.control}
	return dialer.DialContext(ctx, network, addr.String())
}
