package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHead: HEAD has the answer of GET, without the body.
func TestHead(t *testing.T) {
	t.Parallel()
	b := seeded(t)
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	ask := func(method, path string) (*http.Response, int) {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+adminKey)
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer, len(body)
	}
	paths := []string{"/docs", "/openapi.json", "/healthz", "/readyz", "/v1/events/evt_none", "/v1/deliveries?stuck=", "/v1/nothing"}
	for _, c := range calls {
		if method, path, _ := strings.Cut(c.call, " "); method == "GET" {
			paths = append(paths, path)
		}
	}
	for _, path := range paths {
		got, _ := ask("GET", path)
		head, length := ask("HEAD", path)
		if head.StatusCode != got.StatusCode || length != 0 {
			t.Errorf("%s: %d and %d bytes, GET %d", path, head.StatusCode, length, got.StatusCode)
		}
		for _, name := range []string{"Content-Type", "Cache-Control", "Content-Security-Policy", "X-Content-Type-Options"} {
			if head.Header.Get(name) != got.Header.Get(name) {
				t.Errorf("%s: %s %q, GET %q", path, name, head.Header.Get(name), got.Header.Get(name))
			}
		}
	}
}

// TestAllow: a wrong method is refused with the methods of the path.
func TestAllow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for call, want := range map[string][]string{
		"OPTIONS /v1/events":                       {"GET", "HEAD", "POST"},
		"PUT /v1/subscriptions/sub_acme":           {"GET", "HEAD", "PATCH", "DELETE"},
		"DELETE /v1/subscriptions/sub_acme/verify": {"POST"},
		"HEAD /v1/subscriptions/sub_acme/verify":   {"POST"},
		"POST /docs":                               {"GET", "HEAD"},
		"TRACE /openapi.json":                      {"GET", "HEAD"},
	} {
		method, path, _ := strings.Cut(call, " ")
		got := b.call(t, adminKey, method, path, nil)
		allow := strings.Split(strings.ReplaceAll(got.header.Get("Allow"), " ", ""), ",")
		if got.status != http.StatusMethodNotAllowed || len(allow) != len(want) {
			t.Errorf("%s: %d, Allow %v", call, got.status, allow)
		}
		for _, method := range want {
			if !strings.Contains(got.header.Get("Allow"), method) {
				t.Errorf("%s: Allow %v lacks %s", call, allow, method)
			}
		}
	}
}
