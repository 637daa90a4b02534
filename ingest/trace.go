package ingest

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traceParent returns the trace context of the request with the event, in W3C's format. It is empty
// if the trace is not sampled: then nothing is stored, and the deliveries are not traced.
// tracestate, the vendor's own part, is not stored, because it may be anything that the caller
// sent.
func traceParent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}
