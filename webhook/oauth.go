package webhook

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
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

// codePattern is what an OAuth error code looks like. Anything else that a token
// endpoint puts in its place is not repeated.
var codePattern = regexp.MustCompile(`^[a-z_]{1,40}$`)

// grant is a token, and how its endpoint wants to be told who asks.
type grant struct {
	token *oauth2.Token
	style oauth2.AuthStyle
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

// token returns a token for the subscription that is not the one refused, which may
// be empty. All that need one at a time wait for the same answer. The error is a
// *tokenError, the context's cause, or a shortage of this machine's.
func (s *Sender) token(ctx context.Context, sub *switchboard.Subscription, refused string) (string, error) {
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
			return "", err
		}
		s.tokens.Add(key, got)
		return got.token.AccessToken, nil
	})
	select {
	case result := <-fetched:
		token, _ := result.Val.(string)
		return token, result.Err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (s *Sender) keptToken(key, refused string) (string, bool) {
	kept, ok := s.tokens.Get(key)
	if !ok || !kept.token.Valid() || kept.token.AccessToken == refused {
		return "", false
	}
	return kept.token.AccessToken, true
}

// tokenKey stands for the subscription and all that its token depends on. It is a
// digest, so that the client secret is kept nowhere else.
func tokenKey(sub *switchboard.Subscription) string {
	auth, digest := &sub.Auth, sha256.New()
	for _, part := range append([]string{sub.ID, auth.TokenURL, auth.ClientID, auth.ClientSecret.Reveal()}, auth.Scopes...) {
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
	token, err := s.requestToken(ctx, auth, styles[0])
	if err == nil {
		return grant{token, styles[0]}, nil
	}
	refusal, ok := errors.AsType[*tokenError](err)
	if !ok || !refusal.ofRequest() {
		return grant{}, err
	}
	token, err = s.requestToken(ctx, auth, styles[1])
	if err == nil {
		return grant{token, styles[1]}, nil
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
func (s *Sender) requestToken(ctx context.Context, auth *switchboard.Auth, style oauth2.AuthStyle) (*oauth2.Token, error) {
	target, err := FinalURL("auth.token_url", auth.TokenURL)
	if err != nil {
		return nil, &tokenError{detail: "the token endpoint's URL is not one that can be asked"}
	}
	config := clientcredentials.Config{
		ClientID: auth.ClientID, ClientSecret: auth.ClientSecret.Reveal(),
		TokenURL: target, Scopes: auth.Scopes, AuthStyle: style,
	}
	p := new(progress)
	client := &http.Client{
		Transport:     tokenTransport{s},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	token, err := config.Token(context.WithValue(p.watch(ctx), oauth2.HTTPClient, client))
	switch {
	case err != nil:
		return nil, s.explainToken(ctx, err, p.phase(), auth.ClientSecret)
	case !sendable(token.AccessToken):
		return nil, &tokenError{detail: "the token endpoint's token cannot be sent in a header, or is too long"}
	}
	// The library's token holds on to the whole answer, and thousands are kept.
	return &oauth2.Token{AccessToken: token.AccessToken, Expiry: token.Expiry}, nil
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

// noToken is the outcome of an attempt that got no token, and so sent nothing.
func (s *Sender) noToken(ctx context.Context, err error, timeout time.Duration) (switchboard.Outcome, error) {
	if e, ok := errors.AsType[*tokenError](err); ok {
		outcome := failed(switchboard.FailureAuth, "%s", e.detail)
		outcome.RetryAfter = e.retryAfter
		return outcome, nil
	}
	if errors.Is(context.Cause(ctx), errTimeLimit) {
		return failed(switchboard.FailureAuth, "the token endpoint gave no token within %s", timeout), nil
	}
	return s.noAnswer(ctx, err, resolving, timeout)
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
// guard, under the same name, and with as little trust in what comes back.
type tokenTransport struct{ s *Sender }

// RoundTrip implements [http.RoundTripper].
func (t tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", t.s.userAgent)
	req.Header.Set("Accept", "application/json")
	resp, err := t.s.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxTokenAnswer), resp.Body}
	return resp, nil
}
