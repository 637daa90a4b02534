package activities

import (
	"context"
	"net"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-49a43567/switchboard"
)

// InTrace continues the trace in which an event was posted, from [switchboard.Event.TraceParent].
//
// The trace context is stored with the event and not in Temporal's headers, where Temporal's own
// interceptor would put it. A relay or a release may start a workflow hours later from a row, so
// the row needs it anyway. A header would be in the history of every workflow, sampled or not. And
// a span of the whole workflow would last for days, and be lost with the worker that began it.
func InTrace(ctx context.Context, traceParent string) context.Context {
	if traceParent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceParent})
}

// deliver begins the span of this execution, with the time at which it began, as a child of the
// post of the event, however long ago that was: one trace has everything about an event. An event
// without a trace has no spans.
func (e *execution) deliver(ctx context.Context, loaded *switchboard.LoadedDelivery, began time.Time) (context.Context, trace.Span) {
	if e.Tracer == nil || loaded.Event.TraceParent == "" {
		return ctx, trace.SpanFromContext(context.Background()) // a span that does nothing
	}
	return e.Tracer.Start(InTrace(ctx, loaded.Event.TraceParent), "deliver", trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			attribute.String("switchboard.delivery", loaded.Delivery.ID),
			attribute.String("switchboard.tenant", loaded.Delivery.Tenant),
			attribute.String("switchboard.subscription", loaded.Delivery.SubscriptionID),
			attribute.String("switchboard.event_type", loaded.Delivery.EventType),
			attribute.Int("switchboard.generation", loaded.Delivery.Generation),
			attribute.Bool("switchboard.first_attempt", e.local),
		))
}

// delivered ends the span of an execution. An error of our own is not shown, because its text may
// contain data that must not be there.
func delivered(span trace.Span, result *AttemptResult, err error) {
	if span.IsRecording() {
		span.SetAttributes(attribute.String("switchboard.state", string(result.State)), attribute.String("switchboard.reason", result.Reason))
		if err != nil {
			span.SetStatus(codes.Error, infraErrorType)
			span.SetAttributes(attribute.String("error.type", infraErrorType))
		}
	}
	span.End()
}

// attemptSpan begins the span of a request, with the names of OpenTelemetry's conventions for HTTP
// clients. It shows neither path nor query, because both may contain secrets.
func (e *execution) attemptSpan(ctx context.Context, loaded *switchboard.LoadedDelivery, number int) (context.Context, trace.Span) {
	if e.Tracer == nil || !trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx, trace.SpanFromContext(context.Background())
	}
	host, port := loaded.Delivery.Host, 0
	if name, text, err := net.SplitHostPort(host); err == nil {
		host = name
		port, _ = strconv.Atoi(text) // 0 if it is not a number, and then left out
	}
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", loaded.Delivery.Method),
		attribute.String("server.address", host),
		attribute.Int("switchboard.attempt", number),
	}
	if port != 0 {
		attributes = append(attributes, attribute.Int("server.port", port))
	}
	return e.Tracer.Start(ctx, "attempt", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
}

// attempted ends the span of a request with its outcome. It shows only the code of a failure,
// because the detail quotes the receiver.
func attempted(span trace.Span, o *switchboard.Outcome, err error) {
	if span.IsRecording() {
		if o.StatusCode != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", o.StatusCode))
		}
		failure := string(o.Failure)
		if err != nil {
			failure = "interrupted"
		}
		if failure != "" {
			span.SetStatus(codes.Error, failure)
			span.SetAttributes(attribute.String("error.type", failure))
		}
	}
	span.End()
}
