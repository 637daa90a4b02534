package console

import (
	"context"

	"github.com/seed-49a43567/switchboard"
)

// sessionCookie holds the token of a session. The prefix makes browsers refuse it unless it is
// Secure, of this host alone, and of every path.
const sessionCookie = "__Host-switchboard"

// Sessions keeps who is signed in.
type Sessions interface {
	// FindSession returns the session of a token, and Unauthenticated where there is none or it has
	// ended. A poll does not prolong it.
	FindSession(ctx context.Context, token switchboard.Secret, poll bool) (switchboard.Session, error)
}

// find returns the session of the request, or an Unauthenticated error.
func (c *Console) find(v *visit) (switchboard.Session, error) {
	cookie, err := v.request.Cookie(sessionCookie)
	if err != nil {
		return switchboard.Session{}, switchboard.Errorf(switchboard.CodeUnauthenticated, "nobody is signed in")
	}
	return c.Sessions.FindSession(v.request.Context(), switchboard.Secret(cookie.Value), v.isPoll())
}
