package webhook

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"switchboard"
)

// Bounds of token endpoints, which are chosen by whoever makes a subscription.
const (
	maxTokens      = 4096                                      // kept, one for each subscription that has auth of the type oauth2
	maxToken       = 16 << 10                                  // bytes of one
	maxTokenAnswer = 64 << 10                                  // bytes read of an answer
	tokenTime      = time.Duration(switchboard.DefaultTimeout) // for one token, however many attempts wait for it
)

// The life of tokens.
const (
	earlier    = 10 * time.Second // before its end a token is not sent any more: it would expire on the way
	undatedAge = 30 * time.Minute // of one whose endpoint says no expires_in, which an hour is usual for (RFC 6749 4.2.2)
	datedAge   = 5 * time.Minute  // before it, what the endpoint said of the end is believed, whatever a 403 may mean
	renewWait  = time.Minute      // from one renewal because of a 403 to the next
)

// codePattern is what an OAuth error code looks like. Anything else that a token
// endpoint puts in its place is not repeated.
var codePattern = regexp.MustCompile(`^[a-z_]{1,40}$`)

// grant is a token, and what is known of it.
type grant struct {
	text    string
	style   oauth2.AuthStyle // how its endpoint wants to be told who asks
	at      time.Time        // when it was given
	until   time.Time        // from when on it is not sent any more
	dated   bool             // its endpoint said until when it is valid
	renewed time.Time        // when a token was last given up because of a 403; zero: never
	kept    bool             // another attempt has asked for it
}

// tokenError says why there is no token. It holds neither client secret nor token,
// and of the endpoint's own words the error code only.
type tokenError struct {
	status     int    // 0: no answer
	code       string // OAuth's, as invalid_client; may be empty
	detail     string // for people
	retryAfter time.Duration
}

func (e *tokenError) Error() string { return e.detail }

// refusal is a token that the receiver did not take.
type refusal struct {
	text      string // empty: there is none
	forbidden bool   // it answered 403 without a reason
}

// token returns a token for the subscription that is not the one refused. All that need
// one at a time wait for the same answer. The error is a *tokenError, the context's
// cause, or a shortage of this machine's.
func (s *Sender) token(ctx context.Context, sub *switchboard.Subscription, refused refusal) (grant, error) {
	key := tokenKey(sub)
	if kept, ok := s.keptToken(key, refused); ok {
		return kept, nil
	}
	fetched := s.fetches.DoChan(key, func() (any, error) {
		if kept, ok := s.keptToken(key, refused); ok { // the fetch before ended just now
			return kept, nil
		}
		// The first to wait may leave, as when its delivery is cancelled; the others stay.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTime)
		defer cancel()
		before, _ := s.tokens.Get(key)
		got, err := s.fetchToken(ctx, &sub.Auth, before.style)
		if err != nil {
			return grant{}, err
		}
		got.renewed = before.renewed
		if refused.forbidden {
			got.renewed = got.at
		}
		s.tokens.Add(key, got)
		return got, nil
	})
	select {
	case result := <-fetched:
		got, _ := result.Val.(grant)
		return got, result.Err
	case <-ctx.Done():
		return grant{}, context.Cause(ctx)
	}
}

func (s *Sender) keptToken(key string, refused refusal) (grant, bool) {
	kept, ok := s.tokens.Get(key)
	if !ok || !s.now().Before(kept.until) || kept.text == refused.text {
		return grant{}, false
	}
	kept.kept = true
	return kept, true
}

// isRefused reports whether the receiver's answer means that another token may do.
// After 401 it may. 403 is mostly said of a right that is missing, and with another
// token too; but it is also how some (AWS, Azure) answer a token that has expired. So
// what the answer says of the reason counts (RFC 6750 3.1), and where it says nothing,
// a token that was fetched some time ago is given up, at most once in renewWait.
func (s *Sender) isRefused(token grant, status int, reason string) bool {
	switch {
	case status == http.StatusUnauthorized:
		return true
	case status != http.StatusForbidden:
		return false
	case reason != "":
		return reason == "invalid_token"
	}
	now := s.now()
	mayBeOld := !token.dated || now.Sub(token.at) >= datedAge
	return token.kept && mayBeOld && now.Sub(token.renewed) >= renewWait
}

// bearerError finds the reason that a receiver gives for refusing a token, as
// Bearer error="invalid_token".
var bearerError = regexp.MustCompile(`(?i)\bBearer\b.*?[\s,]error\s*=\s*"?([a-z_]+)`)

// reasonOf returns that reason; empty: there is none.
func reasonOf(header http.Header) string {
	found := bearerError.FindStringSubmatch(strings.Join(header.Values("WWW-Authenticate"), ", "))
	if found == nil {
		return ""
	}
	return found[1]
}

// tokenKey stands for the subscription and all that its token depends on. It is a
// digest, so that the client secret is kept nowhere else.
func tokenKey(sub *switchboard.Subscription) string {
	auth, digest := &sub.Auth, sha256.New()
	parts := append([]string{sub.ID, auth.TokenURL, auth.ClientID, auth.ClientSecret.Reveal(), strconv.Itoa(len(auth.Scopes))}, auth.Scopes...)
	for _, name := range slices.Sorted(maps.Keys(auth.Parameters)) {
		parts = append(parts, name, auth.Parameters[name].Reveal())
	}
	for _, part := range parts {
		_, _ = fmt.Fprintf(digest, "%d:%s", len(part), part)
	}
	return string(digest.Sum(nil))
}

// fetchToken asks the token endpoint. How it wants to be told the client's secret,
// nobody says beforehand: the way that worked last comes first, and the other one
// follows where the endpoint turns the request down.
func (s *Sender) fetchToken(ctx context.Context, auth *switchboard.Auth, style oauth2.AuthStyle) (grant, error) {
	styles := []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams}
	if style == oauth2.AuthStyleInParams {
		styles[0], styles[1] = styles[1], styles[0]
	}
	got, err := s.requestToken(ctx, auth, styles[0])
	if err == nil {
		return got, nil
	}
	refusal, ok := errors.AsType[*tokenError](err)
	if !ok || !refusal.ofRequest() {
		return grant{}, err
	}
	got, err = s.requestToken(ctx, auth, styles[1])
	if err == nil {
		return got, nil
	}
	// The way that is not the endpoint's may be refused for itself. What it says of
	// the client is said the right way, and what people look for.
	if second, ok := errors.AsType[*tokenError](err); ok && second.ofClient() {
		return grant{}, second
	}
	return grant{}, refusal
}

// ofRequest reports whether the endpoint turned down what we sent; another time
// would not mend that.
func (e *tokenError) ofRequest() bool {
	return e.status >= 400 && e.status < 500 && e.status != http.StatusTooManyRequests
}

// ofClient reports whether the endpoint does not take the client and its secret.
func (e *tokenError) ofClient() bool {
	return e.code == "invalid_client" || e.status == http.StatusUnauthorized
}

// requestToken makes one request for a token.
func (s *Sender) requestToken(ctx context.Context, auth *switchboard.Auth, style oauth2.AuthStyle) (grant, error) {
	config := clientcredentials.Config{
		ClientID: auth.ClientID, ClientSecret: auth.ClientSecret.Reveal(),
		TokenURL: auth.TokenURL, Scopes: auth.Scopes, AuthStyle: style, EndpointParams: url.Values{},
	}
	for name, value := range auth.Parameters {
		config.EndpointParams.Set(name, value.Reveal())
	}
	transport := &tokenTransport{s: s}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
	switch {
	case err != nil:
		return grant{}, s.explainToken(ctx, err, transport.reached, auth.ClientSecret)
	case !sendable(token.AccessToken):
		return grant{}, &tokenError{detail: "the token endpoint's token cannot be sent in a header, or is too long"}
	}
	// Nothing else is kept: the library's token holds on to the whole answer.
	now := s.now()
	got := grant{text: token.AccessToken, style: style, at: now, until: now.Add(undatedAge), dated: !token.Expiry.IsZero()}
	if got.dated {
		got.until = now.Add(time.Until(token.Expiry) - earlier)
	}
	return got, nil
}

// explainToken says in our own words what an error of package oauth2 means.
func (s *Sender) explainToken(ctx context.Context, err error, reached phase, secret switchboard.Secret) error {
	const notAsked = "the token endpoint gave no token: "
	refused, answered := errors.AsType[*oauth2.RetrieveError](err)
	_, network := errors.AsType[*url.Error](err)
	switch {
	case answered:
		return answeredToken(refused, secret)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &tokenError{detail: notAsked + s.late(reached, tokenTime).Detail}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case ours(err):
		return err
	case network:
		return &tokenError{detail: notAsked + s.classify(err, reached).Detail}
	}
	return &tokenError{detail: "the token endpoint's answer holds no token"}
}

// answeredToken is the error of an answer that is a refusal.
func answeredToken(refused *oauth2.RetrieveError, secret switchboard.Secret) *tokenError {
	e := &tokenError{
		status:     refused.Response.StatusCode,
		retryAfter: switchboard.ParseRetryAfter(refused.Response.Header.Get("Retry-After"), time.Now()),
	}
	if codePattern.MatchString(refused.ErrorCode) && !strings.Contains(refused.ErrorCode, secret.Reveal()) {
		e.code = refused.ErrorCode
	}
	e.detail = strings.TrimSpace(fmt.Sprintf("the token endpoint answered %d %s", e.status, http.StatusText(e.status)))
	switch {
	case e.code != "":
		e.detail += ": " + e.code
	case switchboard.FailureOfStatus(e.status) == switchboard.FailureRedirect:
		e.detail += ", and redirects are not followed"
	}
	return e
}

// sendable reports whether the token may be a part of a header's value.
func sendable(token string) bool {
	return len(token) <= maxToken && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// noToken is the outcome of an attempt that got no token.
func (s *Sender) noToken(ctx context.Context, err error, x *exchange) (switchboard.Outcome, error) {
	if e, ok := errors.AsType[*tokenError](err); ok {
		outcome := failed(switchboard.FailureAuth, "%s", e.detail)
		outcome.RetryAfter = e.retryAfter
		return outcome, nil
	}
	if errors.Is(context.Cause(ctx), errTimeLimit) {
		return failed(switchboard.FailureAuth, "the token endpoint gave no token within %s", x.timeout), nil
	}
	return s.noAnswer(ctx, err, new(try), x)
}

// checkToken asks for a token now, whatever is kept.
func (s *Sender) checkToken(ctx context.Context, auth *switchboard.Auth) error {
	ctx, cancel := context.WithTimeout(ctx, tokenTime)
	defer cancel()
	_, err := s.fetchToken(ctx, auth, oauth2.AuthStyleAutoDetect)
	refusal, ok := errors.AsType[*tokenError](err)
	switch {
	case !ok:
		return err
	case refusal.ofClient():
		return switchboard.InvalidField("auth.client_secret", "is not accepted: %s", refusal.detail)
	case refusal.code == "invalid_scope":
		return switchboard.InvalidField("auth.scopes", "are not accepted: %s", refusal.detail)
	}
	return switchboard.InvalidField("auth.token_url", "does not work: %s", refusal.detail)
}

// tokenTransport sends requests for tokens as deliveries are sent: past the same
// guard, under the same name, with the same rule about repeats, and with as little trust
// in what comes back. It is for one request.
type tokenTransport struct {
	s       *Sender
	reached phase
}

// RoundTrip implements [http.RoundTripper].
func (t *tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	try, resp, err := t.s.roundTrip(req.Context(), destination{}, new(exchange), func(ctx context.Context) (*http.Request, error) {
		own := req.Clone(ctx)
		own.Header.Set("User-Agent", t.s.userAgent)
		own.Header.Set("Accept", "application/json")
		var err error
		own.Body, err = req.GetBody()
		return own, err
	})
	if try == nil {
		return nil, err
	}
	t.reached = try.phase()
	if err != nil {
		try.cancel(nil)
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxTokenAnswer), closer{resp.Body, try}}
	return resp, nil
}

// closer ends a request with its answer.
type closer struct {
	io.Closer
	t *try
}

func (c closer) Close() error {
	defer c.t.cancel(nil)
	return c.Closer.Close()
}
