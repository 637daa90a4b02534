package console

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// visit is one request of a person who is signed in. For pages without sign-in, session and api are
// zero.
type visit struct {
	request *http.Request
	writer  http.ResponseWriter
	session switchboard.Session // the person and their rights
	api     *client.Client      // calls /v1 in-process as that person
	now     time.Time
	console *Console
}

// handler returns what to show. An error becomes an error page. The API's errors keep their text,
// code and request id.
type handler func(v *visit) (answer, error)

// route is a page or an action, who may use it, and its handler.
type route struct {
	pattern string // as in net/http: "GET /console/deliveries/{id}"
	who     who
	handler handler
}

// who says who may use a route, in addition to admins, who may use all.
type who uint8

const (
	viewers who = 1 << iota
	supporters
	integrators
	portals   // people from a portal link with one of the roles above
	customers // people from a portal link with any role
	strangers // people who are not signed in
)

const (
	readers   = viewers | supporters | integrators | portals // what everybody reads
	staff     = viewers | supporters                         // what is about the whole platform
	operators = supporters                                   // what acts on deliveries
	editors   = integrators | portals                        // what changes subscriptions
	auditors  = supporters | customers                       // what shows who did what
	anyone    = readers | strangers

	administrators who = 0 // only admins
)

// roles returns the roles that may use the route, in addition to admin.
func (w who) roles() []switchboard.Role {
	var roles []switchboard.Role
	for _, r := range []struct {
		who  who
		role switchboard.Role
	}{{integrators, switchboard.RoleIntegrator}, {supporters, switchboard.RoleSupport}, {viewers, switchboard.RoleViewer}} {
		if w&r.who != 0 {
			roles = append(roles, r.role)
		}
	}
	return roles
}

// includes reports whether the person with the session may use the route.
func (w who) includes(s *switchboard.Session) bool {
	if s.Portal && w&(portals|customers) != portals {
		return w&customers != 0
	}
	return s.Caller.Role == switchboard.RoleAdmin || slices.Contains(w.roles(), s.Caller.Role)
}

// newVisit returns the request of a person who is not known yet.
func (c *Console) newVisit(w http.ResponseWriter, r *http.Request) *visit {
	return &visit{request: r, writer: w, now: c.Now(), console: c}
}

// enter makes the visit that of a session. The API's log and audit get the request's id and its
// address.
func (v *visit) enter(s switchboard.Session) error {
	v.session = s
	caller := s.Caller
	caller.RequestID, caller.Address = requestID(v.request), v.console.addressOf(v.request)
	api, err := client.New(client.Config{
		URL:  "http://switchboard.invalid", // no request of the client leaves the process
		HTTP: &http.Client{Transport: patient{v.console.API.Transport(caller)}},
	})
	v.api = api
	logOf(v.request).caller = caller
	return err
}

// path returns a value in the route's pattern, as its id.
func (v *visit) path(name string) string { return v.request.PathValue(name) }

// isPoll reports whether the request is for a part of a page, as from parts that update themselves.
func (v *visit) isPoll() bool { return v.request.URL.Query().Has(partParameter) }

// shows reports whether a part of the page is shown, within the page or separately.
func (v *visit) shows(part string) bool {
	return !v.isPoll() || v.request.URL.Query().Get(partParameter) == part
}

// serve answers the requests of a route.
func (c *Console) serve(r route) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		v := c.newVisit(w, request)
		logOf(request).route = r.pattern
		shown, err := c.answer(v, r)
		if err != nil {
			shown = errorPage(v, err)
		}
		c.write(v, shown)
	}
}

func (c *Console) answer(v *visit, r route) (answer, error) {
	session, err := c.find(v, r.who&strangers != 0)
	switch {
	case err != nil && r.who&strangers == 0:
		return c.withoutSession(v, err)
	case err == nil:
		if err := v.enter(session); err != nil {
			return answer{}, err
		}
	}
	if r.who&strangers == 0 && !r.who.includes(&v.session) {
		return answer{}, errNotAllowed(r.who, &v.session)
	}
	if v.request.Method == http.MethodPost {
		limit := maxForm
		if r.who&strangers != 0 {
			limit = maxStrangersForm
		}
		if err := v.readPosted(limit); err != nil {
			return answer{}, err
		}
	}
	return r.handler(v)
}

// withoutSession leads people who are not signed in to the sign-in page, and back afterwards. An
// automatic update makes the browser reload its page, which also ends at the sign-in page.
func (c *Console) withoutSession(v *visit, err error) (answer, error) {
	if switchboard.CodeOf(err) != switchboard.CodeUnauthenticated {
		return answer{}, err
	}
	if v.isPoll() {
		v.writer.Header().Set("HX-Refresh", "true")
		return answer{code: http.StatusUnauthorized, text: "you are signed out"}, nil
	}
	next := ""
	if v.request.Method == http.MethodGet && v.request.URL.Path != Root {
		next = v.request.URL.RequestURI()
	}
	return redirect(linkSignIn(next)), nil
}

// checkQuery refuses parameters that the page does not know. So a link with a typing error shows an
// error instead of something unintended.
func (v *visit) checkQuery(known ...string) error {
	var unknown []string
	for name := range v.request.URL.Query() {
		if name != partParameter && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	if len(known) == 0 {
		return switchboard.InvalidField(unknown[0], "this page has no parameters")
	}
	return switchboard.InvalidField(unknown[0], "this page has no such parameter; it knows %s", switchboard.JoinWords(known))
}

// errNoPage is the error about an unknown path.
func errNoPage(path string) error {
	return switchboard.Errorf(switchboard.CodeNotFound, "there is no page at %s", path)
}

// errNotAllowed is the error about a page that the role may not use.
func errNotAllowed(w who, s *switchboard.Session) error {
	if s.Portal {
		return switchboard.Errorf(switchboard.CodeNotFound, "there is no such page")
	}
	needed := fmt.Sprint(switchboard.RoleAdmin)
	if roles := w.roles(); len(roles) > 0 {
		needed = switchboard.JoinWords(roles) + " or admin"
	}
	return switchboard.Errorf(switchboard.CodeForbidden, "your role is %s; this page is for %s", s.Caller.Role, needed)
}
