// Package dnstest is a DNS server on loopback for tests. A test sets its names, and can make it
// misbehave.
package dnstest

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Server answers over UDP until its test ends. Names that were not set do not exist.
type Server struct {
	// Addr is where it listens.
	Addr netip.AddrPort

	conn    *net.UDPConn
	stopped chan struct{}

	mu    sync.Mutex
	names map[string][]netip.Addr
	rules map[question]rule
	asked map[question]chan struct{} // closed when the question comes
}

type question struct {
	name  string
	qtype dnsmessage.Type
}

// rule is how the server answers a question instead of with the names.
type rule struct {
	code dnsmessage.RCode
	held <-chan struct{} // not before this is closed; nil: at once
}

// New starts a server on a port of its own.
func New(t testing.TB) *Server {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		Addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), conn: conn, stopped: make(chan struct{}),
		names: map[string][]netip.Addr{}, rules: map[question]rule{}, asked: map[question]chan struct{}{},
	}
	var serving sync.WaitGroup
	serving.Go(func() { s.serve(&serving) })
	t.Cleanup(func() {
		close(s.stopped)
		_ = conn.Close()
		serving.Wait()
	})
	return s
}

// Set replaces the addresses of the name. A name without addresses still exists.
func (s *Server) Set(name string, addrs ...string) {
	parsed := []netip.Addr{}
	for _, addr := range addrs {
		parsed = append(parsed, netip.MustParseAddr(addr))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[name] = parsed
}

// Fail answers questions of that type for the name with that code from now on.
func (s *Server) Fail(name string, qtype dnsmessage.Type, code dnsmessage.RCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules[question{name, qtype}] = rule{code: code}
}

// Hold leaves questions of that type for the name unanswered until release is called, which also
// answers the questions that came before.
func (s *Server) Hold(name string, qtype dnsmessage.Type) (release func()) {
	held := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules[question{name, qtype}] = rule{held: held}
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.rules, question{name, qtype})
		close(held)
	})
}

// Arrived is closed after that question has come.
func (s *Server) Arrived(name string, qtype dnsmessage.Type) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrived(question{name, qtype})
}

func (s *Server) arrived(q question) chan struct{} {
	if s.asked[q] == nil {
		s.asked[q] = make(chan struct{})
	}
	return s.asked[q]
}

func (s *Server) serve(serving *sync.WaitGroup) {
	packet := make([]byte, 4096)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(packet)
		if err != nil {
			return
		}
		var parser dnsmessage.Parser
		header, err := parser.Start(packet[:n])
		if err != nil {
			continue
		}
		asked, err := parser.Question()
		if err != nil {
			continue
		}
		serving.Go(func() { s.answer(from, header.ID, asked) })
	}
}

func (s *Server) answer(to netip.AddrPort, id uint16, asked dnsmessage.Question) {
	q := question{strings.ToLower(strings.TrimSuffix(asked.Name.String(), ".")), asked.Type}
	s.mu.Lock()
	select {
	case <-s.arrived(q):
	default:
		close(s.arrived(q))
	}
	r := s.rules[q]
	s.mu.Unlock()
	if r.held != nil {
		select {
		case <-r.held:
		case <-s.stopped:
			return
		}
	}
	s.mu.Lock()
	addrs, known := s.names[q.name]
	s.mu.Unlock()
	if !known && r.code == dnsmessage.RCodeSuccess {
		r.code = dnsmessage.RCodeNameError
	}
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, Response: true, Authoritative: true, RecursionAvailable: true, RCode: r.code},
		Questions: []dnsmessage.Question{asked},
	}
	for _, addr := range addrs {
		if body := record(addr, asked.Type); body != nil && r.code == dnsmessage.RCodeSuccess {
			reply.Answers = append(reply.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: asked.Name, Class: dnsmessage.ClassINET, TTL: 1}, Body: body,
			})
		}
	}
	if packed, err := reply.Pack(); err == nil {
		_, _ = s.conn.WriteToUDPAddrPort(packed, to)
	}
}

// record returns the address as a record of that type, or nil if the address has another type.
func record(addr netip.Addr, qtype dnsmessage.Type) dnsmessage.ResourceBody {
	switch {
	case qtype == dnsmessage.TypeA && addr.Is4():
		return &dnsmessage.AResource{A: addr.As4()}
	case qtype == dnsmessage.TypeAAAA && addr.Is6():
		return &dnsmessage.AAAAResource{AAAA: addr.As16()}
	}
	return nil
}
