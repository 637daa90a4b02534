package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/ingest"
)

// The id of a ticket is a number or a text.
const mismatchedEvent = `{"tenant":"acme","type":"ticket.created","id":"mismatched","data":{"ticket":{"id":{"secret":"hunter2"}}}}`

func validating(v ingest.Validation) func(*Config) { return func(c *Config) { c.Validation = v } }

func TestValidationWarns(t *testing.T) {
	t.Parallel()
	b := setup(t, validating("")) // the default
	got := b.call(t, publisherKey, "POST", "/v1/events", mismatchedEvent).want(t, http.StatusAccepted)
	warnings := asList(got["warnings"])
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0].(string), "data.ticket.id: must be ") {
		t.Errorf("got %v", got)
	}
	if b.eventCount(t) != 1 {
		t.Error("it was not stored")
	}
	line := b.logs.lines(t)[0]
	want := map[string]any{"level": "WARN", "schema_mismatch_events": 1.0, "schema_mismatch_type": "ticket.created", "schema_mismatch_field": "data.ticket.id"}
	for name, value := range want {
		if line[name] != value {
			t.Errorf("the log's %s is %v, want %v", name, line[name], value)
		}
	}

	for _, fits := range []string{
		`{"tenant":"acme","type":"ticket.created","data":{"ticket":{"id":1}}}`,
		`{"tenant":"acme","type":"nobody.knows","data":{"ticket":{"id":{}}}}`,
	} {
		if got := b.call(t, publisherKey, "POST", "/v1/events", fits).want(t, http.StatusAccepted); got["warnings"] != nil {
			t.Errorf("%s: %v", fits, got["warnings"])
		}
	}
}

func TestValidationRejects(t *testing.T) {
	t.Parallel()
	b := setup(t, validating(ingest.ValidationReject))
	b.call(t, publisherKey, "POST", "/v1/events", mismatchedEvent).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "data.ticket.id")
	if b.stored(t) {
		t.Error("something was stored")
	}
	// A test event does not come from the platform: it may contain anything.
	b.call(t, integratorKey, "POST", "/v1/subscriptions/sub_acme/test", `{"type":"ticket.created","data":{"ticket":{"id":{}}}}`).want(t, http.StatusAccepted)
}

func TestValidationOff(t *testing.T) {
	t.Parallel()
	b := setup(t, validating(ingest.ValidationOff))
	if got := b.call(t, publisherKey, "POST", "/v1/events", mismatchedEvent).want(t, http.StatusAccepted); got["warnings"] != nil {
		t.Errorf("got %v", got)
	}
}

func TestValidationOfBatches(t *testing.T) {
	t.Parallel()
	batch := `{"events":[{"tenant":"acme","type":"a b","data":1},` + mismatchedEvent + `,{"tenant":"acme","type":"ticket.created","data":{"ticket":{"id":1}}}]}`
	for mode, want := range map[ingest.Validation][]string{
		ingest.ValidationWarn:   {"error type", "accepted warned", "accepted"},
		ingest.ValidationReject: {"error type", "error data.ticket.id", "accepted"},
		ingest.ValidationOff:    {"error type", "accepted", "accepted"},
	} {
		b := setup(t, validating(mode))
		var got []string
		for _, r := range asList(b.call(t, publisherKey, "POST", "/v1/events/batch", batch).want(t, http.StatusAccepted)["results"]) {
			result := r.(map[string]any)
			line := result["status"].(string)
			if p, ok := result["problem"].(map[string]any); ok {
				line += " " + p["field"].(string)
			}
			if result["warnings"] != nil {
				line += " warned"
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", mode, diff)
		}
	}
}

func TestValidationIsCounted(t *testing.T) {
	t.Parallel()
	for _, mode := range []ingest.Validation{ingest.ValidationWarn, ingest.ValidationReject} {
		registry := prometheus.NewRegistry()
		exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
		if err != nil {
			t.Fatal(err)
		}
		b := setup(t, validating(mode), func(c *Config) {
			c.Meter = metric.NewMeterProvider(metric.WithReader(exporter)).Meter("switchboard")
			c.Metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
		})
		atStart := string(b.call(t, "", "GET", "/metrics", nil).body)
		for _, want := range []string{`events_schema_mismatch_total{validation="warn"} 0`, `events_schema_mismatch_total{validation="reject"} 0`,
			`events_schema_mismatch_total{validation="unchecked"} 0`, "filters_undecided_total 0"} {
			if !strings.Contains(atStart, "switchboard_"+want) {
				t.Errorf("at the start, no %s in\n%s", want, atStart)
			}
		}
		b.call(t, publisherKey, "POST", "/v1/events", mismatchedEvent)
		b.call(t, publisherKey, "POST", "/v1/events", mismatchedEvent)
		got := string(b.call(t, "", "GET", "/metrics", nil).body)
		if want := `switchboard_events_schema_mismatch_total{validation="` + string(mode) + `"} 2`; !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestValidationIsOneOfThree(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{Validation: "perhaps"}); err == nil {
		t.Error("another was accepted")
	}
	for v, want := range map[ingest.Validation]bool{"off": true, "warn": true, "reject": true, "": false, "Warn": false} {
		if v.Valid() != want {
			t.Errorf("%q: %v", v, !want)
		}
	}
}

// costlyCatalogue finds every event too expensive to check, or has no capacity for it.
type costlyCatalogue struct {
	Catalogue
	code switchboard.Code
}

func (c costlyCatalogue) Validate(context.Context, string, []byte) error {
	return &switchboard.Error{Code: c.code, Field: "data", Message: "is not checked"}
}

// TestUncheckedData: data that cannot be checked are counted separately from those that do not fit,
// and are refused only if those are.
func TestUncheckedData(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode   ingest.Validation
		code   switchboard.Code
		status int
	}{
		{ingest.ValidationWarn, switchboard.CodeTooLarge, http.StatusAccepted},
		{ingest.ValidationWarn, switchboard.CodeOverloaded, http.StatusAccepted},
		{ingest.ValidationReject, switchboard.CodeTooLarge, http.StatusRequestEntityTooLarge},
		{ingest.ValidationReject, switchboard.CodeOverloaded, http.StatusServiceUnavailable},
		{ingest.ValidationOff, switchboard.CodeTooLarge, http.StatusAccepted},
	} {
		b := setup(t, validating(test.mode), func(c *Config) { c.Catalogue = costlyCatalogue{c.Catalogue, test.code} })
		got := b.call(t, publisherKey, "POST", "/v1/events", `{"tenant":"acme","type":"ticket.created","data":1}`)
		if got.status != test.status {
			t.Errorf("%s, %s: status %d, want %d", test.mode, test.code, got.status, test.status)
		}
		if test.status != http.StatusAccepted {
			got.wantProblem(t, test.status, test.code, "data")
			continue
		}
		if warned := got.want(t, test.status)["warnings"] != nil; warned != (test.mode == ingest.ValidationWarn) {
			t.Errorf("%s, %s: warned %v", test.mode, test.code, warned)
		}
	}
}
