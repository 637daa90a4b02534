package webhook

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
	"golang.org/x/net/idna"

	"switchboard"
)

// checkTime bounds how long [Guard.Check] waits for a name to resolve: someone is
// waiting for their subscription to be saved.
const checkTime = 2 * time.Second

// azureWire answers every Azure machine with its own secrets, and is the one
// metadata address that lies in public space.
const azureWire = "168.63.129.16/32"

// Guard decides which addresses a request may go to. Whoever makes a subscription
// chooses the URL, and must not reach through us what only we can reach.
//
// Refused is every address that is not plain public unicast: private, loopback,
// link-local, shared (CGNAT), metadata, multicast, documentation, benchmark and
// reserved ranges, and the IPv6 ranges that stand for an IPv4 address (NAT64, 6to4,
// Teredo, mapped, compatible). A name is refused if any of its addresses is. The
// address that was checked is the one dialled, so a name that resolves otherwise a
// moment later gains nothing. Any port may be reached.
type Guard struct {
	allow    []netip.Prefix
	public   *ssrf.Guardian
	resolver resolver
}

// resolver is the part of [net.Resolver] that a guard needs.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// NewGuard makes a guard. The prefixes in allow may be reached although they are
// not public, for installations whose receivers live in a private network; a name
// such as localhost has an IPv6 address too, which must then be allowed as well.
func NewGuard(allow []netip.Prefix) *Guard {
	g := &Guard{
		public: ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork(),
			ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix(azureWire))),
		resolver: net.DefaultResolver,
	}
	for _, prefix := range allow {
		if prefix.Addr().Is4In6() && prefix.Bits() >= 96 { // addresses are compared unmapped
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		g.allow = append(g.allow, prefix)
	}
	return g
}

// forbiddenError says that the guard refused an address. It names the kind of
// address and not the address itself: what a private name resolves to is nothing
// that the maker of a subscription should learn.
type forbiddenError struct{ kind string }

func (e *forbiddenError) Error() string {
	return "the host has " + e.kind + ", which may not be reached"
}

// permit returns a *forbiddenError unless addr may be reached.
func (g *Guard) permit(addr netip.Addr) error {
	addr = addr.Unmap()
	if slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return nil
	}
	// A zone names an interface of this machine; the library refuses it too, as no
	// prefix contains it.
	if addr.IsValid() && g.public.SafeAddr(addr) == nil {
		return nil
	}
	return &forbiddenError{kind: kindOf(addr)}
}

// kindOf names the range of an address that may not be reached, for people.
func kindOf(addr netip.Addr) string {
	switch {
	case addr.IsLoopback():
		return "a loopback address"
	case addr.IsPrivate():
		return "a private address"
	case addr.IsLinkLocalUnicast():
		return "a link-local address"
	case addr.IsMulticast():
		return "a multicast address"
	case addr.IsUnspecified():
		return "an unspecified address"
	}
	return "an address reserved for a special purpose"
}

// resolve returns the addresses of a host, a name or an IP, all of them permitted.
// One that is not refuses the host, whatever the others are: a public address
// beside a private one is how a name is made to pass a check and then rebound.
func (g *Guard) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs := []netip.Addr{}
	if literal, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, literal)
	} else if addrs, err = g.resolver.LookupNetIP(ctx, "ip", host); err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
		if err := g.permit(addrs[i]); err != nil {
			return nil, err
		}
	}
	return addrs, nil
}

// control is the [net.Dialer] hook that sees the very address about to be
// connected to. [Guard.resolve] has permitted it already; this holds if a change
// ever lets an address past that.
func (g *Guard) control(_, address string, _ syscall.RawConn) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return &forbiddenError{kind: "no address that could be checked"}
	}
	return g.permit(addr.Addr())
}

// Check refuses, when a subscription is saved, a URL that points at an address
// which may not be reached: an [switchboard.Invalid] error for the field
// "request.url". A name that does not resolve passes, as it may be made later; what
// it resolves to is checked again at every connection.
func (g *Guard) Check(ctx context.Context, rawURL string) error {
	const field = "request.url"
	rawURL = switchboard.Address(rawURL) // path and query may hold templates
	if err := switchboard.ValidateURL(field, rawURL); err != nil {
		return err
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return switchboard.InvalidField(field, "is not a URL")
	}
	host, err := ASCIIHost(u.Hostname())
	if err != nil {
		return switchboard.InvalidField(field, "holds a host name that is not valid")
	}
	if _, err := netip.ParseAddr(host); err != nil && endsInNumber(host) {
		return switchboard.InvalidField(field, "must spell an IPv4 address as four decimal numbers")
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if known, ok := wellKnown(host); ok {
		err = g.permit(known)
	}
	if err == nil {
		_, err = g.resolve(ctx, host)
	}
	if forbidden, ok := errors.AsType[*forbiddenError](err); ok {
		return switchboard.InvalidField(field, "%s", forbidden.Error())
	}
	return nil
}

// ASCIIHost returns the host of a URL as net/http will look it up, in lower case and
// without a final dot: full-width digits, for one, turn into an IP address there. Its
// error is that of a name which is none.
func ASCIIHost(host string) (string, error) {
	if strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return "", err
		}
		host = ascii
	}
	return strings.TrimSuffix(strings.ToLower(host), "."), nil
}

// endsInNumber reports whether the last label is a number, as in 127.1, 2130706433
// or 0x7f.1. No name ends so; some resolvers read it as an address.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	digits, hex := strings.CutPrefix(last, "0x")
	if hex {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// wellKnown returns the address of a name that has one whether or not it resolves here.
func wellKnown(host string) (netip.Addr, bool) {
	switch {
	case host == "localhost", strings.HasSuffix(host, ".localhost"):
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	case host == "metadata.google.internal":
		return netip.AddrFrom4([4]byte{169, 254, 169, 254}), true
	}
	return netip.Addr{}, false
}
