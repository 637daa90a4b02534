package rest

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// startSpan begins the span of an operation, in the trace of the caller if the request names one.
// Probes and pages have no span. We do not use Gin's instrumentation, because it puts the path,
// with ids, and the caller's address into each span.
func (s *Server) startSpan(c *gin.Context) (context.Context, trace.Span) {
	ctx, route := c.Request.Context(), routeOf(c)
	if !strings.HasPrefix(route, operations) {
		return ctx, trace.SpanFromContext(context.Background()) // one that does nothing
	}
	if c.GetHeader("Traceparent") != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(c.Request.Header))
	}
	method := methodLabel(c.Request.Method)
	return s.Tracer.Start(ctx, method+" "+route, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", method), attribute.String("http.route", route)))
}

// endSpan ends the span with the answer.
func endSpan(span trace.Span, status int, log *requestLog) {
	if span.IsRecording() {
		span.SetAttributes(attribute.Int("http.response.status_code", status), attribute.String("switchboard.request", log.id))
		if log.caller.Tenant != "" {
			span.SetAttributes(attribute.String("switchboard.tenant", log.caller.Tenant))
		}
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, string(log.code))
			span.SetAttributes(attribute.String("error.type", string(log.code)))
		}
	}
	span.End()
}
