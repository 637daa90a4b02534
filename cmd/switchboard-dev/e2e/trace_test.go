package e2e

import (
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-49a43567/switchboard/client"
)

// callersTrace is the trace in which the platform posts an event.
const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

// postIn posts an event in a trace of the caller, and returns the id of its one delivery.
func (s *system) postIn(traceparent, eventType, data string) string {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url("/v1/events"), strings.NewReader(`{"tenant":"acme","type":"`+eventType+`","data":`+data+`}`))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.key.Reveal())
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Traceparent", traceparent)
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusAccepted {
		s.t.Fatalf("post: answered %d %s, %v", response.StatusCode, body, err)
	}
	return as[client.Acceptance](s.t, answer{body: body}).Deliveries[0].ID
}

// tracedProcess prepares the production binary, which sends its spans to a collector.
func tracedProcess(t *testing.T, env ...string) (*process, *collector) {
	t.Helper()
	p, c := newProcess(t), newCollector(t)
	p.env = append([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_BSP_SCHEDULE_DELAY=50"}, env...)
	return p, c
}

// One trace contains the platform's call, the post, the start of the workflow, and each attempt,
// even one that another process makes after the first was killed. The receiver is told the span's
// id.
func TestOneTraceFromPostToAttempts(t *testing.T) {
	t.Parallel()
	p, c := tracedProcess(t, "SWITCHBOARD_SEND_TRACEPARENT=true")
	p.start()
	r := newReceiver(t, 503, 200)
	_, secret := p.subscribe(r.URL+"/secret-path?token=secret-query", fields{"request": fields{
		"url": r.URL + "/secret-path?token=secret-query", "headers": fields{"X-Token": "secret-header"},
	}, "retry": hourly["retry"]})
	id := p.postIn("00-"+callersTrace+"-"+callersSpan+"-01", "ticket.created", `{"word":"secret-payload"}`)
	p.awaitState(id, "retrying")
	post := c.await(t, "POST /v1/events", 1)[0]
	dispatch := c.await(t, "dispatch", 1)[0]
	c.await(t, "attempt", 1)
	c.await(t, "deliver", 1)
	p.kill()

	p.start()
	p.operate(id, "retry", "the receiver is back")
	p.awaitState(id, "delivered")
	attempts := c.await(t, "attempt", 2)
	// If the killed process did not report the end of an execution, the execution runs again
	// without making an attempt, so there may be three.
	await(t, "each attempt below an execution", func() bool {
		return below(c.named("deliver"), attempts[0]) && below(c.named("deliver"), attempts[1])
	})
	if hex.EncodeToString(post.GetTraceId()) != callersTrace || hex.EncodeToString(post.GetParentSpanId()) != callersSpan {
		t.Errorf("the post is below %x of the trace %x", post.GetParentSpanId(), post.GetTraceId())
	}
	checkChild(t, dispatch, post)
	for _, span := range c.named("deliver") {
		checkChild(t, span, post)
	}
	requests := r.await(t, 2)
	for i, span := range attempts {
		if got := requests[i].header.Get("Traceparent"); got != traceparent(span) {
			t.Errorf("request %d has the traceparent %q, want %q", i+1, got, traceparent(span))
		}
	}
	if got := attributeOf(attempts[0], "http.response.status_code") + ", " + attributeOf(attempts[0], "error.type") + "; " + attributeOf(attempts[1], "http.response.status_code"); got != "Service Unavailable, http_5xx; OK" {
		t.Errorf("the attempts say %s", got)
	}
	for _, hidden := range []string{"secret-path", "secret-query", "secret-header", "secret-payload", secret.Reveal(), p.key.Reveal()} {
		if strings.Contains(c.sent(), hidden) {
			t.Errorf("%s is in a span", hidden)
		}
	}
}

// A relay dispatches a released delivery, in the trace of its post.
func TestReleasedDeliveryStaysInItsTrace(t *testing.T) {
	t.Parallel()
	p, c := tracedProcess(t)
	p.start()
	r := newReceiver(t, 200)
	subscription, _ := p.subscribe(r.URL, nil)
	p.change(subscription, "pause")
	id := p.post("ticket.created", `{}`)
	p.awaitState(id, "held")
	post := c.await(t, "POST /v1/events", 1)[0]
	if got := c.named("dispatch"); len(got) > 0 {
		t.Errorf("dispatched %d times while it was held", len(got))
	}
	p.change(subscription, "resume")
	p.awaitState(id, "delivered")
	checkChild(t, c.await(t, "dispatch", 1)[0], post)
	deliver := c.await(t, "deliver", 1)[0]
	checkChild(t, deliver, post)
	checkChild(t, c.await(t, "attempt", 1)[0], deliver)
	if got := r.await(t, 1)[0].header.Get("Traceparent"); got != "" {
		t.Errorf("the receiver is told the trace %q, which is to be asked for", got)
	}
}

// A trace that is not sampled leaves nothing: no span, no header, nothing in the row. A span that
// began before the process stops is sent when it stops.
func TestNoSpansOfWhatIsNotSampled(t *testing.T) {
	t.Parallel()
	p, c := tracedProcess(t, "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0", "SWITCHBOARD_SEND_TRACEPARENT=true", "OTEL_BSP_SCHEDULE_DELAY=3600000")
	p.start()
	r := newReceiver(t, 200)
	p.subscribe(r.URL, nil)
	p.awaitState(p.post("ticket.created", `{}`), "delivered")
	if got := r.await(t, 1)[0].header.Get("Traceparent"); got != "" {
		t.Errorf("the receiver is told the trace %q", got)
	}
	sampled := p.postIn("00-"+callersTrace+"-"+callersSpan+"-01", "ticket.created", `{}`)
	p.awaitState(sampled, "delivered")
	if err := p.child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.child.Wait(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	p.child = nil
	for _, name := range []string{"POST /v1/events", "dispatch", "deliver", "attempt"} {
		if got := c.named(name); len(got) != 1 || hex.EncodeToString(got[0].GetTraceId()) != callersTrace {
			t.Errorf("%d spans %s; want that of the one trace that its caller samples", len(got), name)
		}
	}
}

// Latencies lead to traces: the histograms have exemplars for clients that request OpenMetrics.
func TestExemplars(t *testing.T) {
	t.Parallel()
	p, _ := tracedProcess(t, "SWITCHBOARD_TENANT_CLASSES=gold=acme")
	p.start()
	p.subscribe(newReceiver(t, 200).URL, nil)
	p.awaitState(p.postIn("00-"+callersTrace+"-"+callersSpan+"-01", "ticket.created", `{}`), "delivered")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url("/metrics"), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	for _, series := range []string{
		`switchboard_http_request_duration_seconds_bucket{class="platform",method="POST",route="/v1/events",status="202",`,
		`switchboard_attempt_duration_seconds_bucket{class="gold",`,
		`switchboard_delivery_duration_seconds_bucket{`,
	} {
		await(t, "an exemplar of "+series, func() bool {
			response, err := p.client.Do(request)
			if err != nil {
				return false
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			for line := range strings.Lines(string(text)) {
				if strings.HasPrefix(line, series) && strings.Contains(line, `# {`) && strings.Contains(line, `trace_id="`+callersTrace+`"`) {
					return err == nil
				}
			}
			return false
		})
	}
}
