package webhook

import (
	"cmp"
	"crypto/x509"
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// Config is what a [Sender] needs. Zero fields mean their defaults.
type Config struct {
	Guard            *Guard           // nil: public addresses only
	Version          string           // of the product, for the User-Agent; empty: [switchboard.Version]
	ConnectTimeout   time.Duration    // for resolving and connecting; 0: 5 s
	HandshakeTimeout time.Duration    // of TLS; 0: 5 s
	RootCAs          *x509.CertPool   // trusted authorities; nil: the system's
	Platforms        render.Platforms // provides the use cases and spellings for requests; nil: none
	TraceParent      bool             // send receivers the trace of an attempt that is traced, see docs/telemetry.md
}

// Sender sends messages. It keeps connections and may be used by many goroutines. A process needs
// only one.
type Sender struct {
	guard            *Guard
	renderer         *render.Renderer
	userAgent        string
	connectTimeout   time.Duration
	handshakeTimeout time.Duration
	http2            http.HTTP2Config // limits of connections
	rootCAs          *x509.CertPool
	traceParent      bool
	now              func() time.Time
	pool             *pool                     // of connections
	tokens           *lru.Cache[string, grant] // by subscription and token request
	fetches          singleflight.Group        // of tokens
}

// NewSender makes a sender.
func NewSender(config Config) *Sender {
	tokens, _ := lru.New[string, grant](maxTokens) // fails for a size below 1 only
	s := &Sender{
		guard:            config.Guard,
		renderer:         render.NewRenderer(config.Platforms),
		userAgent:        "Switchboard/" + cmp.Or(config.Version, switchboard.Version) + " (webhook)",
		connectTimeout:   cmp.Or(config.ConnectTimeout, defaultConnect),
		handshakeTimeout: cmp.Or(config.HandshakeTimeout, defaultHandshake),
		http2:            http2Limits(),
		rootCAs:          config.RootCAs,
		traceParent:      config.TraceParent,
		now:              time.Now,
		tokens:           tokens,
	}
	if s.guard == nil {
		s.guard = NewGuard(nil)
	}
	s.pool = newPool(maxRoutes, func() time.Time { return s.now() }, s.transportFor)
	return s
}

// Close closes the idle connections. It does not interrupt running requests.
func (s *Sender) Close() { s.pool.close() }
