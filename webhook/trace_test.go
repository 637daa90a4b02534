package webhook

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/seed-49a43567/switchboard"
)

// A receiver gets the trace only if that is enabled, the trace is sampled, and the subscription
// does not set the header.
func TestTellTrace(t *testing.T) {
	t.Parallel()
	const own, traced = "00-11111111111111111111111111111111-2222222222222222-00", "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01"
	got := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Traceparent") }))
	t.Cleanup(receiver.Close)
	for _, c := range []struct {
		name          string
		told, sampled bool
		headers       switchboard.Headers
		want          string
	}{
		{"told", true, true, nil, traced},
		{"not set", false, true, nil, ""},
		{"not sampled", true, false, nil, ""},
		{"of the subscription", true, true, switchboard.Headers{"traceparent": own}, own},
	} {
		s := setup(t, func(config *Config) { config.TraceParent = c.told })
		of := trace.SpanContextConfig{TraceID: trace.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, SpanID: trace.SpanID{1, 2, 3, 4, 5, 6, 7, 8}}
		if c.sampled {
			of.TraceFlags = trace.FlagsSampled
		}
		w := work(receiver.URL)
		w.Subscription.Request.Headers = c.headers
		sent, outcome, err := s.Attempt(trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(of)), w, time.Now(), plenty)
		if err != nil || outcome.Failure != "" {
			t.Fatalf("%s: %v, %+v", c.name, err, outcome)
		}
		if header := <-got; header != c.want {
			t.Errorf("%s: the receiver got %q, want %q", c.name, header, c.want)
		}
		if c.want == traced && sent.Headers["Traceparent"] != traced {
			t.Errorf("%s: the attempt is recorded with %v", c.name, sent.Headers)
		}
	}
}
