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
	// serverDelay is how long one name server has before the next one is also asked. Name servers
	// answer within a fraction of it, and several delays fit into the connect timeout.
	serverDelay = time.Second
	// maxAddresses limits how many addresses of a name are tried. The owner of the name chooses
	// them, and thousands would turn an attempt into a port scan.
	maxAddresses = 16
)

// resolver is the part of [net.Resolver] that a guard needs.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// family is an address family, the preferred one first.
type family int

const (
	ipv6 family = iota
	ipv4
)

// network returns the name of the family in package net.
func (f family) network() string { return [...]string{ipv6: "ip6", ipv4: "ip4"}[f] }

// lookupResult holds the addresses of one family.
type lookupResult struct {
	family family
	addrs  []netip.Addr
	err    error
}

// queue holds the addresses of a name that remain to be tried. The families alternate, beginning
// with IPv6 (RFC 8305 4).
type queue struct {
	addrs [2][]netip.Addr
	turn  family
}

// next returns the family of the next address.
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

// find sends the addresses of a name to out, each when it may be tried, and then closes out. It
// looks up both families in parallel; IPv4 addresses wait for the IPv6 ones for the short delay of
// RFC 8305 3. If it sends no address, the error is a *lookupError.
func (g *Guard) find(ctx context.Context, host string, out chan<- netip.Addr) error {
	defer close(out)
	answers := make(chan lookupResult, 2)
	for _, f := range []family{ipv6, ipv4} {
		go func() { answers <- g.lookUp(ctx, f, host) }()
	}
	var (
		waiting    queue
		failed     = lookupError{errNotAnswered, errNotAnswered}
		unanswered = 2
		ready      bool // to be sent; not while IPv4 waits for IPv6
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
func (g *Guard) lookUp(ctx context.Context, f family, host string) lookupResult {
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
	return lookupResult{f, of, err}
}

// shortageIn returns the one of [shortages] that made a lookup fail. Package net only keeps its
// text.
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

// lookupError says, for each family, why the name has no address in it.
type lookupError [2]error

// errNotAnswered is the error of a family whose lookup has not ended.
var errNotAnswered = errors.New("not answered")

// Error is for people. Package net does not distinguish names that do not exist from names without
// such addresses.
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

// Unwrap lets [ours] find an error of our own.
func (e *lookupError) Unwrap() []error { return e[:] }

const nameIsMissing = "there is none"

func lookupFault(err error) string {
	dns, isDNS := errors.AsType[*net.DNSError](err)
	_, wrongFamily := errors.AsType[*net.AddrError](err) // of a name that only has the other family
	switch {
	case isDNS && dns.IsNotFound, wrongFamily:
		return nameIsMissing
	case isDNS && !dns.IsTimeout:
		return "the name servers gave no usable answer"
	}
	return "the name servers did not answer in time"
}

// nameServers asks the first name server, and then the next ones if it does not answer.
type nameServers []*net.Resolver

func newNameServers(addrs []netip.AddrPort) nameServers {
	var servers nameServers
	for _, addr := range addrs {
		var dialer net.Dialer
		servers = append(servers, &net.Resolver{
			PreferGo: true, // the C library only asks the system's servers
			Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, addr.String())
			},
		})
	}
	return servers
}

// LookupNetIP implements resolver. "No such name" is also an answer, after which no other server is
// asked.
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
