package ingest

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traceParent is the trace context of the request that brings an event, in the text of W3C. It is empty
// where the trace is not sampled: then nothing of it is kept, and nothing of its deliveries is traced.
// The vendor's own part, tracestate, is not kept: it may be anything that the caller sent.
func traceParent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}
