package webhook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// ErrAborted is the cause for cancelling a context of [Sender.Attempt] when an operator cancels the
// delivery. The outcome is then [switchboard.FailureAborted].
var ErrAborted = errors.New("the delivery was cancelled by an operator")

// errTimeLimit is the context's cause when an attempt has used up its time.
var errTimeLimit = errors.New("the attempt's time is up")

// Interrupted is the error of an attempt that our side interrupted, for example by a shutdown or a
// lack of file descriptors. It says nothing about the receiver.
type Interrupted struct {
	// Sent says that the request may have reached the receiver, so that another one may be a
	// duplicate. Otherwise nothing has left this process.
	Sent bool
	Err  error // why; the context's cause if the context ended
}

func (e *Interrupted) Error() string {
	if e.Sent {
		return "interrupted after the request was sent: " + e.Err.Error()
	}
	return "interrupted before the request was sent: " + e.Err.Error()
}

func (e *Interrupted) Unwrap() error { return e.Err }

// Attempt makes one whole attempt: it renders, signs, authenticates and sends. It returns
// what was sent, in the form that may be shown, and the outcome. If the request cannot be
// made, nothing is sent, and the outcome is [switchboard.FailureRender].
//
// An attempt is one request to the receiver, with two exceptions that the outcome counts.
// A request whose failure says nothing about the receiver is sent once more, see
// docs/connections.md. A receiver that refuses an OAuth token gets a second request with a
// new token. The outcome is that of the last request.
//
// The timeout covers everything from requesting a token to reading the last byte; 0 means
// [switchboard.DefaultTimeout]. The error is nil or an *[Interrupted]: ctx ended before the
// receiver had answered, for another reason than [ErrAborted], or this machine could not
// send. The outcome is then [switchboard.FailureUnknown].
func (s *Sender) Attempt(ctx context.Context, loaded switchboard.LoadedDelivery, at time.Time, timeout time.Duration) (switchboard.SentRequest, switchboard.Outcome, error) {
	loaded = Overridden(loaded)
	sub := &loaded.Subscription
	m, err := s.Prepare(loaded, at)
	if err != nil {
		return switchboard.SentRequest{Method: sub.Request.Method, URL: switchboard.MaskQuery(sub.Request.URL)}, unsendable(err), nil //nolint:nilerr // it became a value
	}
	if s.traceParent {
		tellTrace(ctx, m.Header)
	}
	outcome, err := s.send(ctx, sub, m, timeout)
	if !signing.IsStandardWebhooks(sub.Signature.Scheme) {
		outcome.Wish = ""
	}
	return sentAs(m, &sub.Auth), outcome, err
}

// tellTrace adds the header traceparent if ctx belongs to a sampled trace, unless the subscription
// has its own. Receivers learn the ids of the trace, which are random.
func tellTrace(ctx context.Context, header http.Header) {
	if trace.SpanContextFromContext(ctx).IsSampled() && header.Get("Traceparent") == "" {
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(header))
	}
}

// Prepare renders and signs the request of an attempt that begins at that time. The request lacks
// what auth adds, which exists only in what is sent. Its errors are those of
// [render.Renderer.Render] and [signing.Sign].
func (s *Sender) Prepare(loaded switchboard.LoadedDelivery, at time.Time) (render.Message, error) {
	loaded = Overridden(loaded)
	m, err := s.renderer.RenderWith(&loaded.Subscription, []switchboard.Event{loaded.Event}, at, loaded.Body)
	if err != nil {
		return render.Message{}, err
	}
	if err := s.sign(m, &loaded.Subscription, loaded.Delivery.ID, at); err != nil {
		return render.Message{}, err
	}
	return m, nil
}

// sign completes the header of a message.
func (s *Sender) sign(m render.Message, sub *switchboard.Subscription, id string, at time.Time) error {
	if _, given := m.Header["User-Agent"]; !given {
		m.Header.Set("User-Agent", s.userAgent)
	}
	return signing.Sign(m.Header, sub.Signature, id, at, m.Body, sub.Secrets)
}

// unsendable is the outcome of a request that cannot be made.
func unsendable(err error) switchboard.Outcome {
	if e, ok := errors.AsType[*switchboard.Error](err); ok {
		outcome := failed(switchboard.FailureRender, "the request could not be made: %s: %s", e.Field, e.Message)
		outcome.Permanent = errors.Is(err, render.ErrErased)
		return outcome
	}
	return failed(switchboard.FailureRender, "the request could not be made")
}

// send authenticates the signed message and sends it. A receiver that refuses the OAuth token may
// have lost or revoked it early. It gets the message once more with a new token, and the first
// response is dropped.
func (s *Sender) send(ctx context.Context, sub *switchboard.Subscription, m render.Message, timeout time.Duration) (outcome switchboard.Outcome, err error) {
	x := &attemptState{timeout: cmp.Or(timeout, time.Duration(switchboard.DefaultTimeout))}
	ctx, cancel := context.WithTimeoutCause(ctx, x.timeout, errTimeLimit)
	defer cancel()
	began := time.Now()
	defer func() {
		outcome.Latency, outcome.Requests, outcome.RemoteIP = time.Since(began), x.requests, x.remoteIP
	}()

	first, err := s.authorize(ctx, sub, m, refusal{})
	if err != nil {
		return s.noToken(ctx, err, x)
	}
	outcome, err = s.roundTrip(ctx, first, x)
	status := outcome.StatusCode
	if err != nil || !s.isRefused(first.token, status, x.reason) {
		return outcome, err
	}
	second, err := s.authorize(ctx, sub, m, refusal{first.token.text, status == http.StatusForbidden && x.reason == ""})
	if err != nil {
		outcome, err = s.noToken(ctx, err, x)
		outcome.Detail = fmt.Sprintf("the receiver answered %d %s; %s", status, http.StatusText(status), outcome.Detail)
		return outcome, err
	}
	return s.roundTrip(ctx, second, x)
}

// roundTrip sends the message and reads the response.
func (s *Sender) roundTrip(ctx context.Context, a authorized, x *attemptState) (switchboard.Outcome, error) {
	m := &a.message
	request := outgoing{hasBody: len(m.Body) > 0, build: func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, m.Method, m.URL, bytes.NewReader(m.Body))
		if err == nil {
			req.Header = m.Header
		}
		return req, err
	}}
	t, resp, err := s.do(ctx, a.to, x, request) //nolint:bodyclose // outcomeOf reads and closes it
	if t == nil {
		return unsendable(err), nil
	}
	defer t.cancel(nil)
	if s.guard.proxy == nil {
		x.remoteIP = t.remoteIP()
	}
	var outcome switchboard.Outcome
	if err != nil {
		outcome, err = s.noResponse(ctx, err, t, x)
	} else {
		if resp.StatusCode == http.StatusForbidden {
			x.reason = reasonOf(resp.Header)
		}
		outcome = outcomeOf(resp, func() { t.cancel(nil) })
	}
	// HTTP/1.1 closes such a connection itself. An HTTP/2 connection would continue to serve other
	// requests, although the receiver does not answer on it, or does not stop answering.
	if errors.Is(context.Cause(ctx), errTimeLimit) && isHTTP2(t.conn) {
		s.pool.retire(t.route, a.to.client, t.used)
	}
	return outcome, err
}

// noResponse says why there is no response. The context's cause comes first, since every other
// error may follow from it.
func (s *Sender) noResponse(ctx context.Context, err error, t *try, x *attemptState) (switchboard.Outcome, error) {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errTimeLimit) && t.phase() == reachingProxy:
		err = proxyAway(cause)
	case errors.Is(cause, errTimeLimit):
		return s.timedOut(t.phase(), x.timeout), nil
	case errors.Is(cause, ErrAborted):
		return failed(switchboard.FailureAborted, "cancelled by an operator while under way"), nil
	case cause != nil:
		err = cause
	case !ours(err):
		return t.withStatus(s.classify(err, t.phase())), nil
	}
	return failed(switchboard.FailureUnknown, "interrupted before there was an answer"),
		&Interrupted{Sent: x.requests > 0 || t.phase() >= connected, Err: err}
}
