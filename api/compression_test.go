package api

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

func zipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestCompressedBodies: every call with a body accepts it in gzip.
func TestCompressedBodies(t *testing.T) {
	t.Parallel()
	for _, c := range calls {
		if c.body == "" {
			continue
		}
		method, path, _ := strings.Cut(c.call, " ")
		for _, coding := range []string{"gzip", "GZIP", "x-gzip", "identity, gzip", "identity"} {
			t.Run(c.call+" "+coding, func(t *testing.T) {
				body := c.body
				if coding != "identity" {
					body = zipped(t, body)
				}
				seeded(t).call(t, adminKey, method, path, body, "Content-Encoding", coding).want(t, c.status)
			})
		}
	}
	b := setup(t)
	b.call(t, adminKey, "POST", "/v1/events", zipped(t, postedEvent[:20])+zipped(t, postedEvent[20:]), "Content-Encoding", "gzip").want(t, http.StatusAccepted) // two members
	b.call(t, adminKey, "POST", "/v1/deliveries/dlv_acme/retry", "", "Content-Encoding", "gzip").want(t, http.StatusOK)                                         // no body at all
	b.call(t, adminKey, "POST", "/v1/events", "", "Content-Encoding", "gzip").wantProblem(t, http.StatusBadRequest, switchboard.CodeInvalid, "")
}

func TestOtherCodings(t *testing.T) {
	t.Parallel()
	var deflated bytes.Buffer
	w := zlib.NewWriter(&deflated)
	_, _ = w.Write([]byte(postedEvent))
	_ = w.Close()
	b := setup(t)
	for _, c := range []struct{ coding, body string }{
		{"deflate", deflated.String()},
		{"br", postedEvent},
		{"zstd", postedEvent},
		{"compress", postedEvent},
		{"hunter2", postedEvent},
		{"gzip, gzip", zipped(t, zipped(t, postedEvent))},
		{"br, gzip", zipped(t, postedEvent)},
		{"gzip;q=1", zipped(t, postedEvent)},
	} {
		for _, path := range []string{"/v1/events", "/v1/events/batch", "/v1/subscriptions", "/v1/subscriptions/sub_acme/trigger", "/v1/deliveries/dlv_acme/retry"} {
			got := b.call(t, adminKey, "POST", path, c.body, "Content-Encoding", c.coding)
			got.wantProblem(t, http.StatusUnsupportedMediaType, switchboard.CodeInvalid, "")
			if got.header.Get("Accept-Encoding") != "gzip" {
				t.Errorf("%s: Accept-Encoding %q", c.coding, got.header.Get("Accept-Encoding"))
			}
		}
	}
	r := httptest.NewRequest("POST", "/v1/events", strings.NewReader(zipped(t, postedEvent)))
	r.Header["Content-Encoding"] = []string{"gzip", "gzip"} // two lines form one list
	r.Header.Set("Authorization", "Bearer "+adminKey)
	answer := httptest.NewRecorder()
	b.handler.ServeHTTP(answer, r)
	if answer.Code != http.StatusUnsupportedMediaType || b.stored(t) {
		t.Errorf("two lines: %d", answer.Code)
	}
}

// TestBadGzip: a body that is not valid gzip is bad input, and its size is limited in any case.
func TestBadGzip(t *testing.T) {
	t.Parallel()
	b := setup(t)
	whole := zipped(t, postedEvent)
	damaged := []byte(whole)
	damaged[len(damaged)-5] ^= 1 // in the sum
	limit := switchboard.DefaultMaxData + eventOverhead
	bomb := zipped(t, strings.Repeat(" ", 100<<20))
	const bad, large = http.StatusBadRequest, http.StatusRequestEntityTooLarge
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"plain JSON":              {postedEvent, bad},
		"a letter":                {"x", bad},
		"half of it":              {whole[:len(whole)/2], bad},
		"without its end":         {whole[:len(whole)-1], bad},
		"a damaged sum":           {string(damaged), bad},
		"something after it":      {whole + "hunter2", bad},
		"a bomb":                  {bomb, large},
		"one byte over the limit": {zipped(t, strings.Repeat(" ", limit+1)), large},
		"very many empty members": {strings.Repeat(zipped(t, ""), limit/20), large},
	} {
		field := map[int]string{bad: "", large: "data"}[c.status]
		code := map[int]switchboard.Code{bad: switchboard.CodeInvalid, large: switchboard.CodeTooLarge}[c.status]
		p := b.call(t, adminKey, "POST", "/v1/events", c.body, "Content-Encoding", "gzip").wantProblem(t, c.status, code, field)
		if c.status == bad && !strings.Contains(p.Detail, "gzip") {
			t.Errorf("%s: %s", name, p.Detail)
		}
		r := httptest.NewRequest("POST", "/v1/events", io.NopCloser(strings.NewReader(c.body)))
		r.ContentLength = -1 // chunked
		r.Header.Set("Authorization", "Bearer "+adminKey)
		r.Header.Set("Content-Encoding", "gzip")
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s, chunked: %d %s", name, w.Code, w.Body)
		}
	}
	if b.stored(t) {
		t.Error("something was stored")
	}
	padding := strings.Repeat(" ", limit-len(postedEvent))
	b.call(t, adminKey, "POST", "/v1/events", zipped(t, padding+postedEvent), "Content-Encoding", "gzip").want(t, http.StatusAccepted)
}
