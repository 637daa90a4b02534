package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-49a43567/switchboard"
)

// operations is the prefix of all operations' paths.
const operations = "/v1/"

// Store provides API keys, and the answers to requests with an Idempotency-Key.
type Store interface {
	// Authenticate returns the caller for the text of a key, or an Unauthenticated error if the key
	// is unknown, expired or revoked.
	Authenticate(ctx context.Context, text switchboard.Secret) (switchboard.Caller, error)

	// Claim allows the holder of the API key to execute a request, or returns the earlier answer.
	// It returns KeyReused if the Idempotency-Key came with another request, and a Conflict if the
	// same request is being executed.
	Claim(ctx context.Context, apiKeyID, key string, request [32]byte) (switchboard.IdempotencyClaim, error)
	SaveAnswer(ctx context.Context, claim switchboard.IdempotencyClaim, answer switchboard.StoredAnswer) error
	// Release gives up a claim without an answer. If nothing was done, the Idempotency-Key may come
	// with another request.
	Release(ctx context.Context, claim switchboard.IdempotencyClaim, nothingDone bool) error
}

// Config is what the package needs. All of it is required.
type Config struct {
	Store   Store
	Meter   metric.Meter
	Tracer  trace.Tracer              // makes a span of each operation
	Classes switchboard.TenantClasses // of callers, for metrics
	Logger  *slog.Logger

	// RefusedKeys is how many refused keys an address may try per second. After that it gets 429
	// without a lookup.
	RefusedKeys float64
	// CostlyCalls is the total cost that one key may spend per second, see [Cost].
	CostlyCalls float64

	Version string // shown in the OpenAPI document
	Prose   Prose  // the texts of the OpenAPI document
	// Members is a struct with the members that errors add to their problems, see [MembersError].
	// The OpenAPI document shows them with those of [Problem].
	Members any
}

// Server serves operations. It does not change after it begins to serve.
type Server struct {
	Config
	engine  *gin.Engine
	huma    huma.API
	metrics *requestMetrics
	gate    *keyGate
	costly  *buckets        // by API key
	quiet   map[string]bool // routes whose successes are logged at debug level
}

// New makes a server without operations.
func New(config Config) (*Server, error) {
	metrics, err := newRequestMetrics(config.Meter, config.Classes)
	if err != nil {
		return nil, fmt.Errorf("request metrics: %w", err)
	}
	gate, err := newKeyGate(config.Meter, config.RefusedKeys)
	if err != nil {
		return nil, fmt.Errorf("limit of refused keys: %w", err)
	}
	costly, err := newBuckets(config.CostlyCalls, 2)
	if err != nil {
		return nil, fmt.Errorf("limit of costly calls: %w", err)
	}
	s := &Server{Config: config, metrics: metrics, gate: gate, costly: costly, quiet: map[string]bool{}}
	s.engine = s.newEngine()
	s.huma = humagin.New(s.engine, s.humaConfig())
	return s, nil
}

// Handler registers the routes with the documentation and returns the whole API.
func (s *Server) Handler(routes []Route) (http.Handler, error) {
	for i := range routes {
		if err := s.register(&routes[i]); err != nil {
			return nil, err
		}
	}
	if err := s.serveDocs(routes); err != nil {
		return nil, fmt.Errorf("documentation: %w", err)
	}
	s.serveHeads()
	return s.engine, nil
}

// Mount serves GET and HEAD of a path outside of the operations. Probes request these paths every
// few seconds, so successes are logged at debug level.
func (s *Server) Mount(path string, h http.Handler) {
	s.quiet[path] = true
	s.engine.GET(path, gin.WrapH(h))
}

// serveHeads answers HEAD for every GET route (RFC 9110, 9.1). net/http only sends the headers.
func (s *Server) serveHeads() {
	for _, route := range s.engine.Routes() {
		if route.Method == http.MethodGet {
			s.engine.HEAD(route.Path, route.HandlerFunc)
		}
	}
}

// newEngine makes the Gin engine with the middlewares for every request.
func (s *Server) newEngine() *gin.Engine {
	// Gin's mode is a global, and its debug mode prints to stdout. It is only ever changed from
	// debug to release, so the order does not matter.
	if gin.Mode() == gin.DebugMode {
		gin.SetMode(gin.ReleaseMode)
	}
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false
	engine.Use(s.logRequest, s.recoverPanic, secure, refuseBodies)
	engine.NoRoute(func(c *gin.Context) {
		s.refuse(c, switchboard.Errorf(switchboard.CodeNotFound, "there is nothing at this path"))
	})
	engine.NoMethod(func(c *gin.Context) {
		s.refuse(c, &statusError{http.StatusMethodNotAllowed, switchboard.Errorf(switchboard.CodeInvalid, "this path does not support the method")})
	})
	return engine
}

// humaConfig is written out. huma.DefaultConfig adds "$schema" to every answer, and a documentation
// page that loads scripts from the internet.
func (s *Server) humaConfig() huma.Config {
	format := huma.Format{Marshal: WriteJSON, Unmarshal: json.Unmarshal}
	return huma.Config{
		OpenAPI:                      s.newDocument(),
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{parameterProblem},
	}
}

// WriteJSON does not escape <, > and &: no answer is put into a script.
func WriteJSON(w io.Writer, v any) error {
	text, err := switchboard.EncodeJSON(v)
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}
	return err
}

// secure sets the headers that stop browsers and proxies from doing more with an answer than
// showing it.
func secure(c *gin.Context) {
	c.Header("X-Content-Type-Options", "nosniff")
	if strings.HasPrefix(c.Request.URL.Path, operations) {
		c.Header("Cache-Control", "no-store")
	}
	c.Next()
}

// refuseBodies ends the connection after an answer outside of the operations if the request has a
// body, because no route there reads one.
func refuseBodies(c *gin.Context) {
	if c.Request.ContentLength != 0 && !strings.HasPrefix(c.Request.URL.Path, operations) {
		closeUnread(c)
	}
	c.Next()
}

// closeUnread ends the connection after the answer. Otherwise net/http would wait for the rest of
// the body, up to its read timeout, before it answers, and again before it frees the connection.
func closeUnread(c *gin.Context) {
	c.Header("Connection", "close")
	_ = huma.SetReadDeadline(c.Writer, time.Now()) // not every writer can, as in tests
}
