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

	"switchboard"
)

// Config is what the API needs. One store usually fills the first six fields.
type Config struct {
	Events        EventStore        // required
	Subscriptions SubscriptionStore // required
	Secrets       SecretStore       // required
	Verification  VerificationStore // required
	Deliveries    DeliveryStore     // required
	Keys          KeyStore          // required
	Auth          Authenticator     // required: finds the caller behind a key

	Catalogue  Catalogue      // required: knows the platforms and their event types
	EventTypes EventTypeStore // required: keeps the event types of the run time
	Answers    AnswerStore    // required: waits for receivers' answers
	Signers    EndpointStore  // required: knows how subscriptions sign
	Previews   Previewer      // required: makes requests without sending them

	Engine Engine // required: the one way into Temporal
	Guard  Guard  // required: says which addresses may be sent to

	Receivers Receivers // required: asks receivers while a subscription is saved

	// Ready says what is missing for the process to do its work; /readyz shows it.
	// nil: nothing is ever missing.
	Ready func(ctx context.Context) []Missing

	Metrics http.Handler // serves /metrics; nil: there is no such route
	Meter   metric.Meter // measures requests; nil: nothing is measured
	Logger  *slog.Logger // one line per request; nil: slog.Default

	MaxData int // limit of an event's data in bytes; 0: switchboard.DefaultMaxData

	// Validation holds the data of posted events against the catalogue; empty: warn.
	Validation Validation

	// TemporalUI is the address of Temporal's web UI, as http://127.0.0.1:8233, for
	// the links to a delivery's workflow; empty: no links.
	TemporalUI        string
	TemporalNamespace string // part of those links; empty: "default"

	Version string // shown in the OpenAPI document; empty: "dev"
}

// Missing is one thing that a process lacks to do its work. It is shown to
// everybody: Message holds neither secrets nor addresses with credentials.
type Missing struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	// Optional says that the process can do its work without it for a while: it is
	// degraded, and takes traffic all the same.
	Optional bool `json:"optional,omitempty"`
}

// withDefaults checks the config and fills in what zero means.
func (c Config) withDefaults() (Config, error) {
	required := []struct {
		name    string
		missing bool
	}{
		{"Events", c.Events == nil}, {"Subscriptions", c.Subscriptions == nil}, {"Secrets", c.Secrets == nil},
		{"Deliveries", c.Deliveries == nil}, {"Keys", c.Keys == nil}, {"Auth", c.Auth == nil},
		{"Engine", c.Engine == nil}, {"Guard", c.Guard == nil}, {"Verification", c.Verification == nil}, {"Receivers", c.Receivers == nil},
		{"Catalogue", c.Catalogue == nil}, {"EventTypes", c.EventTypes == nil}, {"Answers", c.Answers == nil},
		{"Signers", c.Signers == nil}, {"Previews", c.Previews == nil},
	}
	for _, r := range required {
		if r.missing {
			return c, errors.New("api: Config." + r.name + " is required")
		}
	}
	c.Validation = cmp.Or(c.Validation, ValidationWarn)
	if !c.Validation.Valid() {
		return c, errors.New("api: Config.Validation must be off, warn or reject")
	}
	if c.MaxData < 0 {
		return c, errors.New("api: Config.MaxData is negative")
	}
	if u, err := url.Parse(c.TemporalUI); err != nil || c.TemporalUI != "" && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return c, errors.New("api: Config.TemporalUI is not an http or https URL")
	}
	if c.Ready == nil {
		c.Ready = func(context.Context) []Missing { return nil }
	}
	if c.Meter == nil {
		c.Meter = noop.NewMeterProvider().Meter("")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.MaxData = cmp.Or(c.MaxData, switchboard.DefaultMaxData)
	c.TemporalUI = strings.TrimRight(c.TemporalUI, "/")
	c.TemporalNamespace = cmp.Or(c.TemporalNamespace, "default")
	c.Version = cmp.Or(c.Version, "dev")
	return c, nil
}
