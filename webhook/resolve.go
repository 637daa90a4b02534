package webhook

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"
)

const (
	// resolutionDelay is how long IPv4 addresses wait for the IPv6 ones (RFC 8305 3).
	resolutionDelay = 50 * time.Millisecond
	// serverDelay is how long a name server has before the next one is asked as well.
	// Name servers answer within a fraction of it, and several fit into the time that
	// there is for connecting.
	serverDelay = time.Second
	// maxAddresses bounds the addresses of a name that are tried. Its owner chooses them,
	// and thousands would make a port scan of one attempt.
	maxAddresses = 16
)

// resolver is the part of [net.Resolver] that a guard needs.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// family is a kind of addresses. The order is the one in which they are preferred.
type family int

const (
	ipv6 family = iota
	ipv4
)

// network is the family as package net writes it.
func (f family) network() string { return [...]string{ipv6: "ip6", ipv4: "ip4"}[f] }

// found is what came of asking for the addresses of one family.
type found struct {
	family family
	addrs  []netip.Addr
	err    error
}

// queue holds the addresses of a name that are to be tried. The families take turns,
// IPv6 first (RFC 8305 4).
type queue struct {
	addrs [2][]netip.Addr
	turn  family
}

// next is the family whose first address comes next.
func (q *queue) next() family {
	if len(q.addrs[q.turn]) == 0 {
		return 1 - q.turn
	}
	return q.turn
}

func (q *queue) isEmpty() bool { return len(q.addrs[q.next()]) == 0 }

func (q *queue) first() netip.Addr { return q.addrs[q.next()][0] }

func (q *queue) drop() {
	from := q.next()
	q.addrs[from], q.turn = q.addrs[from][1:], 1-from
}

// find sends the addresses of a name to out, each when it may be tried, and closes out
// after the last. The two families are asked for in parallel, and neither waits for the
// other, but for the short while that RFC 8305 3 has IPv4 wait. The error is a
// *lookupError, of a name of which no address was sent.
func (g *Guard) find(ctx context.Context, host string, out chan<- netip.Addr) error {
	defer close(out)
	answers := make(chan found, 2)
	for _, f := range []family{ipv6, ipv4} {
		go func() { answers <- g.lookUp(ctx, f, host) }()
	}
	var (
		waiting    queue
		failed     = lookupError{errNotAnswered, errNotAnswered}
		unanswered = 2
		ready      bool // to send; not while IPv4 waits for IPv6
		delay      <-chan time.Time
		sent       int
	)
	for unanswered > 0 || !waiting.isEmpty() {
		var to chan<- netip.Addr
		var addr netip.Addr
		if ready && !waiting.isEmpty() {
			to, addr = out, waiting.first()
		}
		select {
		case a := <-answers:
			unanswered--
			waiting.addrs[a.family], failed[a.family] = a.addrs, a.err
			if a.family == ipv6 {
				ready = true
			} else {
				delay = time.After(resolutionDelay)
			}
		case <-delay:
			ready = true
		case to <- addr:
			waiting.drop()
			if sent++; sent == maxAddresses {
				return nil
			}
		case <-ctx.Done():
			unanswered, waiting = 0, queue{}
		}
	}
	if sent > 0 {
		return nil
	}
	return &failed
}

// lookUp asks for the addresses of one family.
func (g *Guard) lookUp(ctx context.Context, f family, host string) found {
	addrs, err := g.resolver.LookupNetIP(ctx, f.network(), host)
	var of []netip.Addr
	for _, addr := range addrs {
		if addr = addr.Unmap(); addr.Is4() == (f == ipv4) {
			of = append(of, addr)
		}
	}
	if err == nil && len(of) == 0 {
		err = &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	if shortage := shortageIn(err); shortage != nil {
		err = shortage
	}
	return found{f, of, err}
}

// shortageIn returns the shortage of this machine's that a lookup failed by. Package net
// keeps no more of it than its text.
func shortageIn(err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		for _, shortage := range shortages() {
			if strings.HasSuffix(dns.Err, shortage.Error()) {
				return shortage
			}
		}
	}
	return nil
}

// lookupError says, for each family, why a name has no address of it.
type lookupError [2]error

// errNotAnswered is the error of a question that no answer has come to yet.
var errNotAnswered = errors.New("not answered")

// Error says it in words for people. Package net does not tell a name that does not
// exist from one without such addresses.
func (e *lookupError) Error() string {
	v6, v4 := lookupFault(e[ipv6]), lookupFault(e[ipv4])
	switch {
	case v6 == v4 && v4 == nameIsMissing:
		return "the host's name does not exist, or has no address"
	case v6 == v4:
		return "the host's name could not be looked up: " + v4
	}
	return "the host's name could not be looked up: its IPv4 address: " + v4 + "; its IPv6 address: " + v6
}

// Unwrap is for what is not the name's fault but ours.
func (e *lookupError) Unwrap() []error { return e[:] }

const nameIsMissing = "there is none"

func lookupFault(err error) string {
	dns, isDNS := errors.AsType[*net.DNSError](err)
	_, wrongFamily := errors.AsType[*net.AddrError](err) // what package net says of a name that has the other family only
	switch {
	case isDNS && dns.IsNotFound, wrongFamily:
		return nameIsMissing
	case isDNS && !dns.IsTimeout:
		return "the name servers gave no usable answer"
	}
	return "the name servers did not answer in time"
}

// nameServers asks the first name server, and the next ones too if that does not answer.
type nameServers []*net.Resolver

func newNameServers(addrs []netip.AddrPort) nameServers {
	var servers nameServers
	for _, addr := range addrs {
		var dialer net.Dialer
		servers = append(servers, &net.Resolver{
			PreferGo: true, // the C library knows the system's servers only
			Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, addr.String())
			},
		})
	}
	return servers
}

// LookupNetIP implements resolver. That there is no such name is an answer, as good from
// one server as from another.
func (n nameServers) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	type answer struct {
		addrs []netip.Addr
		err   error
	}
	servers := make(chan *net.Resolver, len(n))
	for _, server := range n {
		servers <- server
	}
	close(servers)
	got, errs := race(ctx, servers, serverDelay, func(ctx context.Context, server *net.Resolver) (answer, error) {
		addrs, err := server.LookupNetIP(ctx, network, host)
		if err != nil && lookupFault(err) != nameIsMissing {
			return answer{}, err
		}
		return answer{addrs, err}, nil
	}, func(answer) {})
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return got.addrs, got.err
}
