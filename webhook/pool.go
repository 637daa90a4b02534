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
	// The longest age of a connection. The name of a receiver that moves is looked up
	// again, and its certificate and address are checked again, after that time at the
	// latest, however busy the connection is. Name servers rarely say less than a minute,
	// and one handshake in two minutes is no cost.
	connectionAge = 2 * time.Minute
	// By up to this share of it a connection is replaced earlier, so that the hosts that
	// were met together at the start of a process do not all get a handshake together.
	ageSpread = 0.25
	// How many hosts have kept connections at a time, each client certificate and HTTP
	// version counted for itself.
	maxRoutes = 1024
	// How long a host that demands HTTP/1.1 gets it unasked. To ask again costs one
	// request that it turns down.
	http1Time = time.Hour
)

// route is what connections are kept by: none is used for a request of another.
type route struct {
	scheme, host string
	client       [sha256.Size]byte // stands for the client certificate; zero: none
	http1        bool              // the subscription wants HTTP/1.1
}

// destination says how a message is to go to its URL.
type destination struct {
	client *switchboard.Auth // whose certificate is shown; nil: none
	http1  bool              // the subscription wants HTTP/1.1
}

func (d destination) route(u *url.URL) route {
	r := route{scheme: u.Scheme, host: u.Host, http1: d.http1}
	if d.client != nil {
		r.client = sha256.Sum256([]byte(d.client.Certificate + "\x00" + d.client.PrivateKey.Reveal()))
	}
	return r
}

// poolEntry holds the connections of a route until it is replaced.
// net/http knows no longest age of a connection, but it closes those of a transport
// that is not used any more: at once where they are idle, else as soon as they are.
type poolEntry struct {
	transport  *http.Transport
	until      time.Time
	http1Until time.Time // the receiver has demanded HTTP/1.1; zero: it has not
	http1      bool      // the transport offers nothing else
}

// close closes the idle connections of an entry that is not in the pool any more. Nobody
// waits for that: TLS tells the other side of its end, and one that reads nothing can make that
// last for 5 s a connection.
func (e poolEntry) close() { go e.transport.CloseIdleConnections() }

// pool keeps an entry for each of the routes that were used last.
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
	if kept, ok := p.entries.Get(r); ok && p.now().Before(kept.until) {
		return kept, nil
	}
	return p.replace(r, client, time.Time{}, func(kept poolEntry) bool { return !p.now().Before(kept.until) })
}

// replace puts another entry in the place of one that is to go, or is gone already.
// Requests under way keep the old one, whose connections end with them. Until http1Until,
// or as long as was known before, the receiver gets nothing but HTTP/1.1.
func (p *pool) replace(r route, client *switchboard.Auth, http1Until time.Time, goes func(poolEntry) bool) (poolEntry, error) {
	p.change.Lock()
	defer p.change.Unlock()
	old, found := p.entries.Peek(r)
	if found && !goes(old) {
		return old, nil // somebody was faster
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

// retire sees to it that no new request uses the connections of that transport.
func (p *pool) retire(r route, client *switchboard.Auth, used *http.Transport) {
	_, _ = p.replace(r, client, time.Time{}, func(kept poolEntry) bool { return kept.transport == used })
}

// demandHTTP1 notes that the receiver takes nothing else.
func (p *pool) demandHTTP1(r route, client *switchboard.Auth) {
	_, _ = p.replace(r, client, p.now().Add(http1Time), func(kept poolEntry) bool { return !kept.http1 })
}

// close closes the connections that are kept.
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
	if err := showCertificate(config, client); err != nil {
		return nil, err
	}
	if http1 { // HTTP/2 forbids it (RFC 9113 9.2.1), and TLS 1.3 does not know it
		config.Renegotiation = tls.RenegotiateOnceAsClient
	}
	return s.newTransport(config), nil
}
