package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// Proxy says how a proxy in front of the console names the people that it has signed in.
type Proxy struct {
	Header       string // contains the person, such as X-Forwarded-Email
	GroupsHeader string // contains the person's groups, separated by commas
	Groups       []Group
}

// Group is what the people of a group may do.
type Group struct {
	Name        string
	Role        switchboard.Role
	ReadPayload bool
}

// withPayload is the suffix of a role that may read payloads.
const withPayload = "+read_payload"

// ParseGroups parses "wh-admin=admin,wh-support=support+read_payload". A person in several of the
// groups gets the first of them. An admin may read payloads, as with a key.
func ParseGroups(text string) ([]Group, error) {
	var groups []Group
	for part := range strings.SplitSeq(text, ",") {
		name, may, ok := strings.Cut(part, "=")
		role, reads := strings.CutSuffix(strings.TrimSpace(may), withPayload)
		g := Group{Name: strings.TrimSpace(name), Role: switchboard.Role(role)}
		g.ReadPayload = reads || g.Role.ReadsPayload()
		switch {
		case !ok || g.Name == "":
			return nil, fmt.Errorf("%q is not GROUP=ROLE or GROUP=ROLE%s", part, withPayload)
		case !g.Role.HasConsole():
			return nil, fmt.Errorf("%q: the role must be admin, integrator, support or viewer", part)
		case slices.ContainsFunc(groups, func(other Group) bool { return other.Name == g.Name }):
			return nil, fmt.Errorf("the group %q is listed twice", g.Name)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

func (p *Proxy) check() error {
	switch {
	case p.Header == "" || p.GroupsHeader == "":
		return errors.New("Config.Proxy needs both headers")
	case len(p.Groups) == 0:
		return errors.New("Config.Proxy needs groups")
	}
	return nil
}

// proxied is a person whom the proxy names, and the person's rights.
type proxied struct {
	person string
	group  Group
}

// is reports whether this person began the session, and has the same rights now.
func (p *proxied) is(caller *switchboard.Caller) bool {
	return p.person == caller.Person && p.group.Role == caller.Role && p.group.ReadPayload == caller.ReadPayload
}

// proxied returns the person whom a trusted proxy names; nil: none. Only the connected peer decides
// whether a proxy is trusted, and no header, since anybody can send headers.
func (c *Console) proxied(r *http.Request) (*proxied, error) {
	p := c.Proxy
	if p == nil || len(r.Header.Values(p.Header)) == 0 && len(r.Header.Values(p.GroupsHeader)) == 0 {
		return nil, nil
	}
	if !c.isProxy(peerOf(r)) {
		c.Logger.WarnContext(r.Context(), "headers that name a person are ignored: the proxy did not send them", "peer", peerOf(r), "request_id", requestID(r))
		return nil, nil
	}
	names := r.Header.Values(p.Header)
	if len(names) == 0 {
		return nil, nil
	}
	if len(names) > 1 {
		return nil, switchboard.Errorf(switchboard.CodeForbidden, "the proxy in front of the console names more than one person")
	}
	if err := switchboard.CheckPerson(p.Header, names[0]); err != nil {
		return nil, switchboard.Errorf(switchboard.CodeForbidden, "the proxy in front of the console gives a name that cannot be used")
	}
	var theirs []string
	for _, value := range r.Header.Values(p.GroupsHeader) {
		for name := range strings.SplitSeq(value, ",") {
			theirs = append(theirs, strings.TrimSpace(name))
		}
	}
	for _, g := range p.Groups {
		if slices.Contains(theirs, g.Name) {
			return &proxied{names[0], g}, nil
		}
	}
	return nil, switchboard.Errorf(switchboard.CodeForbidden, "%s is in no group that may use the console", names[0])
}

// enterByProxy begins the session of a person whom the proxy names.
func (c *Console) enterByProxy(v *visit, named *proxied) (switchboard.Session, error) {
	return c.begin(v, switchboard.Caller{Person: named.person, Role: named.group.Role, ReadPayload: named.group.ReadPayload}, true)
}
