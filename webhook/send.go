package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// ErrAborted is the cause to cancel a context of [Sender.Attempt] with when an operator
// cancels the delivery: the outcome is then [switchboard.FailureAborted].
var ErrAborted = errors.New("the delivery was cancelled by an operator")

// errTimeLimit is the cause of a context whose attempt has used up its time.
var errTimeLimit = errors.New("the attempt's time is up")

// Interrupted is the error of an attempt that was cut short by our side, as by a
// shutdown or a lack of file descriptors. It says nothing about the receiver.
type Interrupted struct {
	// Sent says that the request may have reached the receiver, so that to send it
	// again may be a duplicate. Otherwise nothing has left this process.
	Sent bool
	Err  error // why; the cause of the context, if that ended
}

func (e *Interrupted) Error() string {
	if e.Sent {
		return "interrupted after the request was sent: " + e.Err.Error()
	}
	return "interrupted before the request was sent: " + e.Err.Error()
}

func (e *Interrupted) Unwrap() error { return e.Err }

// Config is what a [Sender] needs. Zero fields mean their defaults.
type Config struct {
	Guard            *Guard         // nil: public addresses only
	Version          string         // of the product, for the User-Agent; empty: [switchboard.Version]
	ConnectTimeout   time.Duration  // resolving and connecting; 0: 5 s
	HandshakeTimeout time.Duration  // of TLS; 0: 5 s
	RootCAs          *x509.CertPool // whom to trust; nil: whom the system trusts
	Platforms        Platforms      // whose use cases and spellings requests may ask for; nil: none known
}

// Sender sends messages. It keeps connections and may be used by many goroutines;
// one per process is enough.
type Sender struct {
	guard            *Guard
	renderer         *Renderer
	userAgent        string
	connectTimeout   time.Duration
	handshakeTimeout time.Duration
	rootCAs          *x509.CertPool
	now              func() time.Time
	pool             *pool                     // of connections
	tokens           *lru.Cache[string, grant] // by subscription and what it asks for
	fetches          singleflight.Group        // of tokens
}

// NewSender makes a sender.
func NewSender(config Config) *Sender {
	s := &Sender{
		guard:            config.Guard,
		renderer:         NewRenderer(config.Platforms),
		userAgent:        "Switchboard/" + cmp.Or(config.Version, switchboard.Version) + " (webhook)",
		connectTimeout:   cmp.Or(config.ConnectTimeout, defaultConnect),
		handshakeTimeout: cmp.Or(config.HandshakeTimeout, defaultHandshake),
		rootCAs:          config.RootCAs,
		now:              time.Now,
		tokens:           newRecent[string, grant](maxTokens, nil),
	}
	if s.guard == nil {
		s.guard = NewGuard(nil)
	}
	s.pool = newPool(maxRoutes, func() time.Time { return s.now() }, s.transportFor)
	return s
}

// Close closes the connections that are kept. Requests under way are not touched.
func (s *Sender) Close() { s.pool.close() }

// Prepare renders and signs the request of an attempt that begins at that time.
// What the subscription's auth shows the receiver is not in it yet: only what is
// sent holds that. Its errors are those of [Renderer.Render] and [signing.Sign].
func (s *Sender) Prepare(work switchboard.LoadedDelivery, at time.Time) (Message, error) {
	m, err := s.renderer.render(work, at)
	if err != nil {
		return Message{}, err
	}
	if err := s.sign(m, &work.Subscription, work.Delivery.ID, at); err != nil {
		return Message{}, err
	}
	return m, nil
}

// sign completes the header of a message of ours.
func (s *Sender) sign(m Message, sub *switchboard.Subscription, id string, at time.Time) error {
	if _, given := m.Header["User-Agent"]; !given {
		m.Header.Set("User-Agent", s.userAgent)
	}
	return signing.Sign(m.Header, sub.Signature, id, at, m.Body, sub.Secrets)
}

// Attempt is one whole attempt: it renders, signs, authenticates and sends, and
// returns what was sent, as it may be shown, with its outcome. A request that cannot
// be made is the outcome [switchboard.FailureRender], and nothing is sent.
//
// It is one request to the receiver, with two exceptions that the outcome counts: one
// that failed in a way which says nothing about the receiver is sent once more, see
// docs/connections.md; and where the receiver refuses an OAuth token, it gets a second
// one with a new token. The outcome is that of the last request.
//
// The timeout covers everything from asking for a token to the last byte read; 0 means
// [switchboard.DefaultTimeout]. The error is nil or an *[Interrupted]: ctx ended before
// the receiver had answered, for another reason than [ErrAborted], or this machine
// could not send. The outcome is then [switchboard.FailureUnknown].
func (s *Sender) Attempt(ctx context.Context, work switchboard.LoadedDelivery, at time.Time, timeout time.Duration) (switchboard.SentRequest, switchboard.Outcome, error) {
	m, err := s.Prepare(work, at)
	if err != nil {
		request := work.Subscription.Request
		return switchboard.SentRequest{Method: request.Method, URL: switchboard.MaskQuery(request.URL)}, unsendable(err), nil //nolint:nilerr // it became a value
	}
	outcome, err := s.sendAs(ctx, &work.Subscription, m, timeout)
	return m.sentAs(&work.Subscription.Auth), outcome, err
}

// unsendable is the outcome of a request that cannot be made.
func unsendable(err error) switchboard.Outcome {
	if e, ok := errors.AsType[*switchboard.Error](err); ok {
		outcome := failed(switchboard.FailureRender, "the request could not be made: %s: %s", e.Field, e.Message)
		outcome.Permanent = errors.Is(err, errErased)
		return outcome
	}
	return failed(switchboard.FailureRender, "the request could not be made")
}

// within runs an attempt under its time limit, and measures it.
func within(ctx context.Context, timeout time.Duration, attempt func(context.Context, *attemptState) (switchboard.Outcome, error)) (switchboard.Outcome, error) {
	began := time.Now()
	x := &attemptState{timeout: cmp.Or(timeout, time.Duration(switchboard.DefaultTimeout))}
	ctx, cancel := context.WithTimeoutCause(ctx, x.timeout, errTimeLimit)
	defer cancel()
	outcome, err := attempt(ctx, x)
	outcome.Latency, outcome.Requests = time.Since(began), x.requests
	return outcome, err
}

// send sends the message and reads the answer.
func (s *Sender) send(ctx context.Context, to destination, m Message, x *attemptState) (switchboard.Outcome, error) {
	request := outgoing{hasBody: len(m.Body) > 0, build: func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, m.Method, m.URL, bytes.NewReader(m.Body))
		if err == nil {
			req.Header = m.Header
		}
		return req, err
	}}
	t, resp, err := s.roundTrip(ctx, to, x, request) //nolint:bodyclose // read and closed by the one that makes the outcome of it
	if t == nil {
		return unsendable(err), nil
	}
	defer t.cancel(nil)
	var outcome switchboard.Outcome
	if err != nil {
		outcome, err = s.noAnswer(ctx, err, t, x)
	} else {
		if resp.StatusCode == http.StatusForbidden {
			x.reason = reasonOf(resp.Header)
		}
		outcome = answer(resp, func() { t.cancel(nil) })
	}
	// HTTP/1.1 closes such a connection by itself. One of HTTP/2 would go on to serve
	// others, though nobody answers on it, or somebody does not stop.
	if errors.Is(context.Cause(ctx), errTimeLimit) && isHTTP2(t.conn) {
		s.pool.retire(t.route, to.client, t.used)
	}
	return outcome, err
}

// noAnswer says why there is no answer: what ended the context comes first, since
// every other error may follow from that.
func (s *Sender) noAnswer(ctx context.Context, err error, t *try, x *attemptState) (switchboard.Outcome, error) {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errTimeLimit) && t.phase() == reachingProxy:
		err = proxyAway(cause)
	case errors.Is(cause, errTimeLimit):
		return s.late(t.phase(), x.timeout), nil
	case errors.Is(cause, ErrAborted):
		return failed(switchboard.FailureAborted, "cancelled by an operator while under way"), nil
	case cause != nil:
		err = cause
	case !ours(err):
		return t.judge(s.classify(err, t.phase())), nil
	}
	return failed(switchboard.FailureUnknown, "interrupted before there was an answer"),
		&Interrupted{Sent: x.requests > 0 || t.phase() >= connected, Err: err}
}
