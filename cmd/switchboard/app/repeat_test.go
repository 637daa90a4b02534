package app

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// TestPostedAgain: two processes treat one request as one, by its Idempotency-Key or its own id.
// Only the answers contain the secrets in readable form.
func TestPostedAgain(t *testing.T) {
	t.Parallel()
	config := configOf(pg.Database(t))
	if err := EnsureKey(t.Context(), config, "test", "sbk_test"); err != nil {
		t.Fatal(err)
	}
	var handlers []http.Handler
	for range 2 {
		a, err := build(t.Context(), config, Parts{API: true}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.close)
		h, err := a.handler(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		handlers = append(handlers, h)
	}
	post := func(process int, path, body string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer sbk_test")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		handlers[process].ServeHTTP(w, r)
		return w
	}
	for path, body := range map[string]string{
		"/v1/keys":          `{"name":"n","role":"viewer"}`,
		"/v1/subscriptions": `{"tenant":"acme","name":"n","events":["*"],"request":{"url":"http://127.0.0.1:1/"}}`,
		"/v1/events":        `{"tenant":"acme","type":"t","data":{"a":1,"b":2}}`,
		"/v1/events/batch":  `{"events":[{"tenant":"acme","type":"t","data":1}]}`,
	} {
		first, again := post(0, path, body, "Idempotency-Key", "k"+path), post(1, path, body, "Idempotency-Key", "k"+path)
		if first.Code >= 300 || again.Code != first.Code || again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: %d %s, then %d %s", path, first.Code, first.Body, again.Code, again.Body)
		}
		other := post(1, path, `{"events":[]}`, "Idempotency-Key", "k"+path)
		if other.Code != http.StatusUnprocessableEntity || !strings.Contains(other.Body.String(), string(switchboard.CodeKeyReused)) {
			t.Errorf("%s with another body: %d %s", path, other.Code, other.Body)
		}
	}
	const event = `{"tenant":"acme","type":"t","id":"one","data":{"a":1,"b":2}}`
	first := post(0, "/v1/events", event)
	again := post(1, "/v1/events", `{"id":"one","occurred_at":"2026-01-31t12:00:00z","type":"t","tenant":"acme","data":{"b":2.0, "a":1}}`)
	if first.Code != http.StatusAccepted || again.Code != http.StatusAccepted || !strings.Contains(again.Body.String(), `"duplicate":true`) ||
		!strings.Contains(again.Body.String(), "data: have the same value") || !strings.Contains(again.Body.String(), "occurred_at: differs from the first post") {
		t.Errorf("%d %s, then %d %s", first.Code, first.Body, again.Code, again.Body)
	}
	if conflict := post(1, "/v1/events", strings.Replace(event, `"b":2`, `"b":3`, 1)); conflict.Code != http.StatusConflict {
		t.Errorf("other data: %d %s", conflict.Code, conflict.Body)
	}
}
