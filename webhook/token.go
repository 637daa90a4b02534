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

// The life of tokens.
const (
	earlier    = 10 * time.Second // before its end a token is not sent any more: it would expire on the way
	undatedAge = 30 * time.Minute // of one whose endpoint says no expires_in, which an hour is usual for (RFC 6749 4.2.2)
	datedAge   = 5 * time.Minute  // before it, what the endpoint said of the end is believed, whatever a 403 may mean
	renewWait  = time.Minute      // from one renewal because of a 403 to the next
)

// grant is a token, and what is known of it.
type grant struct {
	text    string
	style   oauth2.AuthStyle // how its endpoint takes the client's credentials
	at      time.Time        // when it was given
	until   time.Time        // from when on it is not sent any more
	dated   bool             // its endpoint said until when it is valid
	renewed time.Time        // when a token was last given up because of a 403; zero: never
	reused  bool             // it comes from the cache
}

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
	if cached, ok := s.cachedToken(key, refused); ok {
		return cached, nil
	}
	fetched := s.fetches.DoChan(key, func() (any, error) {
		if cached, ok := s.cachedToken(key, refused); ok { // the fetch before ended just now
			return cached, nil
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

func (s *Sender) cachedToken(key string, refused refusal) (grant, bool) {
	cached, ok := s.tokens.Get(key)
	if !ok || !s.now().Before(cached.until) || cached.text == refused.text {
		return grant{}, false
	}
	cached.reused = true
	return cached, true
}

// isRefused reports whether the receiver's answer means that another token may do.
// After 401 it may. 403 is mostly said of a right that is missing, and with another
// token too; but it is also how some (AWS, Azure) answer a token that has expired. So
// what the answer says of the reason counts (RFC 6750 3.1), and where it says nothing,
// a token that was fetched some time ago is given up, at most once in renewWait.
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
