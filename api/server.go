package api

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-49a43567/switchboard"
)

// server holds what the handlers share. Its config is complete, and is not
// changed after New.
type server struct {
	Config
	metrics *requestMetrics
	unfit   metric.Int64Counter // events whose data do not fit the catalogue
	gate    *keyGate
	costly  *buckets // by key
	// undecided counts deliveries that are owed because a filter's effort was used up
	undecided metric.Int64Counter
	waits     chan struct{} // one taken for each call that waits for a receiver's answer
}

// New makes the HTTP API. The error names the field of the config at fault.
func New(config Config) (http.Handler, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	metrics, err := newRequestMetrics(config.Meter)
	if err != nil {
		return nil, fmt.Errorf("api: request metrics: %w", err)
	}
	unfit, err := newUnfit(config.Meter)
	if err != nil {
		return nil, fmt.Errorf("api: event metrics: %w", err)
	}
	gate, err := newKeyGate(config.Meter, config.RefusedKeys)
	if err != nil {
		return nil, fmt.Errorf("api: refused keys: %w", err)
	}
	costly, err := newBuckets(config.CostlyCalls, 2)
	if err != nil {
		return nil, fmt.Errorf("api: costly calls: %w", err)
	}
	undecided, err := newUndecided(config.Meter)
	if err != nil {
		return nil, fmt.Errorf("api: filter metrics: %w", err)
	}
	s := &server{Config: config, metrics: metrics, unfit: unfit, undecided: undecided, waits: make(chan struct{}, maxWaits), gate: gate, costly: costly}
	engine := s.newEngine()
	h := humagin.New(engine, s.humaConfig())
	var operations []*huma.Operation
	h.OpenAPI().OnAddOperation = append(h.OpenAPI().OnAddOperation, func(_ *huma.OpenAPI, op *huma.Operation) {
		operations = append(operations, op)
	})
	s.register(h)
	// huma documents its own error type for every operation; we answer with ours.
	schemas := h.OpenAPI().Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	if err := s.serveDocs(engine, h.OpenAPI(), operations); err != nil {
		return nil, fmt.Errorf("api: documentation: %w", err)
	}
	serveHeads(engine)
	serveHealth(func(path string, h http.Handler) {
		engine.Match([]string{http.MethodGet, http.MethodHead}, path, gin.WrapH(h))
	}, s.Ready, s.Metrics)
	return engine, nil
}

// serveHeads answers HEAD wherever GET is known (RFC 9110, 9.1), as GET does; net/http
// sends the headers alone.
func serveHeads(engine *gin.Engine) {
	for _, route := range engine.Routes() {
		if route.Method == http.MethodGet {
			engine.HEAD(route.Path, route.HandlerFunc)
		}
	}
}

// newEngine makes the Gin engine with the middlewares that every request passes.
func (s *server) newEngine() *gin.Engine {
	// Gin's mode is a global, and its debug mode prints to stdout. It is only ever
	// changed from debug to release, so it does not matter who is first.
	if gin.Mode() == gin.DebugMode {
		gin.SetMode(gin.ReleaseMode)
	}
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false
	engine.Use(s.observe, s.recover, secure, bodiless)
	engine.NoRoute(func(c *gin.Context) {
		s.refuse(c, switchboard.Errorf(switchboard.CodeNotFound, "there is nothing at this path"))
	})
	engine.NoMethod(func(c *gin.Context) {
		s.refuse(c, &refusal{http.StatusMethodNotAllowed, switchboard.Errorf(switchboard.CodeInvalid, "this path does not know the method")})
	})
	return engine
}

// humaConfig is written out rather than taken from huma.DefaultConfig, which adds
// "$schema" to every answer and a documentation page that loads scripts from the
// internet.
func (s *server) humaConfig() huma.Config {
	format := huma.Format{Marshal: writeJSON, Unmarshal: json.Unmarshal}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "Switchboard", Version: s.Version, Description: overview},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"key": {Type: "http", Scheme: "bearer", Description: "An API key, as `Authorization: Bearer sbk_…`"},
				},
			},
			Security: []map[string][]string{{"key": {}}},
			// Relative to the document, which every process serves itself.
			Servers: []*huma.Server{{URL: "/", Description: "The server of this document"}},
			Tags:    tags(),
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{ownProblem},
	}
}

// writeJSON leaves <, > and & as they are: nothing here is put into a script.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// secure sets the headers that keep browsers and proxies from doing more with an
// answer than showing it.
func secure(c *gin.Context) {
	c.Header("X-Content-Type-Options", "nosniff")
	if strings.HasPrefix(c.Request.URL.Path, "/v1/") {
		c.Header("Cache-Control", "no-store")
	}
	c.Next()
}

// bodiless ends the connection behind an answer outside of /v1 if the request has a body,
// which no route there reads; see [server.refuse].
func bodiless(c *gin.Context) {
	if c.Request.ContentLength != 0 && !strings.HasPrefix(c.Request.URL.Path, "/v1/") {
		leaveUnread(c)
	}
	c.Next()
}
