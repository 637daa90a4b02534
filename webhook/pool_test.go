package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// clock is a time that the test sets.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) move(d time.Duration) { c.offset.Add(int64(d)) }

// moved is a resolver whose only host may move.
type moved struct{ to atomic.Bool }

func (m *moved) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if m.to.Load() {
		return []netip.Addr{netip.MustParseAddr("127.0.0.2")}, nil
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// A receiver that moved gets no events at its old address after the maximum age, even if the old
// one still answers and the connection was never idle for long.
func TestConnectionsAreRenewed(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	for name, test := range map[string]struct {
		secure  bool
		auth    switchboard.Auth
		version switchboard.HTTPVersion
		proto   string
	}{
		"HTTP/1.1":          {proto: "HTTP/1.1"},
		"HTTP/1.1 over TLS": {secure: true, version: switchboard.HTTPVersion1, proto: "HTTP/1.1"},
		"HTTP/2":            {secure: true, proto: "HTTP/2.0"},
		"HTTP/2, mTLS":      {secure: true, auth: ca.client(t, "anna", time.Now().Add(time.Hour)), proto: "HTTP/2.0"},
		"HTTP/1.1, mTLS":    {secure: true, auth: ca.client(t, "ben", time.Now().Add(time.Hour)), version: switchboard.HTTPVersion1, proto: "HTTP/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var moved moved
			url, s := twoHomes(t, ca, test.secure)
			s.guard.resolver = &moved
			clock := new(clock)
			s.now = clock.now
			w := workWith(url, test.auth)
			w.Subscription.Request.HTTPVersion = test.version
			ask := func() (address, connection string) {
				t.Helper()
				o := attempt(t, s, w, plenty)
				said := strings.Split(string(o.Response.Body), " ")
				if o.StatusCode != 200 || o.Requests != 1 || len(said) != 3 || said[2] != test.proto {
					t.Fatalf("%+v, body %q; want an answer over %s to one request", o, o.Response.Body, test.proto)
				}
				return said[0], said[1]
			}
			_, first := ask()
			moved.to.Store(true)
			for range 3 {
				clock.move(connectionAge / 8) // 3/8 of it; a connection lasts at least 3/4
				if address, again := ask(); address != "127.0.0.1" || again != first {
					t.Errorf("%s on %s; want the kept connection %s", address, again, first)
				}
			}
			clock.move(connectionAge)
			address, second := ask()
			if address != "127.0.0.2" || second == first {
				t.Errorf("%s on %s; want the new address", address, second)
			}
			if _, again := ask(); again != second {
				t.Errorf("on %s; want the kept connection %s", again, second)
			}
		})
	}
}

// twoHomes is a receiver at two addresses with the same port. It answers with the address at which
// it was reached, the connection's other end and the protocol.
func twoHomes(t *testing.T, ca *authority, secure bool) (address string, s *Sender) {
	t.Helper()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _, _ := net.SplitHostPort(r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
		_, _ = io.WriteString(w, local+" "+r.RemoteAddr+" "+r.Proto)
	})
	port := "0"
	for _, home := range []string{"127.0.0.1", "127.0.0.2"} {
		listener, err := net.Listen("tcp", home+":"+port)
		if err != nil {
			t.Fatal(err)
		}
		port = portOf(t, listener.Addr().String())
		server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}, EnableHTTP2: true}
		if secure {
			server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.issue(t, nil)}, ClientAuth: tls.RequestClientCert}
			server.StartTLS()
		} else {
			server.Start()
		}
		t.Cleanup(server.Close)
	}
	s = setup(t, func(c *Config) { c.RootCAs = ca.pool() })
	if secure {
		return "https://receiver.test:" + port, s
	}
	return "http://receiver.test:" + port, s
}

// No request is lost while connections are constantly renewed.
func TestNoRequestIsLostAtARenewal(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		url, s := twoHomes(t, newAuthority(t), secure)
		s.guard.resolver = new(moved)
		clock := new(clock)
		s.now = clock.now
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 50 {
					clock.move(connectionAge / 16)
					if o := attempt(t, s, work(url), plenty); o.StatusCode != 200 || o.Requests != 1 {
						t.Errorf("%+v", o)
					}
				}
			})
		}
		all.Wait()
	}
}

// Old connections end by themselves: idle ones at once, one in use with its request.
func TestOldConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	states := map[net.Conn]http.ConnState{}
	open := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, state := range states {
			if state != http.StateClosed {
				n++
			}
		}
		return n
	}
	closed := make(chan struct{}, 100)
	came, may := make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			came <- struct{}{}
			<-may
		}
	}))
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		mu.Lock()
		states[conn] = state
		mu.Unlock()
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	s, clock := setup(t, nil), new(clock)
	s.now = clock.now
	outcomes := make(chan switchboard.Outcome)
	go func() {
		_, o, _ := s.Attempt(t.Context(), work(server.URL+"/slow"), time.Now(), plenty)
		outcomes <- o
	}()
	<-came
	send(t, s, server.URL, plenty) // on a second one, idle afterwards
	clock.move(connectionAge)
	send(t, s, server.URL, plenty) // on a third one
	<-closed                       // the second
	if n := open(); n != 2 {
		t.Errorf("%d connections are open; want the one in use and the new one", n)
	}
	close(may)
	if o := <-outcomes; o.StatusCode != 200 || o.Requests != 1 {
		t.Errorf("%+v", o)
	}
	<-closed // the first
	if n := open(); n != 1 {
		t.Errorf("%d connections are open; want the new one", n)
	}
}

// Renewals are spread, separately for each host, and the pool is limited.
func TestPool(t *testing.T) {
	t.Parallel()
	now, made := time.Now(), 0
	failing := errors.New("no transport")
	p := newPool(3, func() time.Time { return now }, func(http1 bool, client *switchboard.Auth) (*http.Transport, error) {
		if client != nil {
			return nil, failing
		}
		made++
		return new(http.Transport), nil
	})
	to := func(address string) route {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return destination{}.route(u)
	}
	lives := map[time.Duration]bool{}
	for range 100 {
		got, err := p.get(to("http://a.test"), nil)
		if err != nil {
			t.Fatal(err)
		}
		life := got.until.Sub(now)
		if life > connectionAge || life < connectionAge*3/4 {
			t.Errorf("an entry lives %s", life)
		}
		lives[life] = true
		now = got.until
	}
	if made != 100 || len(lives) < 50 {
		t.Errorf("%d entries with %d lives; want 100 that are spread", made, len(lives))
	}
	if _, err := p.get(to("http://a.test"), &switchboard.Auth{}); !errors.Is(err, failing) || p.entries.Len() != 1 {
		t.Errorf("%v; want the error, and nothing kept of it", err)
	}
	seen := map[*http.Transport]bool{}
	for _, address := range []string{"http://a.test", "https://a.test", "http://a.test:81", "http://b.test", "http://b.test"} {
		got, _ := p.get(to(address), nil)
		seen[got.transport] = true
	}
	if len(seen) != 4 || p.entries.Len() != 3 {
		t.Errorf("%d entries, %d kept; want 4 and 3", len(seen), p.entries.Len())
	}
	// An entry that has already been replaced is not replaced again.
	old, _ := p.get(to("http://b.test"), nil)
	p.retire(to("http://b.test"), nil, old.transport)
	fresh, _ := p.get(to("http://b.test"), nil)
	p.retire(to("http://b.test"), nil, old.transport)
	if again, _ := p.get(to("http://b.test"), nil); fresh.transport == old.transport || again.transport != fresh.transport {
		t.Error("want one replacement")
	}
}

// A receiver that delays the end of its connections blocks nobody, and a demand for HTTP/1.1 is
// remembered even if its entry was removed meanwhile.
func TestPoolWaitsForNoReceiver(t *testing.T) {
	t.Parallel()
	held, closing := make(chan struct{}), make(chan struct{}, 2)
	t.Cleanup(func() { close(held) })
	p := newPool(2, time.Now, func(bool, *switchboard.Auth) (*http.Transport, error) {
		return &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return slowEnd{conn, closing, held}, err
		}}, nil
	})
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.CloseClientConnections)
	to := func(host string) route { return route{scheme: "http", host: host} }
	for _, host := range []string{"a", "b"} {
		got, err := p.get(to(host), nil)
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		resp, err := got.transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	done := make(chan poolEntry)
	go func() {
		_, _ = p.get(to("c"), nil) // evicts a
		b, _ := p.get(to("b"), nil)
		p.retire(to("b"), nil, b.transport)
		p.demandHTTP1(to("a"), nil)
		a, _ := p.get(to("a"), nil)
		done <- a
	}()
	select {
	case a := <-done:
		if !a.http1 {
			t.Error("the demand of a is forgotten")
		}
	case <-time.After(plenty):
		t.Fatal("the pool waits for a receiver")
	}
	for range 2 { // they are still closed
		<-closing
	}
}

// slowEnd is a connection that takes long to close.
type slowEnd struct {
	net.Conn
	closing chan<- struct{}
	held    <-chan struct{}
}

func (s slowEnd) Close() error {
	s.closing <- struct{}{}
	<-s.held
	return s.Conn.Close()
}
