package console

import (
	"context"
	"net/http"

	"github.com/seed-49a43567/switchboard"
)

// sessionCookie holds the token of a session. Its prefix makes browsers refuse it unless it is
// Secure, of this host alone, and of every path. Lax, because a link in a ticket has to arrive signed
// in; nothing changes by GET.
const sessionCookie = "__Host-switchboard"

// Sessions keeps who is signed in.
type Sessions interface {
	// Authenticate returns whose key the text is, or Unauthenticated.
	Authenticate(ctx context.Context, text switchboard.Secret) (switchboard.Caller, error)
	// BeginSession begins a session, and ends the one that it replaces.
	BeginSession(ctx context.Context, in switchboard.SignIn) (switchboard.SignedIn, error)
	// FindSession returns the session of a token, and Unauthenticated where there is none or it has
	// ended. A poll does not prolong it.
	FindSession(ctx context.Context, token switchboard.Secret, poll bool) (switchboard.Session, error)
	// EndSession ends the session of a token, if there is one. The caller says where the request comes from.
	EndSession(ctx context.Context, token switchboard.Secret, from switchboard.Caller) error
	// SpendPortalLink begins the session of a portal link, once, or returns Unauthenticated.
	SpendPortalLink(ctx context.Context, token switchboard.Secret, in switchboard.SignIn) (switchboard.SignedIn, error)
}

var errNobody = switchboard.Errorf(switchboard.CodeUnauthenticated, "nobody is signed in")

// find returns the session of the request, or an Unauthenticated error. Where a trusted proxy names a
// person who has none, it begins one, unless the page is for strangers too.
func (c *Console) find(v *visit, strangers bool) (switchboard.Session, error) {
	named, err := c.proxied(v.request)
	if err != nil {
		return switchboard.Session{}, err
	}
	var session switchboard.Session
	token, err := tokenOf(v.request), error(errNobody)
	if token != "" {
		session, err = c.Sessions.FindSession(v.request.Context(), token, v.isPoll())
	}
	if err == nil && !c.allows(&session, named) {
		if err = c.Sessions.EndSession(v.request.Context(), token, c.madeBy(v, switchboard.Caller{})); err == nil {
			err = errNobody
		}
	}
	if switchboard.CodeOf(err) != switchboard.CodeUnauthenticated || named == nil || strangers || v.isPoll() {
		return session, err
	}
	return c.enterByProxy(v, named)
}

// allows reports whether the session may still be used: one that a proxy began while that names the
// same person with the same rights, and one of a key while people may sign in with keys.
func (c *Console) allows(s *switchboard.Session, named *proxied) bool {
	switch {
	case s.Verified:
		return named != nil && named.is(&s.Caller)
	case s.Portal:
		return true
	}
	return !c.NoKeys
}

// begin begins a session of the caller, and has the browser keep it.
func (c *Console) begin(v *visit, caller switchboard.Caller, verified bool) (switchboard.Session, error) {
	begun, err := c.Sessions.BeginSession(v.request.Context(), switchboard.SignIn{Caller: c.madeBy(v, caller), Verified: verified, Replaces: tokenOf(v.request)})
	if err == nil {
		keepCookie(v.writer, begun.Token)
	}
	return begun.Session, err
}

// madeBy completes the caller with where the request comes from.
func (c *Console) madeBy(v *visit, caller switchboard.Caller) switchboard.Caller {
	caller.Origin, caller.RequestID, caller.Address = switchboard.OriginConsole, requestID(v.request), c.addressOf(v.request)
	return caller
}

// tokenOf is what the request's cookie holds; empty: it has none.
func tokenOf(r *http.Request) switchboard.Secret {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return switchboard.Secret(cookie.Value)
}

func keepCookie(w http.ResponseWriter, token switchboard.Secret) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: token.Reveal(), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func dropCookie(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1})
}
