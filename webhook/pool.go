package webhook

import (
	"crypto/sha256"
	"crypto/tls"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/seed-49a43567/switchboard"
)

const (
	// The maximum age of a connection. After it, the receiver's name is resolved again, and its
	// certificate and address are checked again, even on a busy connection. Names rarely have a TTL
	// below a minute, and a handshake in two minutes is cheap.
	connectionAge = 2 * time.Minute
	// A connection's maximum age is shorter by a random part of up to this share, so that the
	// connections from the start of a process are not all replaced at once.
	ageSpread = 0.25
	// How many hosts have idle connections at a time, counted for each client certificate
	// and HTTP version.
	maxRoutes = 1024
	// How long a host that demanded HTTP/1.1 gets only that. Trying HTTP/2 again costs one refused
	// request.
	http1Time = time.Hour
)

// route is the key of the pool: a connection only serves requests of its route.
type route struct {
	scheme, host string
	client       [sha256.Size]byte // digest of the client certificate and its key; zero: none
	http1        bool              // the subscription wants HTTP/1.1
}

// destination says how a message is sent to its URL.
type destination struct {
	client *switchboard.Auth // whose client certificate is presented; nil: none
	http1  bool              // the subscription wants HTTP/1.1
}

func (d destination) route(u *url.URL) route {
	r := route{scheme: u.Scheme, host: u.Host, http1: d.http1}
	if d.client != nil {
		r.client = sha256.Sum256([]byte(d.client.Certificate + "\x00" + d.client.PrivateKey.Reveal()))
	}
	return r
}

// poolEntry holds the connections of a route until it is replaced. net/http does not limit the age
// of a connection, but it closes the connections of an unused transport: at once if they are idle,
// otherwise as soon as they are.
type poolEntry struct {
	transport  *http.Transport
	until      time.Time
	http1Until time.Time // until when the receiver gets HTTP/1.1 only; zero: it has not demanded it
	http1      bool      // the transport offers nothing else
}

// close closes the idle connections of an entry that is no longer in the pool. It does so in a
// goroutine: TLS writes an alert to the other side, which can take 5 s per connection if that side
// does not read.
func (e poolEntry) close() { go e.transport.CloseIdleConnections() }

// pool holds an entry for each of the most recently used routes.
type pool struct {
	now     func() time.Time
	entries *lru.Cache[route, poolEntry]
	change  sync.Mutex // held while an entry is replaced
	create  func(http1 bool, client *switchboard.Auth) (*http.Transport, error)
}

func newPool(limit int, now func() time.Time, create func(bool, *switchboard.Auth) (*http.Transport, error)) *pool {
	entries, _ := lru.NewWithEvict(limit, func(_ route, old poolEntry) { old.close() }) // fails for a limit below 1 only
	return &pool{now: now, create: create, entries: entries}
}

// get returns the entry of the route.
func (p *pool) get(r route, client *switchboard.Auth) (poolEntry, error) {
	if entry, ok := p.entries.Get(r); ok && p.now().Before(entry.until) {
		return entry, nil
	}
	return p.replace(r, client, time.Time{}, func(old poolEntry) bool { return !p.now().Before(old.until) })
}

// replace replaces the route's entry if it is missing or outdated. Running requests keep the old
// entry, whose connections end with them. The receiver gets only HTTP/1.1 until http1Until, or
// until a later time that was known before.
func (p *pool) replace(r route, client *switchboard.Auth, http1Until time.Time, outdated func(poolEntry) bool) (poolEntry, error) {
	p.change.Lock()
	defer p.change.Unlock()
	old, found := p.entries.Peek(r)
	if found && !outdated(old) {
		return old, nil // another goroutine was faster
	}
	now := p.now()
	if http1Until.Before(old.http1Until) {
		http1Until = old.http1Until
	}
	fresh := poolEntry{http1Until: http1Until, http1: r.http1 || now.Before(http1Until)}
	fresh.until = now.Add(time.Duration(float64(connectionAge) * (1 - ageSpread*rand.Float64()))) //nolint:gosec // spreads load, hides nothing
	var err error
	if fresh.transport, err = p.create(fresh.http1, client); err != nil {
		return poolEntry{}, err
	}
	p.entries.Add(r, fresh)
	if found {
		old.close()
	}
	return fresh, nil
}

// retire keeps new requests off the connections of that transport.
func (p *pool) retire(r route, client *switchboard.Auth, used *http.Transport) {
	_, _ = p.replace(r, client, time.Time{}, func(old poolEntry) bool { return old.transport == used })
}

// demandHTTP1 notes that the receiver demands HTTP/1.1.
func (p *pool) demandHTTP1(r route, client *switchboard.Auth) {
	_, _ = p.replace(r, client, p.now().Add(http1Time), func(old poolEntry) bool { return !old.http1 })
}

// close closes the idle connections.
func (p *pool) close() { p.entries.Purge() }

// transportFor makes the transport of an entry.
func (s *Sender) transportFor(http1 bool, client *switchboard.Auth) (*http.Transport, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.rootCAs, NextProtos: []string{protoHTTP2, protoHTTP1}}
	if http1 {
		config.NextProtos = config.NextProtos[1:]
	}
	if client == nil {
		return s.newTransport(config), nil
	}
	if err := useCertificate(config, client); err != nil {
		return nil, err
	}
	if http1 { // HTTP/2 forbids renegotiation (RFC 9113 9.2.1), and TLS 1.3 does not have it
		config.Renegotiation = tls.RenegotiateOnceAsClient
	}
	return s.newTransport(config), nil
}
