package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// requestLog collects the content of the request's log line.
type requestLog struct {
	id     string
	route  string // its pattern, which contains no ids
	caller switchboard.Caller
	cause  error // what the page does not show
}

type requestLogKey struct{}

func logOf(r *http.Request) *requestLog {
	return r.Context().Value(requestLogKey{}).(*requestLog)
}

// requestID returns the id of the request in logs, on error pages, and in the API's calls for it.
func requestID(r *http.Request) string { return logOf(r).id }

// logged serves a request and writes its log line. It never logs query strings or what is typed
// into forms.
func (c *Console) logged(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	start := time.Now()
	log := &requestLog{id: switchboard.NewID("req_", start)}
	r = r.WithContext(context.WithValue(r.Context(), requestLogKey{}, log))
	counted := &statusWriter{ResponseWriter: w}
	w.Header().Set("X-Request-Id", log.id)
	c.recovered(counted, r, serve)
	level := slog.LevelInfo
	switch {
	case counted.status == http.StatusServiceUnavailable:
		level = slog.LevelWarn
	case counted.status >= http.StatusInternalServerError:
		level = slog.LevelError
	case r.URL.Query().Has(partParameter), log.route == assetsPath:
		level = slog.LevelDebug // each open tab sends requests every few seconds
	}
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("route", log.route), slog.Int("status", counted.status),
		slog.Float64("ms", float64(time.Since(start).Microseconds())/1000), slog.String("request_id", log.id),
		slog.String("key", log.caller.KeyID), slog.String("tenant", log.caller.Tenant),
	}
	if log.cause != nil {
		attrs = append(attrs, slog.String("error", log.cause.Error()))
	}
	c.Logger.LogAttrs(r.Context(), level, "console request", attrs...)
}

// recovered turns a panic into an error page.
func (c *Console) recovered(w *statusWriter, r *http.Request, serve http.HandlerFunc) {
	defer func() {
		caught := recover()
		if caught == nil {
			return
		}
		if err, ok := caught.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(caught) // net/http's own way to abort a connection
		}
		logOf(r).cause = fmt.Errorf("panic: %v\n%s", caught, debug.Stack())
		if w.status == 0 {
			http.Error(w, "an internal error; the log has it under the request id "+requestID(r), http.StatusInternalServerError)
		}
	}()
	serve(w, r)
}

// statusWriter records the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets [http.ResponseController] find the server's own writer.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
