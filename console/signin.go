package console

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-49a43567/switchboard"
)

func (c *Console) signInRoutes() []route {
	return []route{
		{"GET /console/sign-in", anyone, c.showSignIn},
		{"POST /console/sign-in", anyone, c.signIn},
		{"POST /console/sign-out", anyone, c.signOut},
		{"GET /console/enter", anyone, c.showEnter},
		{"POST /console/enter", anyone, c.enter},
	}
}

// signInPage is the form that asks for a key.
type signInPage struct {
	Name   string
	Next   string
	Keys   bool         // people may sign in with keys
	Plain  bool         // the page came over plain http: the browser will not keep the session
	Here   string       // who is already signed in, or whom the proxy names; empty: nobody
	To     string       // the page after signing in
	Faults []fieldFault // what is wrong with the typed values
}

func (c *Console) newSignInPage(v *visit, next string) signInPage {
	p := signInPage{Next: safeNext(next), Keys: !c.NoKeys, Plain: comesPlain(v.request), Here: v.session.Caller.Person}
	if named, err := c.proxied(v.request); err == nil && named != nil && p.Here == "" {
		p.Here = named.person
	}
	p.To = p.Next
	return p
}

// safeNext returns the page after signing in: the requested one, or the first.
func safeNext(next string) string {
	if switchboard.CheckConsolePath("next", next) != nil {
		return Root
	}
	return next
}

func (c *Console) showSignIn(v *visit) (answer, error) {
	return page("sign_in", "Sign in", c.newSignInPage(v, v.request.URL.Query().Get("next"))), nil
}

// signIn begins a session with a key. The answer is the same for everything that may be wrong with
// the key.
func (c *Console) signIn(v *visit) (answer, error) {
	shown := c.newSignInPage(v, v.request.PostFormValue("next"))
	shown.Name = v.request.PostFormValue("name")
	again := func(status int, field, text string) (answer, error) {
		shown.Faults = []fieldFault{{field, text}}
		return page("sign_in", "Sign in", shown).status(status), nil
	}
	if c.NoKeys {
		return answer{}, switchboard.Errorf(switchboard.CodeForbidden, "signing in with a key is turned off here")
	}
	if err := switchboard.CheckPerson("name", shown.Name); err != nil {
		return again(http.StatusUnprocessableEntity, "name", "say who you are: your changes are recorded with this name")
	}
	var caller switchboard.Caller
	err := c.try(v, func(ctx context.Context) (err error) {
		caller, err = c.Sessions.Authenticate(ctx, switchboard.Secret(v.request.PostFormValue("key")))
		return err
	})
	switch switchboard.CodeOf(err) {
	case "":
	case switchboard.CodeRateLimited:
		return again(http.StatusTooManyRequests, "", err.(*switchboard.Error).Message) //nolint:errorlint // try made it
	case switchboard.CodeUnauthenticated:
		return again(http.StatusUnprocessableEntity, "key", "is unknown, expired or revoked")
	default:
		return answer{}, err
	}
	if !caller.Role.HasConsole() {
		return again(http.StatusForbidden, "key", "has the role "+string(caller.Role)+", which is for programs that post events: it has no console")
	}
	caller.Person = shown.Name
	if _, err := c.begin(v, caller, false); err != nil {
		return answer{}, err
	}
	return redirect(shown.Next), nil
}

// try does something that strangers may only try a few times per minute.
func (c *Console) try(v *visit, what func(context.Context) error) error {
	address := c.addressOf(v.request)
	if wait := c.tries.wait(address, v.now); wait > 0 {
		seconds := int((wait + time.Second - 1) / time.Second)
		v.writer.Header().Set("Retry-After", strconv.Itoa(seconds))
		return switchboard.Errorf(switchboard.CodeRateLimited, "too many tries failed: try again in %s", durationInWords(time.Duration(seconds)*time.Second))
	}
	err := what(v.request.Context())
	if switchboard.CodeOf(err) == switchboard.CodeUnauthenticated {
		c.tries.failed(address, v.now)
		logOf(v.request).cause = err
	}
	return err
}

// signOut ends the session, and makes the browser forget what it has seen.
func (c *Console) signOut(v *visit) (answer, error) {
	if token := tokenOf(v.request); token != "" {
		if err := c.Sessions.EndSession(v.request.Context(), token, c.madeBy(v, switchboard.Caller{})); err != nil {
			return answer{}, err
		}
	}
	dropCookie(v.writer)
	v.writer.Header().Set("Clear-Site-Data", `"cache"`)
	return redirect(linkSignIn("")), nil
}

// comesPlain reports whether the browser will not keep the session's cookie, because the page came
// over plain http from another machine. Browsers that keep such cookies say where a request comes
// from.
func comesPlain(r *http.Request) bool {
	if r.TLS != nil || r.Header.Get("Sec-Fetch-Site") != "" {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(host)
	return host != "localhost" && (ip == nil || !ip.IsLoopback())
}
