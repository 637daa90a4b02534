package app

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard/api"
)

// A container is healthy as long as its process says that it is ready. Otherwise the check fails
// and shows what is missing.
func TestHealthcheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		missing []api.Missing
		shows   string
		ready   bool
	}{
		"ready":     {nil, `"ok"`, true},
		"degraded":  {[]api.Missing{{Name: "temporal", Optional: true, Message: "does not answer"}}, "temporal", true},
		"not ready": {[]api.Missing{{Name: "postgres", Message: "is away"}}, "postgres", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(api.Health(func(context.Context) []api.Missing { return test.missing }, http.NotFoundHandler()))
			defer server.Close()
			var shown bytes.Buffer
			err := Healthcheck(t.Context(), Config{Listen: server.Listener.Addr().String()}, &shown)
			if ready := err == nil; ready != test.ready || !strings.Contains(shown.String(), test.shows) {
				t.Errorf("%v, and shows %q", err, shown.String())
			}
		})
	}
	if err := Healthcheck(t.Context(), Config{Listen: freeAddress(t)}, t.Output()); err == nil {
		t.Error("nobody listens, and it is healthy")
	}
}

func TestLocalAddress(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		":8080":            "localhost:8080",
		"0.0.0.0:8080":     "localhost:8080",
		"[::]:8080":        "localhost:8080",
		"127.0.0.1:8080":   "127.0.0.1:8080",
		"10.1.2.3:80":      "10.1.2.3:80",
		"[fd00::1]:80":     "[fd00::1]:80",
		"switchboard:8080": "switchboard:8080",
		"8080":             "",
	} {
		if got, err := localAddress(listen); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", listen, got, err, want)
		}
	}
}
