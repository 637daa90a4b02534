package webhook

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// checkTime bounds how long [Guard.Check] waits for a name to resolve: someone is
// waiting for their subscription to be saved.
const checkTime = 2 * time.Second

// azureWire answers every Azure machine with its own secrets. It is the only metadata address in
// public address space.
const azureWire = "168.63.129.16/32"

// Guard decides which addresses requests may go to. Customers choose the URLs of their
// subscriptions, and must not use us to reach what only we can reach.
//
// The guard refuses every address that is not plain public unicast: private, loopback,
// link-local, shared (CGNAT), metadata, multicast, documentation, benchmark and
// reserved ranges, and the IPv6 ranges that stand for an IPv4 address (6to4, Teredo,
// mapped, compatible). It judges an address of NAT64 by the IPv4 address in it. It allows
// every port.
//
// The guard judges the address of every single connection at the moment it is made. What
// else a name resolves to, then or before, makes no difference. If some addresses of a
// name are refused, the name is reached at the others.
type Guard struct {
	allow    []netip.Prefix
	nat64    []netip.Prefix
	public   *ssrf.Guardian
	resolver resolver
	proxy    *url.URL
}

// GuardConfig is what a [Guard] needs. Zero fields mean their defaults.
type GuardConfig struct {
	// Allow holds prefixes that are allowed although they are not public, for installations whose
	// receivers are in a private network. A name such as localhost also has an IPv6 address, which
	// must then be allowed too.
	Allow []netip.Prefix
	// NAT64 holds the prefixes of this network's own NAT64, in addition to the well-known one.
	// [IsNAT64Prefix] is true for each.
	NAT64 []netip.Prefix
	// DNSServers resolve the names of receivers; empty: the system's name servers.
	DNSServers []netip.AddrPort
	// Proxy is the proxy to all receivers, as [ParseProxy] returns it; nil: none. The proxy
	// resolves the names and guards their addresses. The Guard then refuses only what it can judge
	// by the URL.
	Proxy *url.URL
}

// NewGuard makes a guard that also allows those prefixes, which need not be public.
func NewGuard(allow []netip.Prefix) *Guard { return GuardConfig{Allow: allow}.New() }

// New returns a guard.
func (c GuardConfig) New() *Guard {
	g := &Guard{
		nat64: append([]netip.Prefix{netip.MustParsePrefix(wellKnownNAT64)}, c.NAT64...),
		public: ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork(),
			ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix(azureWire))),
		resolver: net.DefaultResolver,
		proxy:    c.Proxy,
	}
	if len(c.DNSServers) > 0 {
		g.resolver = newNameServers(c.DNSServers)
	}
	for _, prefix := range c.Allow {
		if prefix.Addr().Is4In6() && prefix.Bits() >= 96 { // addresses are compared unmapped
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		g.allow = append(g.allow, prefix)
	}
	return g
}

// forbiddenError says that the guard refused an address. Its text is always the same, so that the
// owner of a subscription learns neither which address a name has nor of what kind it is.
type forbiddenError struct {
	fixed bool // the host can never have another address
}

func (e *forbiddenError) Error() string {
	return "the host has no address that may be reached: only public ones may"
}

// permit returns a *forbiddenError unless addr may be reached.
func (g *Guard) permit(addr netip.Addr) error {
	addr = addr.Unmap()
	contains := func(p netip.Prefix) bool { return p.Contains(addr) }
	if slices.ContainsFunc(g.allow, contains) {
		return nil
	}
	if i := slices.IndexFunc(g.nat64, contains); i >= 0 {
		addr = translated(g.nat64[i], addr)
	}
	// A zone names an interface of this machine. The library refuses it too, because no prefix
	// contains it.
	if addr.IsValid() && g.public.SafeAddr(addr) == nil {
		return nil
	}
	return new(forbiddenError)
}

// permitHost returns a *forbiddenError if the host always has the same address, so that it can be
// judged without resolving it, and that address may not be reached.
func (g *Guard) permitHost(host string) error {
	host, err := render.ASCIIHost(host)
	if err != nil { // there is no such name
		return &forbiddenError{fixed: true}
	}
	addr, known := wellKnown(host)
	if !known {
		addr, err = netip.ParseAddr(host)
	}
	isName := err != nil && !endsInNumber(host)
	if isName || err == nil && g.permit(addr) == nil {
		return nil
	}
	return &forbiddenError{fixed: true}
}

// control is the [net.Dialer] hook that gets the exact address of each connection.
func (g *Guard) control(_, address string, _ syscall.RawConn) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return new(forbiddenError)
	}
	return g.permit(addr.Addr())
}

// Check refuses, when a subscription is saved, a URL that points at an address
// which may not be reached. It returns an [switchboard.Invalid] error for the field
// "request.url".
//
// A name is accepted whatever it resolves to, as that may change; every connection is
// judged. The warning says that the name has no address now that may be reached. The
// warning is the same for a name that does not exist and for one with a private address,
// so that nobody can explore internal names. With a proxy, only the proxy can tell, and
// there is no warning.
func (g *Guard) Check(ctx context.Context, rawURL string) (warning string, err error) {
	const field = "request.url"
	rawURL = switchboard.Address(rawURL) // path and query may hold templates
	if err := switchboard.ValidateURL(field, rawURL); err != nil {
		return "", err
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", switchboard.InvalidField(field, "is not a URL")
	}
	host, err := render.ASCIIHost(u.Hostname())
	if err != nil {
		return "", switchboard.InvalidField(field, "holds a host name that is not valid")
	}
	_, notLiteral := netip.ParseAddr(host)
	if notLiteral != nil && endsInNumber(host) {
		return "", switchboard.InvalidField(field, "must spell an IPv4 address as four decimal numbers")
	}
	if err := g.permitHost(host); err != nil {
		return "", switchboard.InvalidField(field, "may not be used: %s", err)
	}
	if notLiteral == nil || g.proxy != nil || g.reachable(ctx, host) {
		return "", nil
	}
	return "the host has no address now that may be reached: until it has a public one, deliveries fail", nil
}

// reachable reports whether one of the name's current addresses may be reached.
func (g *Guard) reachable(ctx context.Context, host string) bool {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	addrs := make(chan netip.Addr)
	go func() { _ = g.find(ctx, host, addrs) }() // the reason is not shown
	for addr := range addrs {
		if g.permit(addr) == nil {
			return true
		}
	}
	return false
}

// endsInNumber reports whether the last label is a number, as in 127.1, 2130706433 or 0x7f.1. No
// real name ends so, but some resolvers read it as an address.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	digits, hex := strings.CutPrefix(last, "0x")
	if hex {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// wellKnown returns the address of a name that always has one, whether or not it resolves here.
func wellKnown(host string) (netip.Addr, bool) {
	switch {
	case host == "localhost", strings.HasSuffix(host, ".localhost"):
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	case host == "metadata.google.internal":
		return netip.AddrFrom4([4]byte{169, 254, 169, 254}), true
	}
	return netip.Addr{}, false
}
