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

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// Limits for token endpoints, which customers choose.
const (
	maxTokens      = 4096                                      // cached, one for each subscription with auth of the type oauth2
	maxToken       = 16 << 10                                  // bytes of one token
	maxTokenAnswer = 64 << 10                                  // bytes that are read of an answer
	tokenTime      = time.Duration(switchboard.DefaultTimeout) // for one token, however many attempts wait for it
)

// codePattern is the form of an OAuth error code. Any other text is not shown.
var codePattern = regexp.MustCompile(`^[a-z_]{1,40}$`)

// tokenError says why there is no token. It contains neither the client secret nor a token, and
// only the error code of the endpoint's response.
type tokenError struct {
	status     int    // 0: no answer
	code       string // of OAuth, as invalid_client; may be empty
	detail     string // for people
	retryAfter time.Duration
}

func (e *tokenError) Error() string { return e.detail }

// tokenKey is the cache key of a subscription's token: a digest of everything that the token
// depends on, so that the client secret is not stored there.
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

// fetchToken requests a token from the token endpoint. Some endpoints take the client's secret in a
// header, others among the parameters, and we do not know which. The style that worked last is
// tried first, and the other one if the endpoint refuses the request.
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
	// An endpoint may refuse one style as such. If an error is about the client, its style was
	// right, and the error helps people.
	if second, ok := errors.AsType[*tokenError](err); ok && second.ofClient() {
		return grant{}, second
	}
	return grant{}, refusal
}

// ofRequest reports whether the endpoint refused what we sent, so a repeat would not help.
func (e *tokenError) ofRequest() bool {
	return e.status >= 400 && e.status < 500 && e.status != http.StatusTooManyRequests
}

// ofClient reports whether the endpoint refused the client or its secret.
func (e *tokenError) ofClient() bool {
	return e.code == "invalid_client" || e.status == http.StatusUnauthorized
}

// requestToken makes one request for a token.
func (s *Sender) requestToken(ctx context.Context, auth *switchboard.Auth, style oauth2.AuthStyle) (grant, error) {
	target, err := render.FinalURL("auth.token_url", auth.TokenURL)
	if err != nil {
		return grant{}, &tokenError{detail: "the token endpoint's URL is not one that can be asked"}
	}
	config := clientcredentials.Config{
		ClientID: auth.ClientID, ClientSecret: auth.ClientSecret.Reveal(),
		TokenURL: target, Scopes: auth.Scopes, AuthStyle: style, EndpointParams: url.Values{},
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
		return grant{}, s.tokenFailure(ctx, err, transport.reached, auth)
	case !sendable(token.AccessToken):
		return grant{}, &tokenError{detail: "the token endpoint's token cannot be sent in a header, or is too long"}
	}
	// The library's token refers to the whole response, so it is not cached.
	now := s.now()
	got := grant{text: token.AccessToken, style: style, at: now, until: now.Add(undatedAge), dated: !token.Expiry.IsZero()}
	if got.dated {
		got.until = now.Add(time.Until(token.Expiry) - earlier)
	}
	return got, nil
}

// tokenFailure describes an error of package oauth2 in our own words.
func (s *Sender) tokenFailure(ctx context.Context, err error, reached phase, auth *switchboard.Auth) error {
	const notAsked = "the token endpoint gave no token: "
	refused, answered := errors.AsType[*oauth2.RetrieveError](err)
	_, network := errors.AsType[*url.Error](err)
	switch {
	case answered:
		return tokenRefusal(refused, auth)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &tokenError{detail: notAsked + s.timedOut(reached, tokenTime).Detail}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case ours(err):
		return err
	case network:
		return &tokenError{detail: notAsked + s.classify(err, reached).Detail}
	}
	return &tokenError{detail: "the token endpoint's answer holds no token"}
}

// tokenRefusal is the error of a response that refuses a token.
func tokenRefusal(refused *oauth2.RetrieveError, auth *switchboard.Auth) *tokenError {
	e := &tokenError{
		status:     refused.Response.StatusCode,
		retryAfter: switchboard.ParseRetryAfter(refused.Response.Header.Get("Retry-After"), time.Now()),
	}
	if codePattern.MatchString(refused.ErrorCode) && !repeatsSecret(refused.ErrorCode, auth) {
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

// repeatsSecret reports whether the text holds one of the secrets that were sent.
func repeatsSecret(text string, auth *switchboard.Auth) bool {
	for _, parameter := range auth.Parameters {
		if strings.Contains(text, parameter.Reveal()) {
			return true
		}
	}
	return strings.Contains(text, auth.ClientSecret.Reveal())
}

// sendable reports whether the token may be part of a header's value.
func sendable(token string) bool {
	return len(token) <= maxToken && !strings.Contains(token, " ") && switchboard.IsPrintableASCII(token)
}

// noToken is the outcome of an attempt for which there was no token.
func (s *Sender) noToken(ctx context.Context, err error, x *attemptState) (switchboard.Outcome, error) {
	if e, ok := errors.AsType[*tokenError](err); ok {
		outcome := failed(switchboard.FailureAuth, "%s", e.detail)
		outcome.RetryAfter = e.retryAfter
		return outcome, nil
	}
	if errors.Is(context.Cause(ctx), errTimeLimit) {
		return failed(switchboard.FailureAuth, "the token endpoint gave no token within %s", x.timeout), nil
	}
	return s.noResponse(ctx, err, new(try), x)
}

// checkToken requests a token now, without the cache.
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
	case refusal.code == "invalid_target": // RFC 8707 2
		return switchboard.InvalidField("auth.parameters", "are not accepted: %s", refusal.detail)
	}
	return switchboard.InvalidField("auth.token_url", "does not work: %s", refusal.detail)
}

// tokenTransport sends a request for a token in the way of deliveries: with the same guard,
// User-Agent, rule about repeats and limits of the response. It serves one request.
type tokenTransport struct {
	s       *Sender
	reached phase
}

// RoundTrip implements [http.RoundTripper].
func (t *tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	try, resp, err := t.s.do(req.Context(), destination{}, new(attemptState), outgoing{hasBody: true, build: func(ctx context.Context) (*http.Request, error) {
		own := req.Clone(ctx)
		own.Header.Set("User-Agent", t.s.userAgent)
		own.Header.Set("Accept", "application/json")
		var err error
		own.Body, err = req.GetBody()
		return own, err
	}})
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

// closer ends a request when its response is closed.
type closer struct {
	io.Closer
	t *try
}

func (c closer) Close() error {
	defer c.t.cancel(nil)
	return c.Closer.Close()
}
