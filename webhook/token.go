package webhook

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/seed-49a43567/switchboard"
)

// Lifetimes of tokens.
const (
	earlier    = 10 * time.Second // how long before its end a token is no longer sent, because it could expire on the way
	undatedAge = 30 * time.Minute // of a token without expires_in; an hour is usual (RFC 6749 4.2.2)
	datedAge   = 5 * time.Minute  // a younger token with expires_in is not replaced because of a 403
	renewWait  = time.Minute      // between two renewals because of a 403
)

// grant is a token, and what is known of it.
type grant struct {
	text    string
	style   oauth2.AuthStyle // how its endpoint takes the client's credentials
	at      time.Time        // when the endpoint gave it
	until   time.Time        // when it is no longer sent
	dated   bool             // the endpoint sent expires_in
	renewed time.Time        // when a token was last replaced because of a 403; zero: never
	reused  bool             // it comes from the cache
}

// refusal is a token that the receiver refused.
type refusal struct {
	text      string // empty: there is none
	forbidden bool   // with 403, without a reason
}

// token returns a token for the subscription that is not the refused one. Concurrent callers share
// one request. The error is a *tokenError, the context's cause, or one of [ours].
func (s *Sender) token(ctx context.Context, sub *switchboard.Subscription, refused refusal) (grant, error) {
	key := tokenKey(sub)
	if cached, ok := s.cachedToken(key, refused); ok {
		return cached, nil
	}
	fetched := s.fetches.DoChan(key, func() (any, error) {
		if cached, ok := s.cachedToken(key, refused); ok { // another fetch has just ended
			return cached, nil
		}
		// The first caller may leave, for example because its delivery is cancelled, while others
		// still wait.
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

// cachedToken returns the cached token if it may still be sent.
func (s *Sender) cachedToken(key string, refused refusal) (grant, bool) {
	cached, ok := s.tokens.Get(key)
	if !ok || !s.now().Before(cached.until) || cached.text == refused.text {
		return grant{}, false
	}
	cached.reused = true
	return cached, true
}

// isRefused reports whether the receiver may accept another token. After a 401 it may. A 403 mostly
// means that a permission is missing, whatever the token, but some (AWS, Azure) answer an expired
// token with 403. So the reason in the response decides (RFC 6750 3.1). Without a reason, a token
// that was fetched some time ago is replaced, at most once in renewWait.
func (s *Sender) isRefused(token grant, status int, reason string) bool {
	switch {
	case token.text == "": // another type of auth
		return false
	case status == http.StatusUnauthorized:
		return true
	case status != http.StatusForbidden:
		return false
	case reason != "":
		return reason == "invalid_token"
	}
	now := s.now()
	mayBeOld := !token.dated || now.Sub(token.at) >= datedAge
	return token.reused && mayBeOld && now.Sub(token.renewed) >= renewWait
}

// bearerError finds the reason in a response that refuses a token, such as Bearer
// error="invalid_token".
var bearerError = regexp.MustCompile(`(?i)\bBearer\b.*?[\s,]error\s*=\s*"?([a-z_]+)`)

// reasonOf returns the reason why the receiver refused a token, or "".
func reasonOf(header http.Header) string {
	found := bearerError.FindStringSubmatch(strings.Join(header.Values("WWW-Authenticate"), ", "))
	if found == nil {
		return ""
	}
	return found[1]
}
