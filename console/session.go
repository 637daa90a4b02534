package console

import (
	"context"
	"net/http"

	"github.com/seed-49a43567/switchboard"
)

// sessionCookie contains the token of a session. Because of its prefix, browsers refuse it unless
// it is Secure and belongs to exactly this host and all paths. It is Lax, because a link in a
// ticket must arrive signed in; GET changes nothing.
const sessionCookie = "__Host-switchboard"

// Sessions stores who is signed in.
type Sessions interface {
	// Authenticate returns the caller for the text of a key, or Unauthenticated.
	Authenticate(ctx context.Context, text switchboard.Secret) (switchboard.Caller, error)
	// BeginSession begins a session, and ends the one that it replaces.
	BeginSession(ctx context.Context, in switchboard.SignIn) (switchboard.SignedIn, error)
	// FindSession returns the session of a token, or Unauthenticated if there is none or it has
	// ended. An automatic update does not prolong it.
	FindSession(ctx context.Context, token switchboard.Secret, poll bool) (switchboard.Session, error)
	// EndSession ends the session of a token, if it exists. The caller says where the request comes
	// from.
	EndSession(ctx context.Context, token switchboard.Secret, from switchboard.Caller) error
	// SpendPortalLink begins the session of a portal link, once, or returns Unauthenticated.
	SpendPortalLink(ctx context.Context, token switchboard.Secret, in switchboard.SignIn) (switchboard.SignedIn, error)
}

var errNobody = switchboard.Errorf(switchboard.CodeUnauthenticated, "nobody is signed in")

// find returns the session of the request, or an Unauthenticated error. If a trusted proxy names a
// person without a session, it begins one, unless the page is also for strangers.
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

// allows reports whether the session may still be used. A proxy's session is valid while the proxy
// names the same person with the same rights, a key's session while people may sign in with keys.
func (c *Console) allows(s *switchboard.Session, named *proxied) bool {
	switch {
	case s.Verified:
		return named != nil && named.is(&s.Caller)
	case s.Portal:
		return true
	}
	return !c.NoKeys
}

// begin begins a session of the caller, and stores it in the browser.
func (c *Console) begin(v *visit, caller switchboard.Caller, verified bool) (switchboard.Session, error) {
	begun, err := c.Sessions.BeginSession(v.request.Context(), switchboard.SignIn{Caller: c.madeBy(v, caller), Verified: verified, Replaces: tokenOf(v.request)})
	if err == nil {
		keepCookie(v.writer, begun.Token)
	}
	return begun.Session, err
}

// madeBy adds where the request comes from to the caller.
func (c *Console) madeBy(v *visit, caller switchboard.Caller) switchboard.Caller {
	caller.Origin, caller.RequestID, caller.Address = switchboard.OriginConsole, requestID(v.request), c.addressOf(v.request)
	return caller
}

// tokenOf returns the token in the request's cookie, or "".
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
