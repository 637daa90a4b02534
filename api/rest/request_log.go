package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/seed-49a43567/switchboard"
)

// requestLog collects the content of the request's log line. It is in the context of every request.
type requestLog struct {
	id       string
	caller   switchboard.Caller
	code     switchboard.Code // of the answered problem; empty: none
	cause    error            // what a problem did not show
	warnings []slog.Attr      // of a request that was served despite them

	bodyRead bool // to its end
	stored   bool // something was stored although the answer is a problem
}

type requestLogKey struct{}

func logOf(ctx context.Context) *requestLog {
	return ctx.Value(requestLogKey{}).(*requestLog)
}

// RequestID is the id of the request in logs and problems.
func RequestID(ctx context.Context) string { return logOf(ctx).id }

// Warn adds attributes to the log line of the request, which becomes a warning. They must not
// contain any part of the body, which may be personal.
func Warn(ctx context.Context, attrs ...slog.Attr) {
	log := logOf(ctx)
	log.warnings = append(log.warnings, attrs...)
}

const requestIDHeader = "X-Request-Id"

// logRequest gives the request its id, and writes its log line and metric after it is answered. It
// never logs query strings, bodies and keys.
func (s *Server) logRequest(c *gin.Context) {
	start := time.Now()
	log := &requestLog{id: c.GetHeader(requestIDHeader)}
	if !isRequestID(log.id) {
		log.id = switchboard.NewID("req_", start)
	}
	c.Header(requestIDHeader, log.id)
	ctx, span := s.startSpan(c)
	c.Request = c.Request.WithContext(context.WithValue(ctx, requestLogKey{}, log))
	c.Next()

	took := time.Since(start)
	route, status := routeOf(c), c.Writer.Status()
	s.metrics.record(ctx, route, c.Request.Method, status, log.caller, took)
	endSpan(span, status, log)
	level := s.levelOf(route, status)
	if log.caller.Origin == switchboard.OriginConsole && level == slog.LevelInfo {
		level = slog.LevelDebug // the console logs the request that this one serves
	}
	if len(log.warnings) > 0 {
		level = max(level, slog.LevelWarn)
	}
	if !s.Logger.Enabled(c.Request.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 13)
	attrs = append(attrs,
		slog.String("method", methodLabel(c.Request.Method)), slog.String("route", route), slog.Int("status", status),
		slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("request_id", log.id),
		slog.String("key", log.caller.KeyID), slog.String("tenant", log.caller.Tenant))
	if traced := span.SpanContext(); traced.IsSampled() {
		attrs = append(attrs, slog.String("trace_id", traced.TraceID().String()))
	}
	if log.code != "" {
		attrs = append(attrs, slog.String("code", string(log.code)))
	}
	if log.cause != nil {
		attrs = append(attrs, slog.String("error", log.cause.Error()))
	}
	s.Logger.LogAttrs(c.Request.Context(), level, "request", append(attrs, log.warnings...)...)
}

// recoverPanic turns a panic into an internal error, so that one bad request does not end the
// process.
func (s *Server) recoverPanic(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v) // net/http's own way to abort a connection
		}
		err := fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		if c.Writer.Written() {
			logOf(c.Request.Context()).cause = err // too late for another answer
			c.Abort()
			return
		}
		s.refuse(c, err)
	}()
	c.Next()
}

// isRequestID accepts ids from callers that are safe to log and to return.
func isRequestID(id string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	return id != "" && len(id) <= 64 && strings.Trim(id, letters) == ""
}

// routeOf returns the route's pattern, which contains no ids, because labels must not grow with the
// data.
func routeOf(c *gin.Context) string {
	if pattern := c.FullPath(); pattern != "" {
		return pattern
	}
	return "unmatched"
}

// methodLabel keeps invented methods out of labels and logs.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodPut, http.MethodOptions:
		return method
	}
	return "other"
}

func (s *Server) levelOf(route string, status int) slog.Level {
	switch {
	case status == http.StatusServiceUnavailable:
		return slog.LevelWarn // Postgres is away, or the process is not ready yet
	case status == http.StatusBadGateway || status == http.StatusGatewayTimeout:
		return slog.LevelInfo // somebody else's server did not answer
	case status >= http.StatusInternalServerError:
		return slog.LevelError
	case s.quiet[route]:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
