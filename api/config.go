package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/ingest"
)

const (
	// DefaultMaxBatch is the maximum size of a batch of events in bytes. Measured with 30 MB:
	// reading, checking and storing a batch takes eight times its length in memory, and 9 to 29 s.
	DefaultMaxBatch = 5 << 20
	// DefaultRefusedKeys is how many refused keys an address may try per second. Nobody can guess
	// 32 random bytes; the limit is for the cost of the lookups.
	DefaultRefusedKeys = 10
	// DefaultCostlyCalls is the total cost of calls that a key may make per second, see
	// [rest.Cost]: a hundred triggers, or ten challenges.
	DefaultCostlyCalls = 100
)

// Sender makes the requests with which the API tests a subscription.
type Sender interface {
	Previewer
	Receivers
}

// Config is what the API needs.
type Config struct {
	Store     Store     // required
	Sender    Sender    // required
	Catalogue Catalogue // required: provides the platforms and their event types
	Engine    Engine    // required: the only connection to Temporal
	Guard     Guard     // required: says which addresses may be sent to

	// Serving ends when the process begins to stop. Calls that wait for a receiver's answer are
	// then answered without one. nil: it never ends.
	Serving context.Context

	// Ready returns what the process lacks to do its work; /readyz shows it. nil: it lacks nothing.
	Ready func(ctx context.Context) []Missing

	Metrics http.Handler // serves /metrics; nil: no such route
	Meter   metric.Meter // measures requests; nil: no measurements
	Tracer  trace.Tracer // traces requests; nil: no traces
	Logger  *slog.Logger // one line per request; nil: slog.Default

	MaxData  int // limit of an event's data in bytes; 0: switchboard.DefaultMaxData
	MaxBatch int // limit of a batch of events in bytes; 0: DefaultMaxBatch

	// RefusedKeys is how many refused keys an address may try per second. After that it gets 429
	// without a lookup. 0: DefaultRefusedKeys.
	RefusedKeys float64
	// CostlyCalls is the total cost of the calls of one key per second, in this process, see
	// [rest.Cost]; 0: DefaultCostlyCalls.
	CostlyCalls float64

	// Classes are the classes of tenants, for metrics.
	Classes switchboard.TenantClasses

	// Validation says what happens to events whose data do not match their schema; empty: warn.
	Validation ingest.Validation

	// TemporalUI is the address of Temporal's web UI, such as http://127.0.0.1:8233, for links to a
	// delivery's workflow; empty: no links.
	TemporalUI        string
	TemporalNamespace string // part of those links; empty: "default"

	// PublicURL is the address by which people reach this server, such as
	// https://switchboard.example.com, for portal links; empty: no links can be made.
	PublicURL string

	Version string // shown in the OpenAPI document; empty: "dev"
}

// Missing is one thing that a process lacks to do its work. Everybody can see it, so Message
// contains neither secrets nor addresses with credentials.
type Missing struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	// Optional says that the process can work without it for a while. It is then degraded, but
	// still takes traffic.
	Optional bool `json:"optional,omitempty"`
}

// withDefaults checks the config and sets the defaults.
func (c Config) withDefaults() (Config, error) {
	for field, missing := range map[string]bool{
		"Store": c.Store == nil, "Sender": c.Sender == nil, "Catalogue": c.Catalogue == nil, "Engine": c.Engine == nil, "Guard": c.Guard == nil,
	} {
		if missing {
			return c, errors.New("api: Config." + field + " is required")
		}
	}
	c.Validation = cmp.Or(c.Validation, ingest.ValidationWarn)
	if !c.Validation.Valid() {
		return c, errors.New("api: Config.Validation must be off, warn or reject")
	}
	if c.MaxData < 0 {
		return c, errors.New("api: Config.MaxData is negative")
	}
	if c.MaxBatch < 0 {
		return c, errors.New("api: Config.MaxBatch is negative")
	}
	if u, err := url.Parse(c.TemporalUI); err != nil || c.TemporalUI != "" && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return c, errors.New("api: Config.TemporalUI is not an http or https URL")
	}
	if c.Serving == nil {
		c.Serving = context.Background()
	}
	if c.Ready == nil {
		c.Ready = func(context.Context) []Missing { return nil }
	}
	if c.Meter == nil {
		c.Meter = noop.NewMeterProvider().Meter("")
	}
	if c.Tracer == nil {
		c.Tracer = tracenoop.NewTracerProvider().Tracer("")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.RefusedKeys < 0 || c.CostlyCalls < 0 {
		return c, errors.New("api: Config.RefusedKeys and Config.CostlyCalls may not be negative")
	}
	c.RefusedKeys = cmp.Or(c.RefusedKeys, DefaultRefusedKeys)
	c.CostlyCalls = cmp.Or(c.CostlyCalls, DefaultCostlyCalls)
	c.MaxData = cmp.Or(c.MaxData, switchboard.DefaultMaxData)
	c.MaxBatch = cmp.Or(c.MaxBatch, DefaultMaxBatch)
	c.TemporalUI, c.PublicURL = strings.TrimRight(c.TemporalUI, "/"), strings.TrimRight(c.PublicURL, "/")
	c.TemporalNamespace = cmp.Or(c.TemporalNamespace, "default")
	c.Version = cmp.Or(c.Version, "dev")
	return c, nil
}
