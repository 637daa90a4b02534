package webhook

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// window allows the sender to send everything, and more than the buffers between sender and
// receiver hold.
const window = 1 << 30

// unreadTime is long enough for a slow machine to write to a receiver that reads, and to reach a
// time limit first.
const unreadTime = 3 * time.Second

// widen opens the windows of a connection.
func widen(f *http2.Framer) bool {
	_ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	_ = f.WriteWindowUpdate(0, window)
	return false
}

// stall reads nothing from a connection, and sends often enough that the sender sends no ping,
// until the sender has closed it.
func stall(f *http2.Framer) bool {
	often := time.NewTicker(soon)
	defer often.Stop()
	for f.WriteWindowUpdate(0, 1) == nil {
		<-often.C
	}
	return true
}

// sendLarge makes one attempt with a body that does not fit into the buffers between sender and
// receiver.
func sendLarge(t *testing.T, s *Sender, url string, timeout time.Duration) switchboard.Outcome {
	t.Helper()
	m := render.Message{Method: "POST", URL: url, Header: http.Header{}, Body: make([]byte, 8<<20)}
	o, err := s.send(t.Context(), new(switchboard.Subscription), m, timeout)
	if err != nil {
		t.Error(err)
	}
	return o
}

// sendLargeShortly does that with a short limit.
func sendLargeShortly(t *testing.T, r *frames) switchboard.Outcome {
	t.Helper()
	return shortly(func(limit time.Duration) switchboard.Outcome { return sendLarge(t, r.s, r.url, limit) },
		func(o switchboard.Outcome) bool { return o.Failure == switchboard.FailureTimeout && o.Requests == 1 })
}

// isClosedBySender fails the test unless a connection ends.
func (r *frames) isClosedBySender(t *testing.T) {
	t.Helper()
	select {
	case <-r.closed:
	case <-time.After(plenty):
		t.Error("the connection is still open")
	}
}

// A receiver that stops reading, and so blocks writes to it, costs an attempt its time limit, and
// the process a connection for a limited time.
func TestReceiverThatReadsNothingMore(t *testing.T) {
	t.Parallel()
	r := newFrames(t, widen, func(f *http2.Framer, stream uint32) bool { return ok(f, stream) || stall(f) })
	r.s.http2.WriteByteTimeout = unreadTime
	if o := send(t, r.s, r.url, plenty); o.StatusCode != http.StatusOK {
		t.Errorf("%+v", o)
	}
	if o := sendLargeShortly(t, r); o.Failure != switchboard.FailureTimeout || o.Requests != 1 {
		t.Errorf("%+v; want a timeout", o)
	}
	r.isClosedBySender(t)
}

// If an attempt has more time than that, it says what happened.
func TestReceiverThatNeverReads(t *testing.T) {
	t.Parallel()
	r := newFrames(t, func(f *http2.Framer) bool { return widen(f) || stall(f) }, ok)
	r.s.http2.WriteByteTimeout = unreadTime
	o := sendLarge(t, r.s, r.url, plenty)
	want(t, o, switchboard.FailureReset)
	if o.Requests != 1 || o.Detail != "the HTTP/2 connection was lost: nothing more could be written to it" {
		t.Errorf("%+v; want that the connection is lost", o)
	}
}

// A receiver that answers no ping is dropped after both limits, which are shorter than most
// attempts' limits.
func TestReceiverThatAnswersNoPing(t *testing.T) {
	t.Parallel()
	silent := make(chan struct{})
	r := newFrames(t, func(f *http2.Framer) bool {
		<-silent
		return true
	}, ok)
	defer close(silent)
	r.s.http2.SendPingTimeout, r.s.http2.PingTimeout = soon, soon
	o := send(t, r.s, r.url, plenty)
	want(t, o, switchboard.FailureReset)
	if o.Requests != 1 || !strings.Contains(o.Detail, "the HTTP/2 connection was lost: nothing came back") {
		t.Errorf("%+v; want that the connection is lost", o)
	}
}

// An attempt that waits for its answer is not affected by another one on its connection whose body
// the receiver does not read in time.
func TestAttemptBesideOneThatStalls(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	var first sync.Once
	r := newFrames(t, widen, func(f *http2.Framer, stream uint32) bool {
		first.Do(func() {
			close(asked)
			<-answer
		})
		return ok(f, stream)
	})
	var waited switchboard.Outcome
	var waiting sync.WaitGroup
	waiting.Go(func() { waited = send(t, r.s, r.url, plenty) })
	<-asked
	if o := sendLargeShortly(t, r); o.Failure != switchboard.FailureTimeout || o.Requests != 1 {
		t.Errorf("%+v; want a timeout", o)
	}
	close(answer)
	waiting.Wait()
	if waited.StatusCode != http.StatusOK || waited.Requests != 1 || r.conns.Load() != 1 {
		t.Errorf("%+v over %d connections; want 200 over the first", waited, r.conns.Load())
	}
	r.isClosedBySender(t)
}

// Attempts that wait behind a stalled one have not been sent when their connection is closed. They
// are sent on another connection, within the same attempt.
func TestAttemptsBehindOneThatStalls(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	r := newFrames(t, widen, func(f *http2.Framer, stream uint32) bool {
		return ok(f, stream) || asked.Add(1) == 1 && stall(f)
	})
	r.s.http2.WriteByteTimeout = unreadTime
	if o := send(t, r.s, r.url, plenty); o.StatusCode != http.StatusOK {
		t.Errorf("%+v", o)
	}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if o := sendLarge(t, r.s, r.url, plenty); o.StatusCode != http.StatusOK || o.Requests != 2 {
				t.Errorf("%+v; want 200 with the second request", o)
			}
		})
	}
	all.Wait()
}
