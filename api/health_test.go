package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	var missing []Missing
	b := setup(t, func(c *Config) { c.Ready = func(context.Context) []Missing { return missing } })
	for _, path := range []string{"/healthz", "/readyz"} {
		if diff := cmp.Diff(map[string]any{"status": "ok"}, b.call(t, "", "GET", path, nil).want(t, http.StatusOK)); diff != "" {
			t.Error(diff)
		}
		b.call(t, "", "HEAD", path, nil).want(t, http.StatusOK)
	}
	missing = []Missing{{Name: "postgres", Message: "no connection"}, {Name: "temporal", Message: "does not answer", Optional: true}}
	b.call(t, "", "GET", "/healthz", nil).want(t, http.StatusOK)
	want := map[string]any{"status": "unavailable", "missing": []any{
		map[string]any{"name": "postgres", "message": "no connection"},
		map[string]any{"name": "temporal", "message": "does not answer", "optional": true},
	}}
	if diff := cmp.Diff(want, b.call(t, "", "GET", "/readyz", nil).want(t, http.StatusServiceUnavailable)); diff != "" {
		t.Error(diff)
	}
}

// TestDegraded: a missing optional part does not take a process out of a load balancer.
func TestDegraded(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) {
		c.Ready = func(context.Context) []Missing {
			return []Missing{{Name: "temporal", Message: "does not answer", Optional: true}}
		}
	})
	if got := b.call(t, "", "GET", "/readyz", nil).want(t, http.StatusOK); got["status"] != "degraded" {
		t.Errorf("got %v", got)
	}
}

// TestHealthAlone: the routes of a worker without the API.
func TestHealthAlone(t *testing.T) {
	t.Parallel()
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	b := &bundle{handler: Health(func(context.Context) []Missing { return []Missing{{Name: "postgres", Message: "away"}} }, metrics)}
	for path, status := range map[string]int{"/healthz": 200, "/readyz": 503, "/metrics": 418, "/v1/events": 404} {
		if got := b.call(t, "", "GET", path, nil); got.status != status {
			t.Errorf("%s: status %d, want %d", path, got.status, status)
		}
	}
}

func TestReadyByDefault(t *testing.T) {
	t.Parallel()
	setup(t).call(t, "", "GET", "/readyz", nil).want(t, http.StatusOK)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	var whole Config
	setup(t, func(c *Config) {
		c.Logger = nil
		whole = *c
	})
	if _, err := New(whole); err != nil {
		t.Errorf("the least that is needed: %v", err)
	}
	for field, change := range map[string]func(*Config){
		"Store":      func(c *Config) { c.Store = nil },
		"Sender":     func(c *Config) { c.Sender = nil },
		"Catalogue":  func(c *Config) { c.Catalogue = nil },
		"Engine":     func(c *Config) { c.Engine = nil },
		"Guard":      func(c *Config) { c.Guard = nil },
		"Validation": func(c *Config) { c.Validation = "loud" },
		"MaxData":    func(c *Config) { c.MaxData = -1 },
		"MaxBatch":   func(c *Config) { c.MaxBatch = -1 },
		"TemporalUI": func(c *Config) { c.TemporalUI = "127.0.0.1:8233" },
	} {
		c := whole
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// TestMaxData: the installation chooses the limit.
func TestMaxData(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.MaxData = 10 })
	b.call(t, adminKey, "POST", "/v1/events", `{"tenant":"acme","type":"t","data":"12345678"}`).want(t, http.StatusAccepted)
	b.call(t, adminKey, "POST", "/v1/events", `{"tenant":"acme","type":"t","data":"123456789"}`).want(t, http.StatusRequestEntityTooLarge)
}
