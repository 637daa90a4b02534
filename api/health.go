package api

import (
	"context"
	"net/http"
	"time"

	"github.com/seed-49a43567/switchboard/api/rest"
)

// readyTimeout limits /readyz: a probe that hangs says less than a probe that fails.
const readyTimeout = 3 * time.Second

type health struct {
	Status  string    `json:"status"` // ok, degraded or unavailable
	Missing []Missing `json:"missing,omitempty"`
}

// Health serves /healthz, /readyz and /metrics for a process without the API; see
// [Config] for the two arguments.
func Health(ready func(ctx context.Context) []Missing, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	serveHealth(mux.Handle, ready, metrics)
	return mux
}

// serveHealth adds the routes for machines, which need no key.
func serveHealth(handle func(path string, h http.Handler), ready func(ctx context.Context) []Missing, metrics http.Handler) {
	handle("/healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answerHealth(w, http.StatusOK, health{Status: "ok"})
	}))
	handle("/readyz", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		status, h := healthOf(ready(ctx))
		answerHealth(w, status, h)
	}))
	if metrics != nil {
		handle("/metrics", metrics)
	}
}

func healthOf(missing []Missing) (status int, h health) {
	for _, m := range missing {
		if !m.Optional {
			return http.StatusServiceUnavailable, health{"unavailable", missing}
		}
	}
	if len(missing) > 0 {
		return http.StatusOK, health{"degraded", missing}
	}
	return http.StatusOK, health{Status: "ok"}
}

func answerHealth(w http.ResponseWriter, status int, h health) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = rest.WriteJSON(w, h) // nothing can be told to a prober that has gone
}
