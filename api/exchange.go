package api

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

// exchange is one request and its answer, as far as the log wants to know. It
// travels in the context between Gin's middlewares and [handle], which look at it:
// handlers are given the caller as a parameter.
type exchange struct {
	id     string
	caller switchboard.Caller
	body   []byte           // read by admit
	code   switchboard.Code // of the problem that was answered; empty: none
	fault  error            // what a problem did not show
	unfit  unfit            // events that were accepted with a warning

	read     bool                          // the body, to its end
	claim    *switchboard.IdempotencyClaim // nil: there is none
	accepted bool                          // something was stored although a problem is answered
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	return ctx.Value(exchangeKey{}).(*exchange)
}

const requestIDHeader = "X-Request-Id"

// observe gives the request its id, and writes its log line and metric when it is
// answered. Query strings, bodies and keys are never logged.
func (s *server) observe(c *gin.Context) {
	start := time.Now()
	x := &exchange{id: c.GetHeader(requestIDHeader)}
	if !isRequestID(x.id) {
		x.id = switchboard.NewID("req_", start)
	}
	c.Header(requestIDHeader, x.id)
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), exchangeKey{}, x))
	c.Next()

	took := time.Since(start)
	route, status := routeOf(c), c.Writer.Status()
	s.metrics.record(c.Request.Context(), route, c.Request.Method, status, took)
	level := levelOf(route, status)
	if x.unfit.events > 0 {
		level = max(level, slog.LevelWarn)
	}
	if !s.Logger.Enabled(c.Request.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("method", methodLabel(c.Request.Method)), slog.String("route", route), slog.Int("status", status),
		slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("request_id", x.id),
		slog.String("key", x.caller.KeyID), slog.String("tenant", x.caller.Tenant))
	if x.code != "" {
		attrs = append(attrs, slog.String("code", string(x.code)))
	}
	if x.fault != nil {
		attrs = append(attrs, slog.String("error", x.fault.Error()))
	}
	attrs = append(attrs, x.unfit.attrs()...)
	s.Logger.LogAttrs(c.Request.Context(), level, "request", attrs...)
}

// recover turns a panic into an internal error, so that one bad request cannot
// take the others with it.
func (s *server) recover(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v) // the server's own way to break off a connection
		}
		err := fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		if c.Writer.Written() {
			exchangeOf(c.Request.Context()).fault = err // too late for another answer
			c.Abort()
			return
		}
		s.refuse(c, err)
	}()
	c.Next()
}

// isRequestID accepts ids of callers that are safe to log and to send back.
func isRequestID(id string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	return id != "" && len(id) <= 64 && strings.Trim(id, letters) == ""
}

// routeOf is the route's pattern, which has no ids in it: a label must not grow
// with the data.
func routeOf(c *gin.Context) string {
	if pattern := c.FullPath(); pattern != "" {
		return pattern
	}
	return "unmatched"
}

// methodLabel keeps methods that somebody made up out of labels and logs.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodPut, http.MethodOptions:
		return method
	}
	return "other"
}

// levelOf keeps probes, which come every few seconds, out of the usual log.
func levelOf(route string, status int) slog.Level {
	switch {
	case status == http.StatusServiceUnavailable:
		return slog.LevelWarn // Postgres is away, or the process is not ready yet
	case status == http.StatusBadGateway || status == http.StatusGatewayTimeout:
		return slog.LevelInfo // a receiver did not answer
	case status >= http.StatusInternalServerError:
		return slog.LevelError
	case route == "/healthz" || route == "/readyz" || route == "/metrics":
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
