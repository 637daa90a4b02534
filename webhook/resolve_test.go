package webhook

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/dnstest"
)

// TestOrderOfAddresses: the families alternate, IPv6 first.
func TestOrderOfAddresses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ v4, v6, want []netip.Addr }{
		"both":      {addresses("1.1.1.1", "1.1.1.2"), addresses("2606::1", "2606::2"), addresses("2606::1", "1.1.1.1", "2606::2", "1.1.1.2")},
		"more IPv4": {addresses("1.1.1.1", "1.1.1.2", "1.1.1.3"), addresses("2606::1"), addresses("2606::1", "1.1.1.1", "1.1.1.2", "1.1.1.3")},
		"more IPv6": {addresses("1.1.1.1"), addresses("2606::1", "2606::2", "2606::3"), addresses("2606::1", "1.1.1.1", "2606::2", "2606::3")},
		"IPv4":      {addresses("1.1.1.1", "1.1.1.2"), nil, addresses("1.1.1.1", "1.1.1.2")},
		"IPv6":      {nil, addresses("2606::1", "2606::2"), addresses("2606::1", "2606::2")},
		"none":      {nil, nil, nil},
	}
	for name, test := range tests {
		q := queue{addrs: [2][]netip.Addr{ipv6: test.v6, ipv4: test.v4}}
		var got []netip.Addr
		for ; !q.isEmpty(); q.drop() {
			got = append(got, q.first())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v; want %v", name, got, test.want)
		}
	}
	// Late IPv6 addresses come next.
	late := queue{addrs: [2][]netip.Addr{ipv4: addresses("1.1.1.1", "1.1.1.2", "1.1.1.3")}}
	late.drop()
	late.addrs[ipv6] = addresses("2606::1")
	if late.drop(); late.first() != addresses("1.1.1.2")[0] || len(late.addrs[ipv6]) != 0 {
		t.Errorf("%v; want the late IPv6 address to have been next", late)
	}
}

// TestAddressesAreBounded: the owner of a name cannot turn an attempt into a port scan.
func TestAddressesAreBounded(t *testing.T) {
	t.Parallel()
	var many []netip.Addr
	for i := range byte(200) {
		many = append(many, netip.AddrFrom4([4]byte{8, 8, 8, i}))
	}
	for name, addrs := range map[string][]netip.Addr{"200": many, "one more": many[:maxAddresses+1], "as many": many[:maxAddresses], "mapped": addresses("::ffff:8.8.8.0")} {
		g := NewGuard(nil)
		g.resolver = names{"receiver.test": addrs}
		out, done := make(chan netip.Addr), make(chan error, 1)
		go func() { done <- g.find(t.Context(), "receiver.test", out) }()
		var got []netip.Addr
		for addr := range out {
			got = append(got, addr)
		}
		if err := <-done; err != nil || !slices.Equal(got, many[:min(len(addrs), maxAddresses)]) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// askingDNS returns a sender that uses that DNS server, and the server.
func askingDNS(t *testing.T) (*Sender, *dnstest.Server) {
	t.Helper()
	server := dnstest.New(t)
	return setup(t, func(c *Config) { c.Guard = guardAsking(server) }), server
}

// guardAsking is a guard that allows loopback, and uses that DNS server.
func guardAsking(server *dnstest.Server) *Guard {
	return GuardConfig{Allow: loopback(), DNSServers: []netip.AddrPort{server.Addr}}.New()
}

const askA, askAAAA = dnsmessage.TypeA, dnsmessage.TypeAAAA

// TestOneFamilyHindersNotTheOther: a question that fails or is never answered.
func TestOneFamilyHindersNotTheOther(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		at    string
		addrs []string
		upset func(*dnstest.Server)
	}{
		"AAAA is not answered":   {"127.0.0.1", []string{"127.0.0.1"}, func(s *dnstest.Server) { s.Hold("receiver.test", askAAAA) }},
		"AAAA is answered":       {"127.0.0.1", []string{"127.0.0.1"}, func(*dnstest.Server) {}},
		"AAAA fails":             {"127.0.0.1", []string{"127.0.0.1"}, func(s *dnstest.Server) { s.Fail("receiver.test", askAAAA, dnsmessage.RCodeServerFailure) }},
		"AAAA is refused":        {"127.0.0.1", []string{"127.0.0.1"}, func(s *dnstest.Server) { s.Fail("receiver.test", askAAAA, dnsmessage.RCodeRefused) }},
		"AAAA is not understood": {"127.0.0.1", []string{"127.0.0.1"}, func(s *dnstest.Server) { s.Fail("receiver.test", askAAAA, dnsmessage.RCodeNotImplemented) }},
		"AAAA says no such name": {"127.0.0.1", []string{"127.0.0.1"}, func(s *dnstest.Server) { s.Fail("receiver.test", askAAAA, dnsmessage.RCodeNameError) }},
		"A is not answered":      {"::1", []string{"::1"}, func(s *dnstest.Server) { s.Hold("receiver.test", askA) }},
		"A fails":                {"::1", []string{"::1"}, func(s *dnstest.Server) { s.Fail("receiver.test", askA, dnsmessage.RCodeServerFailure) }},
		"AAAA comes last, after an A that is forbidden": {"::1", []string{"10.0.0.1", "::1"}, releaseAfter(t, askAAAA, askA)},
		"A comes last, after an AAAA that is forbidden": {"127.0.0.1", []string{"127.0.0.1", "fd00::1"}, releaseAfter(t, askA, askAAAA)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := listenOn(t, net.JoinHostPort(test.at, "0"))
			s, server := askingDNS(t)
			server.Set("receiver.test", test.addrs...)
			test.upset(server)
			if o := send(t, s, "http://receiver.test:"+port, plenty); o.StatusCode != 204 {
				t.Errorf("%+v; want 204", o)
			}
		})
	}
}

// releaseAfter holds the one question until the other has been asked.
func releaseAfter(t *testing.T, held, asked dnsmessage.Type) func(*dnstest.Server) {
	return func(s *dnstest.Server) {
		release := s.Hold("receiver.test", held)
		go func() {
			select {
			case <-s.Arrived("receiver.test", asked):
				release()
			case <-t.Context().Done():
			}
		}()
	}
}

// TestReasonsOfNames: the detail says what is known about each family.
func TestReasonsOfNames(t *testing.T) {
	t.Parallel()
	const lookup = "the host's name could not be looked up: "
	fail := func(s *dnstest.Server, qtype dnsmessage.Type) {
		s.Fail("receiver.test", qtype, dnsmessage.RCodeServerFailure)
	}
	hold := func(s *dnstest.Server, qtype dnsmessage.Type) { s.Hold("receiver.test", qtype) }
	tests := map[string]struct {
		upset func(*dnstest.Server)
		want  string
	}{
		"no such name":       {func(*dnstest.Server) {}, "the host's name does not exist, or has no address"},
		"no address":         {func(s *dnstest.Server) { s.Set("receiver.test") }, "the host's name does not exist, or has no address"},
		"both fail":          {func(s *dnstest.Server) { fail(s, askA); fail(s, askAAAA) }, lookup + "the name servers gave no usable answer"},
		"both not answered":  {func(s *dnstest.Server) { hold(s, askA); hold(s, askAAAA) }, lookup + "the name servers did not answer in time"},
		"AAAA not answered":  {func(s *dnstest.Server) { hold(s, askAAAA) }, lookup + "its IPv4 address: there is none; its IPv6 address: the name servers did not answer in time"},
		"A not answered":     {func(s *dnstest.Server) { hold(s, askA) }, lookup + "its IPv4 address: the name servers did not answer in time; its IPv6 address: there is none"},
		"A fails":            {func(s *dnstest.Server) { fail(s, askA) }, lookup + "its IPv4 address: the name servers gave no usable answer; its IPv6 address: there is none"},
		"A fails, no answer": {func(s *dnstest.Server) { fail(s, askA); hold(s, askAAAA) }, lookup + "its IPv4 address: the name servers gave no usable answer; its IPv6 address: the name servers did not answer in time"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := dnstest.New(t)
			test.upset(server)
			o := shortly(func(limit time.Duration) switchboard.Outcome {
				s := setup(t, func(c *Config) { c.Guard, c.ConnectTimeout = guardAsking(server), limit })
				return send(t, s, "http://receiver.test/?token=s3cret", plenty)
			}, func(o switchboard.Outcome) bool { return o.Detail == test.want })
			if o.Failure != switchboard.FailureDNS || o.Detail != test.want || o.Permanent {
				t.Errorf("%+v; want dns: %s", o, test.want)
			}
		})
	}
}

// TestWrongDNSEndsNothing: a name that points at a forbidden address is a temporary failure. The
// receiver is reached once the name is right again, or has moved.
func TestWrongDNSEndsNothing(t *testing.T) {
	t.Parallel()
	s, server := askingDNS(t)
	port := listenOn(t, "127.0.0.1:0")
	if other := listenOn(t, "127.0.0.2:"+port); other != port {
		t.Fatalf("another port: %s", other)
	}
	attempt := func(at string, addrs ...string) {
		t.Helper()
		server.Set("receiver.test", addrs...)
		o := send(t, s, "http://receiver.test:"+port, plenty)
		switch {
		case at != "" && (o.StatusCode != 204 || o.Response.Headers["X-At"] != at):
			t.Errorf("%v: %+v; want 204 from %s", addrs, o, at)
		case at == "" && (o.Failure != switchboard.FailureForbidden || o.Permanent):
			t.Errorf("%v: %+v; want a forbidden address that is not permanent", addrs, o)
		}
	}
	attempt("127.0.0.1", "127.0.0.1")
	for _, wrong := range [][]string{{"0.0.0.0"}, {"10.1.2.3"}, {"169.254.169.254"}, {"::"}, {"192.168.1.1", "fd00::1"}, {"64:ff9b::a01:203"}} {
		attempt("", wrong...)
	}
	attempt("127.0.0.2", "127.0.0.2")
	attempt("127.0.0.1", "10.1.2.3", "127.0.0.1", "fd00::1")
}

// TestDNSServers: a server that is away or in trouble does not block the next, and an answer about
// a name is final.
func TestDNSServers(t *testing.T) {
	t.Parallel()
	port := listenOn(t, "127.0.0.1:0")
	silent, broken, first, second := dnstest.New(t), dnstest.New(t), dnstest.New(t), dnstest.New(t)
	for _, qtype := range []dnsmessage.Type{askA, askAAAA} {
		silent.Hold("receiver.test", qtype)
		broken.Fail("receiver.test", qtype, dnsmessage.RCodeServerFailure)
	}
	second.Set("receiver.test", "127.0.0.1")
	_, away := bound(t) // a TCP port, so that most likely nobody uses it for UDP
	tests := map[string]struct {
		servers []netip.AddrPort
		failure switchboard.Failure
	}{
		"one":             {[]netip.AddrPort{second.Addr}, ""},
		"silent, good":    {[]netip.AddrPort{silent.Addr, second.Addr}, ""},
		"broken, good":    {[]netip.AddrPort{broken.Addr, second.Addr}, ""},
		"away, good":      {[]netip.AddrPort{netip.MustParseAddrPort(away), second.Addr}, ""},
		"two bad, good":   {[]netip.AddrPort{broken.Addr, silent.Addr, second.Addr}, ""},
		"good, broken":    {[]netip.AddrPort{second.Addr, broken.Addr}, ""},
		"knows not, good": {[]netip.AddrPort{first.Addr, second.Addr}, switchboard.FailureDNS},
		"all bad":         {[]netip.AddrPort{broken.Addr, broken.Addr}, switchboard.FailureDNS},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, func(c *Config) {
				c.Guard = GuardConfig{Allow: loopback(), DNSServers: test.servers}.New()
			})
			o := send(t, s, "http://receiver.test:"+port, plenty)
			if o.Failure != test.failure || (o.StatusCode == 204) != (test.failure == "") {
				t.Errorf("%+v; want %q", o, test.failure)
			}
		})
	}
}

// lacking is a resolver on a machine that lacks a resource, in the words of package net.
type lacking struct{ what syscall.Errno }

func (l lacking) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return nil, &net.DNSError{Err: "dial udp 192.0.2.1:53: socket: " + l.what.Error(), Name: host}
}

// TestShortageInALookupIsOurs, like a shortage in connecting.
func TestShortageInALookupIsOurs(t *testing.T) {
	t.Parallel()
	for _, what := range shortages() {
		s := setup(t, func(c *Config) { c.Guard.resolver = lacking{what} })
		_, o, err := s.Attempt(t.Context(), work("http://receiver.test"), time.Now(), plenty)
		if interrupted, ok := errors.AsType[*Interrupted](err); !ok || interrupted.Sent || !errors.Is(err, what) {
			t.Errorf("%v: %+v, %v; want an interruption", what, o, err)
		}
	}
	s := setup(t, func(c *Config) { c.Guard.resolver = lacking{syscall.ECONNREFUSED} })
	want(t, send(t, s, "http://receiver.test", plenty), switchboard.FailureDNS)
}
