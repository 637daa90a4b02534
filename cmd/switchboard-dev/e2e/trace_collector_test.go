package e2e

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector receives spans by OTLP over HTTP, like an OpenTelemetry collector.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracepb.Span
	text  []byte // everything that was sent, unchanged
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var sent collectorpb.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s is no export of traces: %v", r.URL.Path, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.text = append(c.text, body...)
		for _, resource := range sent.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				c.spans = append(c.spans, scope.GetSpans()...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

// named returns the spans of that name received so far.
func (c *collector) named(name string) []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []*tracepb.Span
	for _, span := range c.spans {
		if span.GetName() == name {
			found = append(found, span)
		}
	}
	return found
}

// await waits until that many spans of that name have been received, and returns them.
func (c *collector) await(t *testing.T, name string, n int) []*tracepb.Span {
	t.Helper()
	await(t, "so many spans "+name, func() bool { return len(c.named(name)) >= n })
	return c.named(name)
}

// sent returns everything that was sent so far.
func (c *collector) sent() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}

// attributeOf returns an attribute of a span as text, or "".
func attributeOf(span *tracepb.Span, name string) string {
	for _, pair := range span.GetAttributes() {
		if pair.GetKey() != name {
			continue
		}
		if number, is := pair.GetValue().GetValue().(*commonpb.AnyValue_IntValue); is {
			return http.StatusText(int(number.IntValue))
		}
		return pair.GetValue().GetStringValue()
	}
	return ""
}

// traceparent returns the header for a span: sampled, in that trace.
func traceparent(span *tracepb.Span) string {
	return "00-" + hex.EncodeToString(span.GetTraceId()) + "-" + hex.EncodeToString(span.GetSpanId()) + "-01"
}

// checkChild checks that a span belongs to the trace of another one, and is below it.
func checkChild(t *testing.T, span, parent *tracepb.Span) {
	t.Helper()
	if string(span.GetTraceId()) != string(parent.GetTraceId()) || string(span.GetParentSpanId()) != string(parent.GetSpanId()) {
		t.Errorf("%s is below %x of the trace %x, want below %s, which is %x of %x",
			span.GetName(), span.GetParentSpanId(), span.GetTraceId(), parent.GetName(), parent.GetSpanId(), parent.GetTraceId())
	}
}

// below reports whether a span is a child of one of the others.
func below(parents []*tracepb.Span, span *tracepb.Span) bool {
	return slices.ContainsFunc(parents, func(parent *tracepb.Span) bool {
		return string(parent.GetSpanId()) == string(span.GetParentSpanId())
	})
}
