package webhook

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/dnstest"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// forbidden has the first, the last and a middle address of ranges that no request may go to.
var forbidden = map[string][]string{
	"this network":        {"0.0.0.0", "0.0.0.1", "0.255.255.255"},
	"private":             {"10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"},
	"shared (CGNAT)":      {"100.64.0.0", "100.127.255.255"},
	"loopback":            {"127.0.0.0", "127.0.0.1", "127.255.255.255", "::1"},
	"link-local":          {"169.254.0.0", "169.254.255.255", "fe80::1", "febf:ffff::1"},
	"metadata":            {"169.254.169.254", "169.254.170.2", "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "192.0.0.192"},
	"protocol":            {"192.0.0.0", "192.0.0.255", "2001:1::1", "2001:20::1"},
	"documentation":       {"192.0.2.1", "198.51.100.1", "203.0.113.255", "2001:db8::1", "3fff::1"},
	"benchmark":           {"198.18.0.0", "198.19.255.255"},
	"6to4 relay":          {"192.88.99.1"},
	"multicast":           {"224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"},
	"reserved, broadcast": {"240.0.0.0", "255.255.255.254", "255.255.255.255"},
	"unspecified":         {"::"},
	"unique local":        {"fc00::1", "fdff:ffff::1"},
	"site-local":          {"fec0::1"},
	"mapped":              {"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1"},
	"compatible":          {"::127.0.0.1", "::8.8.8.8"},
	"NAT64":               {"64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::168.63.129.16", "64:ff9b::0.0.0.0", "64:ff9b::1:808:808", "64:ff9b:1::1", "64:ff9b:1::808:808"},
	"6to4":                {"2002:7f00:1::1", "2002:808:808::1"},
	"Teredo":              {"2001::1", "2001:0:ffff::1"},
	"discard":             {"100::1"},
	"not yet assigned":    {"4000::1", "1000::1", "5f00::1"},
	"with a zone":         {"fe80::1%eth0", "2606:4700::1111%eth0"},
}

// public has addresses just outside of those ranges.
var public = []string{
	"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
	"168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
	"192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
	"2606:4700:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "64:ff9b::1.1.1.1", "64:ff9b::11.0.0.0",
}

func TestGuardPermits(t *testing.T) {
	t.Parallel()
	g := NewGuard(nil)
	for kind, addrs := range forbidden {
		for _, addr := range addrs {
			err := g.permit(netip.MustParseAddr(addr))
			if _, ok := errors.AsType[*forbiddenError](err); !ok {
				t.Errorf("%s: %s is permitted (%v)", kind, addr, err)
			}
		}
	}
	if g.permit(netip.Addr{}) == nil {
		t.Error("no address at all is permitted")
	}
	for _, addr := range public {
		if err := g.permit(netip.MustParseAddr(addr)); err != nil {
			t.Errorf("%s is refused: %v", addr, err)
		}
	}
}

func TestGuardAllowListOverrides(t *testing.T) {
	t.Parallel()
	g := NewGuard([]netip.Prefix{
		netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32"),
		netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("::ffff:192.168.7.0/120"),
	})
	for addr, want := range map[string]bool{
		"10.1.0.0": true, "10.1.255.255": true, "::ffff:10.1.2.3": true, "10.0.255.255": false, "10.2.0.0": false,
		"fd00:1::5": true, "fd00:2::5": false, "168.63.129.16": true, "192.168.7.9": true, "192.168.8.1": false,
		"127.0.0.1": false, "64:ff9b::10.1.0.1": false, "2002:a01:1::1": false, "8.8.8.8": true,
	} {
		if err := g.permit(netip.MustParseAddr(addr)); (err == nil) != want {
			t.Errorf("%s: %v; want permitted %t", addr, err, want)
		}
	}
}

func TestGuardCheck(t *testing.T) {
	t.Parallel()
	g := NewGuard(nil)
	g.resolver = names{"good.test": {netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("2606:4700::1111")}}
	for _, good := range []string{"https://good.test/hook", "https://good.test.:8443", "http://unknown.test", "http://8.8.8.8", "http://[2606:4700::1111]:8080/"} {
		if _, err := g.Check(t.Context(), good); err != nil {
			t.Errorf("Check(%s): %v", good, err)
		}
	}
	bad := []string{
		"http://localhost", "http://localhost.:80", "http://LocalHost", "http://a.localhost", "http://metadata.google.internal",
		"http://0x7f.1", "http://0X7F.1", "http://2130706433", "http://127.1", "http://0177.0.0.1", "http://127.0.0.1.", "http://0",
		"http://0x7f000001", "http://a.0x7f", "http://1.2.3.4.5", "http://017700000001", "http://１２７.０.０.１", "http://127。0。0。1",
		"http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]", "http://[0:0:0:0:0:ffff:7f00:0001]", "http://[::]", "http://[fe80::1%25eth0]",
		"ftp://8.8.8.8", "http://user:pw@8.8.8.8", "http://8.8.8.8@127.0.0.1", "http://", "", "http://8.8.8.8:0", "http://8.8.8.8:65536",
	}
	for _, addrs := range forbidden {
		for _, addr := range addrs {
			host := addr
			if strings.Contains(addr, ":") {
				host = "[" + strings.ReplaceAll(addr, "%", "%25") + "]"
			}
			bad = append(bad, "https://"+host+"/hook")
		}
	}
	for _, raw := range bad {
		_, err := g.Check(t.Context(), raw)
		if e, ok := errors.AsType[*switchboard.Error](err); !ok || e.Code != switchboard.CodeInvalid || e.Field != "request.url" {
			t.Errorf("Check(%q): %v; want an invalid field request.url", raw, err)
		}
	}
	allowing := NewGuard(loopback())
	for _, raw := range []string{"http://127.0.0.1:9000/hook", "http://[::1]:9000"} {
		if _, err := allowing.Check(t.Context(), raw); err != nil {
			t.Errorf("Check(%s) with loopback allowed: %v", raw, err)
		}
	}
}

func TestForbiddenAddressIsNeverDialled(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	addr := listen(t, func(net.Conn) { reached.Add(1) })
	port := portOf(t, addr)
	s := setup(t, func(c *Config) {
		c.Guard = NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")})
		c.Guard.resolver = names{
			"private.test": {netip.MustParseAddr("127.0.0.1")},
			"mapped.test":  {netip.MustParseAddr("::ffff:127.0.0.1")},
			"several.test": {netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::1")},
		}
	})
	// Only what can never have another address fails permanently.
	for host, permanent := range map[string]bool{
		"private.test":             false,
		"mapped.test":              false,
		"several.test":             false,
		"127.0.0.1":                true,
		"[::ffff:127.0.0.1]":       true,
		"１２７.０.０.１":                true,
		"localhost":                true,
		"a.localhost":              true,
		"metadata.google.internal": true,
		"169.254.169.254":          true,
		"[64:ff9b::7f00:1]":        true,
		"0x7f.1":                   true,
		"2130706433":               true,
		"127.0.0.1.":               true,
	} {
		outcome := send(t, s, "http://"+host+":"+port+"/", plenty)
		if outcome.Failure != switchboard.FailureForbidden || outcome.StatusCode != 0 || outcome.Permanent != permanent {
			t.Errorf("%s: %+v; want %s, permanent %t", host, outcome, switchboard.FailureForbidden, permanent)
		}
		if outcome.Detail != new(forbiddenError).Error() {
			t.Errorf("%s: detail %q, which is not that of all", host, outcome.Detail)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d connections were made to a forbidden address", n)
	}
	// The dialer's hook also works by itself.
	if err := s.guard.control("tcp4", "127.0.0.1:80", nil); err == nil {
		t.Error("the dialer's hook lets loopback pass")
	}
	if err := s.guard.control("tcp4", "not an address", nil); err == nil {
		t.Error("the dialer's hook lets pass what it cannot read")
	}
}

// rebinding answers the first lookup of a family with allowed addresses, and every later one with
// forbidden ones.
type rebinding struct{ lookups [2]atomic.Int32 }

func (r *rebinding) LookupNetIP(_ context.Context, network, _ string) ([]netip.Addr, error) {
	if network == ipv6.network() {
		if r.lookups[ipv6].Add(1) == 1 {
			return nil, nil
		}
		return []netip.Addr{netip.MustParseAddr("fd00::1")}, nil
	}
	if r.lookups[ipv4].Add(1) == 1 {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
}

func TestRebindingGainsNothing(t *testing.T) {
	t.Parallel()
	addr := listen(t, func(conn net.Conn) {
		if readRequest(conn) == nil {
			_, _ = conn.Write([]byte("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"))
		}
	})
	port := portOf(t, addr)
	resolver := &rebinding{}
	s := setup(t, func(c *Config) { c.Guard.resolver = resolver })
	// One connection has one lookup: what was checked is what is dialled.
	if outcome := send(t, s, "http://rebind.test:"+port, 10*time.Second); outcome.StatusCode != 204 || resolver.lookups[ipv4].Load() != 1 {
		t.Errorf("first attempt: %+v after %d lookups; want 204 after one", outcome, resolver.lookups[ipv4].Load())
	}
	if outcome := send(t, s, "http://rebind.test:"+port, 10*time.Second); outcome.Failure != switchboard.FailureForbidden {
		t.Errorf("second attempt: %+v; want %s", outcome, switchboard.FailureForbidden)
	}
}

// toLoopback is a resolver that maps every name to this machine.
type toLoopback struct{}

func (toLoopback) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// FuzzGuardCheck: if every name is loopback, only a literal public address passes without a
// warning.
func FuzzGuardCheck(f *testing.F) {
	for _, seed := range []string{
		"http://localhost", "http://8.8.8.8", "http://0x7f.1", "http://[::ffff:127.0.0.1]:80/", "https://a.test/?q", "http://１.1.1.1",
		"http://[fe80::1%25a]", "http://a:b@c", "http://2130706433", "http://127.0.0.1.", "http://%31", "http://a..", "http://[::1", "http://a_b.test",
	} {
		f.Add(seed)
	}
	g := NewGuard(nil)
	g.resolver = toLoopback{}
	f.Fuzz(func(t *testing.T, raw string) {
		if warning, err := g.Check(t.Context(), raw); err != nil || warning != "" {
			return
		}
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatalf("Check passes %q, which is no URL", raw)
		}
		host, err := render.ASCIIHost(u.Hostname())
		if err != nil {
			t.Fatalf("Check passes %q, which names no host", raw)
		}
		addr, err := netip.ParseAddr(host)
		if err != nil || g.permit(addr) != nil {
			t.Errorf("Check passes %q, whose host is %q", raw, host)
		}
	})
}

// TestCheckTellsNoInternalNames: the answer shows neither what a name resolves to nor whether it
// exists.
func TestCheckTellsNoInternalNames(t *testing.T) {
	t.Parallel()
	server := dnstest.New(t)
	server.Set("good.test", "8.8.8.8", "2606:4700::1111")
	server.Set("mixed.test", "10.0.0.1", "8.8.8.8")
	server.Set("nat64.test", "64:ff9b::808:808")
	for name, addr := range map[string]string{
		"private.test":       "10.0.0.1",
		"loopback.test":      "127.0.0.1",
		"metadata.test":      "169.254.169.254",
		"unspecified.test":   "0.0.0.0",
		"local.test":         "fd00::1",
		"zone.test":          "fe80::1",
		"xn--bcher-kva.test": "192.168.0.1",
		"hidden.test":        "64:ff9b::a00:1",
	} {
		server.Set(name, addr)
	}
	server.Set("empty.test")
	server.Fail("broken.test", askA, dnsmessage.RCodeServerFailure)
	server.Fail("broken.test", askAAAA, dnsmessage.RCodeServerFailure)
	g := GuardConfig{DNSServers: []netip.AddrPort{server.Addr}}.New()
	const warned = "the host has no address now that may be reached: until it has a public one, deliveries fail"
	for host, want := range map[string]string{
		"good.test":          "",
		"mixed.test":         "",
		"nat64.test":         "",
		"8.8.8.8":            "",
		"[64:ff9b::8.8.8.8]": "",
		"private.test":       warned,
		"PRIVATE.test":       warned,
		"loopback.test":      warned,
		"metadata.test":      warned,
		"unspecified.test":   warned,
		"local.test":         warned,
		"zone.test":          warned,
		"bücher.test":        warned,
		"hidden.test":        warned,
		"empty.test":         warned,
		"broken.test":        warned,
		"unknown.test":       warned,
	} {
		warning, err := g.Check(t.Context(), "https://"+host+"/hook")
		if err != nil || warning != want {
			t.Errorf("%s: %q, %v; want %q", host, warning, err, want)
		}
	}
	said := map[string]bool{}
	for _, addrs := range forbidden {
		for _, addr := range addrs {
			host := strings.ReplaceAll(addr, "%", "%25")
			if strings.Contains(addr, ":") {
				host = "[" + host + "]"
			}
			_, err := g.Check(t.Context(), "https://"+host)
			said[err.Error()] = true
		}
	}
	if len(said) != 1 {
		t.Errorf("addresses that may not be reached can be distinguished: %v", said)
	}
}

// TestNAT64Prefixes has the examples of RFC 6052 2.4, with an address that is public.
func TestNAT64Prefixes(t *testing.T) {
	t.Parallel()
	for prefix, test := range map[string]struct{ example, public, private string }{
		"2001:db8::/32":          {"2001:db8:c000:221::", "2001:db8:808:808::", "2001:db8:a00:1::"},
		"2001:db8:100::/40":      {"2001:db8:1c0:2:21::", "2001:db8:108:808:8::", "2001:db8:10a:0:1::"},
		"2001:db8:122::/48":      {"2001:db8:122:c000:2:2100::", "2001:db8:122:808:8:800::", "2001:db8:122:a00:0:100::"},
		"2001:db8:122:300::/56":  {"2001:db8:122:3c0:0:221::", "2001:db8:122:308:8:808::", "2001:db8:122:30a:0:1::"},
		"2001:db8:122:344::/64":  {"2001:db8:122:344:c0:2:2100::", "2001:db8:122:344:8:808:800::", "2001:db8:122:344:a:0:100::"},
		"2001:db8:122:344::/96":  {"2001:db8:122:344::192.0.2.33", "2001:db8:122:344::8.8.8.8", "2001:db8:122:344::10.0.0.1"},
		"64:ff9b:1:fffe::/96":    {"64:ff9b:1:fffe::192.0.2.33", "64:ff9b:1:fffe::8.8.8.8", "64:ff9b:1:fffe::127.0.0.1"},
		"fd00:64::/96":           {"fd00:64::192.0.2.33", "fd00:64::8.8.8.8", "fd00:64::169.254.169.254"},
		"2001:db8:122:344::1/64": {"2001:db8:122:344:c0:2:2100::", "2001:db8:122:344:8:808:800::", "2001:db8:122:344:100:808:800::"}, // the last one: its zero octet is not zero
	} {
		p := netip.MustParsePrefix(prefix)
		if !IsNAT64Prefix(p) {
			t.Errorf("%s is no prefix of NAT64", prefix)
			continue
		}
		if got := translated(p, netip.MustParseAddr(test.example)); got.String() != "192.0.2.33" {
			t.Errorf("%s: %s holds %s; want 192.0.2.33", prefix, test.example, got)
		}
		g := GuardConfig{NAT64: []netip.Prefix{p}}.New()
		if err := g.permit(netip.MustParseAddr(test.public)); err != nil {
			t.Errorf("%s: %s is refused: %v", prefix, test.public, err)
		}
		if NewGuard(nil).permit(netip.MustParseAddr(test.public)) == nil {
			t.Errorf("%s: %s is permitted without the prefix", prefix, test.public)
		}
		for _, addr := range []string{test.private, test.example} {
			if g.permit(netip.MustParseAddr(addr)) == nil {
				t.Errorf("%s: %s is permitted", prefix, addr)
			}
		}
		if g.permit(netip.MustParseAddr("64:ff9b::808:808")) != nil {
			t.Errorf("%s: the well-known prefix is known no more", prefix)
		}
	}
	for _, prefix := range []string{"64:ff9b::/95", "64:ff9b::/128", "2001:db8::/33", "8.8.8.0/24", "8.8.8.8/32", "2001:db8:0:0:100::/96", "::ffff:1.2.3.4/96", "::/0"} {
		if IsNAT64Prefix(netip.MustParsePrefix(prefix)) {
			t.Errorf("%s is taken for a prefix of NAT64", prefix)
		}
	}
}
