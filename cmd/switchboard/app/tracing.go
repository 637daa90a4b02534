package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-49a43567/switchboard"
)

// scope is the name of Switchboard's metrics and traces, as opposed to those of libraries.
const scope = "switchboard"

// traceStop limits the sending of the remaining spans when the process stops.
const traceStop = 5 * time.Second

// newTracer makes the tracer that OpenTelemetry's own variables in the environment describe. nil:
// they name no endpoint, and there are no traces. OpenTelemetry's SDK itself reads the endpoint's
// protocol, headers and TLS, the sampler, the batches and the resource.
func newTracer(ctx context.Context, identity string, log *slog.Logger) (_ trace.Tracer, stop func(), err error) {
	if !tracingOn() {
		return nil, func() {}, nil
	}
	exporter, err := newExporter(ctx)
	if err != nil {
		return nil, nil, err
	}
	who, err := resource.New(ctx,
		resource.WithAttributes(
			attribute.String("service.name", "switchboard"), attribute.String("service.version", switchboard.Version), attribute.String("service.instance.id", identity)),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv()) // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come last and take precedence
	if err != nil {
		return nil, nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(&loggedExporter{SpanExporter: exporter, log: log}), sdktrace.WithResource(who))
	return provider.Tracer(scope), func() {
		ctx, cancel := context.WithTimeout(context.Background(), traceStop)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			log.WarnContext(ctx, "the last spans may be lost", "error", err)
		}
	}, nil
}

// tracingOn reports whether an endpoint for traces is set.
func tracingOn() bool {
	return cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) != "" &&
		!strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") && os.Getenv("OTEL_TRACES_EXPORTER") != "none"
}

// newExporter makes the exporter for the configured protocol: http/protobuf, the standard's
// default, or grpc.
func newExporter(ctx context.Context) (sdktrace.SpanExporter, error) {
	switch protocol := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf"); protocol {
	case "http/protobuf":
		return otlptracehttp.New(ctx)
	case "grpc":
		return otlptracegrpc.New(ctx)
	default:
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL: is %q, and must be http/protobuf or grpc", protocol)
	}
}

// loggedExporter logs once that spans cannot be sent, and once that they can be sent again. Spans
// in between are lost, because nothing waits for a collector.
type loggedExporter struct {
	sdktrace.SpanExporter
	log  *slog.Logger
	away atomic.Bool
}

// ExportSpans sends spans. It never returns an error, because OpenTelemetry would write each one to
// standard error.
func (e *loggedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	switch away := err != nil; {
	case away && e.away.CompareAndSwap(false, true):
		e.log.WarnContext(ctx, "spans are lost: they cannot be sent", "error", err)
	case !away && e.away.CompareAndSwap(true, false):
		e.log.InfoContext(ctx, "spans are sent again")
	}
	return nil //nolint:nilerr // it is logged
}
