package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed-49a43567/switchboard"
)

// from is a call from that address.
func (b *bundle) from(t *testing.T, address, key string) answer {
	t.Helper()
	r := httptest.NewRequest("GET", "/v1/events", nil)
	r.RemoteAddr = address
	r.Header.Set("Authorization", "Bearer "+key)
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.Bytes()}
}

// TestRefusedKeysAreLimited: a caller who tries many keys costs no more lookups, and does not block
// callers with a known good key, from any address.
func TestRefusedKeysAreLimited(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		t.Fatal(err)
	}
	b := setup(t, func(c *Config) {
		c.RefusedKeys = 0.001 // no token comes back while the test runs; the bucket holds 20
		c.Meter = metric.NewMeterProvider(metric.WithReader(exporter)).Meter("switchboard")
		c.Metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	})
	const one, other = "198.51.100.7:1234", "198.51.100.8:1234"
	b.from(t, one, viewerKey).want(t, http.StatusOK)
	for range 20 {
		b.from(t, one, unknownKey).wantProblem(t, http.StatusUnauthorized, switchboard.CodeUnauthenticated, "")
	}
	lookups := b.store.count("Authenticate")
	for i, address := range []string{one, "198.51.100.7:9999", "[::ffff:198.51.100.7]:1"} {
		got := b.from(t, address, "sbk_guess"+strconv.Itoa(i))
		got.wantProblem(t, http.StatusTooManyRequests, switchboard.CodeRateLimited, "")
		if got.header.Get("Retry-After") != "1000" {
			t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
		}
	}
	b.from(t, one, supportKey).wantProblem(t, http.StatusTooManyRequests, switchboard.CodeRateLimited, "") // a good key, but not yet known
	if now := b.store.count("Authenticate"); now != lookups {
		t.Errorf("%d lookups beyond the limit", now-lookups)
	}
	b.from(t, one, viewerKey).want(t, http.StatusOK)
	b.from(t, other, supportKey).want(t, http.StatusOK)
	b.from(t, one, supportKey).want(t, http.StatusOK)
	b.from(t, other, unknownKey).wantProblem(t, http.StatusUnauthorized, switchboard.CodeUnauthenticated, "")
	b.call(t, "", "GET", "/v1/events", nil).wantProblem(t, http.StatusUnauthorized, switchboard.CodeUnauthenticated, "")

	metrics := string(b.call(t, "", "GET", "/metrics", nil).body)
	for reason, want := range map[string]int{"unknown": 21, "rate_limited": 4, "missing": 1} {
		if !strings.Contains(metrics, fmt.Sprintf(`reason="%s"} %d`, reason, want)) {
			t.Errorf("%s is not counted %d times:\n%s", reason, want, metrics)
		}
	}
}

// TestOutageIsNoRefusal: while the store is away, tries do not count.
func TestOutageIsNoRefusal(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.RefusedKeys = 0.001 })
	for range 30 {
		b.from(t, "198.51.100.7:1", outageKey).wantProblem(t, http.StatusServiceUnavailable, switchboard.CodeUnavailable, "")
	}
}

// TestCostlyCallsAreLimited: by key and cost; other calls continue.
func TestCostlyCallsAreLimited(t *testing.T) {
	t.Parallel()
	const challenged = `,"verification":"challenge"`
	login := `,"auth":{"type":"oauth2","token_url":"https://login.example.com/token","client_id":"c","client_secret":"s"}`
	for _, c := range []struct {
		call, body string
		most       int // of a bucket of 20
	}{
		{"POST /v1/subscriptions/sub_acme/trigger", `{"data":1}`, 20},
		{"POST /v1/subscriptions/sub_acme/test", ``, 4},
		{"POST /v1/subscriptions/sub_acme/verify", ``, 2},
		{"POST /v1/subscriptions/sub_acme/preview", ``, 10},
		{"POST /v1/subscriptions/sub_acme/match", ``, 10},
		{"POST /v1/preview", `{"subscription":{` + okRequest + `}}`, 10},
		{"POST /v1/match", `{"subscription":{"events":["ticket.*"]}}`, 10},
		{"POST /v1/keys", `{"name":"n","role":"viewer"}`, 10},
		{"POST /v1/subscriptions", newSubscriptionWith(okRequest + challenged), 2},
		{"POST /v1/subscriptions", newSubscriptionWith(okRequest + login), 2},
	} {
		b := seeded(t, func(c *Config) { c.CostlyCalls = 0.001 })
		method, path, _ := strings.Cut(c.call, " ")
		for i := range c.most {
			if got := b.call(t, adminKey, method, path, b.numbered(c.body)); got.status >= 300 {
				t.Fatalf("%s, %d: %d %s", c.call, i, got.status, got.body)
			}
		}
		before := b.db.fingerprint(t)
		got := b.call(t, adminKey, method, path, c.body)
		got.wantProblem(t, http.StatusTooManyRequests, switchboard.CodeRateLimited, "")
		if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || seconds < 900 || b.db.fingerprint(t) != before {
			t.Errorf("%s: Retry-After %q, or something was stored", c.call, got.header.Get("Retry-After"))
		}
		if got := b.call(t, acmeAdminKey, method, path, strings.Replace(b.numbered(c.body), `"role":"viewer"`, `"role":"viewer","tenant":"acme"`, 1)); got.status >= 300 {
			t.Errorf("%s with another key: %d %s", c.call, got.status, got.body)
		}
		b.call(t, adminKey, "POST", "/v1/events", postedEvent).want(t, http.StatusAccepted)
		b.call(t, adminKey, "GET", "/v1/deliveries", nil).want(t, http.StatusOK)
		b.call(t, adminKey, "POST", "/v1/subscriptions", strings.Replace(newSubscriptionWith(okRequest), `"n"`, `"plain"`, 1)).want(t, http.StatusCreated)
	}
}

// TestUnreadBodyEndsItsConnection: a request that is refused before its body has come is answered
// at once, and does not hold a connection.
func TestUnreadBodyEndsItsConnection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		head   string
		status int
	}{
		"a wrong key":             {"POST /v1/events HTTP/1.1\r\nAuthorization: Bearer " + unknownKey + "\r\nContent-Length: 1000", 401},
		"a wrong key, chunked":    {"POST /v1/events HTTP/1.1\r\nAuthorization: Bearer " + unknownKey + "\r\nTransfer-Encoding: chunked", 401},
		"no key":                  {"POST /v1/events HTTP/1.1\r\nContent-Length: 1000", 401},
		"a role that may not":     {"POST /v1/events HTTP/1.1\r\nAuthorization: Bearer " + viewerKey + "\r\nContent-Length: 1000", 403},
		"a wrong parameter":       {"POST /v1/subscriptions/sub_acme/trigger?wait= HTTP/1.1\r\nAuthorization: Bearer " + adminKey + "\r\nContent-Length: 1000", 422},
		"another media type":      {"POST /v1/events HTTP/1.1\r\nAuthorization: Bearer " + adminKey + "\r\nContent-Type: text/plain\r\nContent-Length: 1000", 415},
		"another coding":          {"POST /v1/events HTTP/1.1\r\nAuthorization: Bearer " + adminKey + "\r\nContent-Encoding: br\r\nContent-Length: 1000", 415},
		"too long":                {"POST /v1/events HTTP/1.1\r\nAuthorization: Bearer " + adminKey + "\r\nContent-Length: 100000000", 413},
		"a path that is none":     {"POST /v1/nothing HTTP/1.1\r\nAuthorization: Bearer " + adminKey + "\r\nContent-Length: 1000", 404},
		"a method that is none":   {"PUT /v1/events HTTP/1.1\r\nAuthorization: Bearer " + adminKey + "\r\nContent-Length: 1000", 405},
		"a body to the document":  {"GET /openapi.json HTTP/1.1\r\nContent-Length: 1000", 200},
		"a body to the page":      {"GET /docs HTTP/1.1\r\nTransfer-Encoding: chunked", 200},
		"a body to a probe":       {"GET /healthz HTTP/1.1\r\nContent-Length: 1000", 200},
		"a body that nobody asks": {"GET /v1/events HTTP/1.1\r\nAuthorization: Bearer " + adminKey + "\r\nContent-Length: 1000", 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			// Far less than the minute that a server waits for a body, and enough for any machine.
			if err := conn.SetDeadline(time.Now().Add(45 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, c.head+"\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(conn)
			got, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, got.Body); err != nil {
				t.Fatal(err)
			}
			_ = got.Body.Close()
			if got.StatusCode != c.status || !got.Close {
				t.Errorf("status %d, close %v", got.StatusCode, got.Close)
			}
			if _, err := r.ReadByte(); err != io.EOF { //nolint:errorlint // the very one
				t.Errorf("the connection stays: %v", err)
			}
		})
	}
}
