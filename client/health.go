package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// Health is the state of a process.
type Health struct {
	Status  string    `json:"status"` // "ok", "degraded" or "unavailable"
	Missing []Missing `json:"missing,omitempty"`
}

// Missing is one thing that a process lacks to do its work.
type Missing struct {
	Name     string `json:"name"`
	Message  string `json:"message"`
	Optional bool   `json:"optional,omitempty"`
}

// Health asks whether the process is alive. It needs no key.
func (c *Client) Health(ctx context.Context) (Health, error) {
	return call[Health](ctx, c, request{method: http.MethodGet, path: "/healthz"})
}

// Ready asks whether the process can do its work. It needs no key. If the process cannot, the error
// is an [*Error] with status 503, and the Health says what is missing.
func (c *Client) Ready(ctx context.Context) (Health, error) {
	health, err := call[Health](ctx, c, request{method: http.MethodGet, path: "/readyz"})
	if problem, ok := errors.AsType[*Error](err); ok && problem.Status == http.StatusServiceUnavailable {
		_ = json.Unmarshal(problem.body, &health) // a proxy's answer is not a Health
	}
	return health, err
}

// Version returns the version of the server, from its OpenAPI document.
func (c *Client) Version(ctx context.Context) (string, error) {
	type document struct {
		Info struct {
			Version string `json:"version"`
		} `json:"info"`
	}
	answer, err := call[document](ctx, c, request{method: http.MethodGet, path: "/openapi.json"})
	return answer.Info.Version, err
}
