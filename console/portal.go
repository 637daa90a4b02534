package console

import (
	"context"
	"net/http"

	"github.com/seed-49a43567/switchboard"
)

// enterPage asks a person who followed a portal link whether to continue.
type enterPage struct {
	Name   string // of the platform; empty: none
	Here   string // who is signed in with this browser now; empty: nobody
	Plain  bool
	Faults []fieldFault
}

// showEnter shows the page of a portal link. The link's token is behind the # of the address, so no
// server sees it; console.js copies it into the form. Only the button uses it up: programs that
// follow links in mails do not press the button.
func (c *Console) showEnter(v *visit) (answer, error) {
	return page("enter", "Sign in", c.newEnterPage(v)), nil
}

func (c *Console) newEnterPage(v *visit) enterPage {
	return enterPage{Name: c.Brand.Name, Here: v.session.Caller.Person, Plain: comesPlain(v.request)}
}

// enter begins the session of a portal link.
func (c *Console) enter(v *visit) (answer, error) {
	token := switchboard.Secret(v.request.PostFormValue("token"))
	var begun switchboard.SignedIn
	err := c.try(v, func(ctx context.Context) (err error) {
		begun, err = c.Sessions.SpendPortalLink(ctx, token, switchboard.SignIn{Caller: c.madeBy(v, switchboard.Caller{}), Replaces: tokenOf(v.request)})
		return err
	})
	switch code := switchboard.CodeOf(err); code {
	case "":
		keepCookie(v.writer, begun.Token)
		return redirect(safeNext(begun.Next)), nil
	case switchboard.CodeUnauthenticated, switchboard.CodeRateLimited:
		shown := c.newEnterPage(v)
		shown.Faults = []fieldFault{{Text: err.(*switchboard.Error).Message}} //nolint:errorlint // the code is of no other
		return page("enter", "Sign in", shown).status(statusOfStranger(code)), nil
	}
	return answer{}, err
}

func statusOfStranger(code switchboard.Code) int {
	if code == switchboard.CodeRateLimited {
		return http.StatusTooManyRequests
	}
	return http.StatusUnprocessableEntity
}
