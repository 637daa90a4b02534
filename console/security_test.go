package console

import (
	"bytes"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// TestHeaders: every answer stops browsers from framing it, from running anything that is not ours,
// and from storing it.
func TestHeaders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	style, err := f.console.assets.path("console.css")
	must(t, err)
	ana := f.as(switchboard.RoleSupport, "")
	for name, got := range map[string]shown{
		"page": ana.get("/console"), "part": ana.get("/console?part=now"), "not found": ana.get("/console/nothing"), "not allowed": ana.get("/console/keys"),
		"sign-in": f.nobody().get("/console/sign-in"), "redirect": f.nobody().get("/console"), "link": f.nobody().get("/console/enter"),
		"refused": ana.post("/console/sign-out", url.Values{}, "Sec-Fetch-Site", "cross-site"), "asset": f.nobody().get(style),
	} {
		for header, want := range map[string]string{
			"Content-Security-Policy":      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "same-origin",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
			"Cache-Control":                "no-store",
		} {
			if name == "asset" && header == "Cache-Control" {
				want = "public, max-age=31536000, immutable"
			}
			if has := got.header.Get(header); has != want {
				t.Errorf("%s: %s is %q", name, header, has)
			}
		}
	}
	if got := ana.get("/console/audit/file").want(t, http.StatusOK); !strings.Contains(got.header.Get("Content-Security-Policy"), "sandbox") || !strings.HasPrefix(got.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("file: %v", got.header)
	}
}

// TestOtherSites: no route acts on a request from a page of another site, or on one that says
// nothing about its sender.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana := f.as(switchboard.RoleAdmin, "")
	senders := map[string][2]string{ // Sec-Fetch-Site, Origin
		"another site":                    {"cross-site", "https://evil.example.com"},
		"another host of the same site":   {"same-site", "https://other.example.com"},
		"an old browser, another site":    {"", "https://evil.example.com"},
		"an old browser, no origin":       {"", "null"},
		"nobody says":                     {"", ""},
		"another port":                    {"", "http://127.0.0.1:1"},
		"another site that forges origin": {"cross-site", f.url},
	}
	posts := 0
	for _, r := range f.console.routes() {
		path, isPost := strings.CutPrefix(r.pattern, "POST ")
		if !isPost {
			continue
		}
		posts++
		path = placeholder.ReplaceAllString(path, "x")
		for name, sender := range senders {
			got := ana.post(path, url.Values{"reason": {"because"}}, "Sec-Fetch-Site", sender[0], "Origin", sender[1])
			if got.status != http.StatusForbidden || !strings.Contains(got.body, "not sent by a page of the console") {
				t.Errorf("%s from %s: %d", r.pattern, name, got.status)
			}
		}
	}
	if posts < 5 {
		t.Fatalf("%d routes: the test looks in the wrong place", posts)
	}
	ana.get("/console").want(t, http.StatusOK) // still signed in
	for name, sender := range map[string][2]string{"a browser": {"same-origin", f.url}, "an old browser": {"", f.url}} {
		f.as(switchboard.RoleAdmin, "").post("/console/sign-out", url.Values{}, "Sec-Fetch-Site", sender[0], "Origin", sender[1]).want(t, http.StatusSeeOther)
		t.Log(name)
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
		if got := ana.send(method, "/console/sign-out", nil, "Sec-Fetch-Site", "cross-site"); got.status < http.StatusBadRequest {
			t.Errorf("%s: %d", method, got.status)
		}
	}
}

// TestPublicOrigin: behind a proxy that changes the host, the public address is the origin.
func TestPublicOrigin(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.PublicURL = "https://console.example.com/below" })
	for origin, want := range map[string]int{"https://console.example.com": http.StatusSeeOther, "http://console.example.com": http.StatusForbidden, "https://console.example.com.evil.example": http.StatusForbidden} {
		f.as(switchboard.RoleAdmin, "").post("/console/sign-out", url.Values{}, "Sec-Fetch-Site", "", "Origin", origin).want(t, want)
	}
}

// TestCookieOpensNoCall: a session opens pages, but no calls of the API.
func TestCookieOpensNoCall(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana := f.as(switchboard.RoleAdmin, "")
	ana.get("/console").want(t, http.StatusOK)
	for _, path := range []string{"/v1/me", "/v1/deliveries", "/v1/keys", "/v1/sessions"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Cookie", ana.cookie)
		w := httptest.NewRecorder()
		f.api.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// placeholder is a placeholder in a route's pattern.
var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// property is what a tenant owns, by the prefix of the routes that take its id.
type property map[string]string

// populate gives a tenant one object of each kind.
func (f *fixture) populate(tenant string) property {
	f.t.Helper()
	sub := f.subscribe(tenant)
	d := f.accept(tenant, "order-"+tenant, `{"of":"`+tenant+`"}`)[0]
	f.attempt(sub, d, switchboard.Outcome{StatusCode: http.StatusServiceUnavailable, Failure: switchboard.FailureHTTP5xx})
	var o switchboard.Operation
	err := error(switchboard.InvalidField("filter", ""))
	for switchboard.CodeOf(err) == switchboard.CodeInvalid { // until the delivery is older than the upper bound of a plan, which is exact to 8 ms
		o, err = f.store.StartOperation(f.t.Context(), operator(), "", switchboard.OperationRequest{Action: switchboard.ActionCancel, Filter: switchboard.Selection{Tenant: tenant}, Reason: "r"})
	}
	must(f.t, err)
	key, _ := f.key(switchboard.RoleViewer, tenant)
	session := f.as(switchboard.RoleViewer, tenant).session.ID
	f.link(tenant, switchboard.RoleViewer)
	links, err := f.store.PortalLinks(f.t.Context(), operator(), switchboard.PageRequest{Limit: 1})
	must(f.t, err)
	return property{"keys/links": links.Items[0].ID, "subscriptions": sub.ID, "deliveries": d.ID, "events": "order-" + tenant, "operations": o.ID, "keys/sessions": session, "keys": key.ID}
}

// nobodys are ids that do not exist.
func nobodys() property {
	return property{
		"subscriptions": "sub_01k0000000000000000000000z", "deliveries": "dlv_01k0000000000000000000000z", "events": "order-nobody",
		"operations": "op_01k0000000000000000000000z", "keys/sessions": "ses_01k0000000000000000000000z", "keys/links": "plk_01k0000000000000000000000z", "keys": "key_01k0000000000000000000000z",
	}
}

// fill puts the id into the route's pattern. It returns false for a route without an id.
func (p property) fill(t *testing.T, path string) (filled, id string, ok bool) {
	t.Helper()
	if !strings.Contains(path, "{id}") {
		return path, "", false
	}
	longest := ""
	for kind := range p {
		if strings.HasPrefix(path, Root+"/"+kind+"/") && len(kind) > len(longest) {
			longest = kind
		}
	}
	if longest == "" {
		t.Fatalf("what has %s an id of? Say so in populate", path)
	}
	path = strings.Replace(path, "{id}", p[longest], 1)
	return placeholder.ReplaceAllString(path, "1"), p[longest], true
}

// requestIDs match the request ids in error pages.
var requestIDs = regexp.MustCompile(`req_[0-9a-z]{26}`)

// TestPortalSeesNothingOfOthers: every route answers for another tenant's object as for one that
// does not exist, and nothing changes.
func TestPortalSeesNothingOfOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	acme, none := f.populate("acme"), nobodys()
	f.populate("globex")
	bob := f.portal("globex", switchboard.RoleIntegrator)
	subject, err := f.store.Subscription(t.Context(), operator(), acme["subscriptions"])
	must(t, err)
	routes := 0
	for _, r := range f.console.routes() {
		method, path, _ := strings.Cut(r.pattern, " ")
		theirs, id, ok := acme.fill(t, path)
		if !ok {
			continue
		}
		routes++
		missing, noID, _ := none.fill(t, path)
		for _, query := range []string{"", "?tenant=acme"} {
			ask := func(path, id string) shown {
				var form url.Values
				if method == http.MethodPost {
					form = url.Values{"reason": {"because"}, "expect": {"pending.1.0"}, "version": {fmt.Sprint(subject.Version)}, "name": {"taken over"}}
				}
				got := bob.send(method, path+query, form)
				got.body = requestIDs.ReplaceAllString(strings.ReplaceAll(got.body, id, "ID"), "REQUEST")
				got.body = strings.ReplaceAll(got.body, short(id), "ID")
				return got
			}
			got, not := ask(theirs, id), ask(missing, noID)
			if got.status != not.status || got.status < http.StatusBadRequest {
				t.Errorf("%s%s: %d, and of nothing %d", r.pattern, query, got.status, not.status)
			}
			if diff := cmp.Diff(withoutTimes(not.body), withoutTimes(got.body)); diff != "" {
				t.Errorf("%s%s: the answers differ:\n%s", r.pattern, query, diff)
			}
		}
	}
	if routes < 5 {
		t.Fatalf("%d routes with an id: the test looks in the wrong place", routes)
	}
	after, err := f.store.Subscription(t.Context(), operator(), acme["subscriptions"])
	must(t, err)
	if diff := cmp.Diff(subject, after); diff != "" {
		t.Errorf("the subscription has changed:\n%s", diff)
	}
	d, err := f.store.Delivery(t.Context(), operator(), acme["deliveries"])
	must(t, err)
	if len(d.Actions) > 0 {
		t.Errorf("something was done to the delivery: %+v", d.Actions)
	}
}

var timesOfPages = regexp.MustCompile(`data-now="[^"]*"|<time .*?</time>`)

func withoutTimes(body string) string { return timesOfPages.ReplaceAllString(body, "TIME") }

// TestPortalNamesNobodyElse: no page for customers names another tenant, its host, Temporal, or one
// of the platform's people.
func TestPortalNamesNobodyElse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.populate("initech") // ids have no i
	own := f.populate("globex")
	zoe := switchboard.Caller{KeyID: "key_x", Role: switchboard.RoleSupport, Person: "Zoe of the platform", Address: "10.9.8.7"}
	_, err := f.store.SetAside(t.Context(), zoe, own["deliveries"], "their wish")
	must(t, err)
	_, _, err = f.store.ChangeSubscriptionState(t.Context(), zoe, own["subscriptions"], switchboard.PauseSubscription, "their wish")
	must(t, err)
	f.as(switchboard.RoleSupport, "").get(linkDelivery(own["deliveries"])).want(t, http.StatusOK, "Zoe of the platform")
	pages := 0
	for _, role := range []switchboard.Role{switchboard.RoleIntegrator, switchboard.RoleViewer} {
		bob := f.portal("globex", role)
		for _, r := range f.console.routes() {
			path, isGet := strings.CutPrefix(r.pattern, "GET ")
			if !isGet {
				continue
			}
			path, _, _ = own.fill(t, strings.ReplaceAll(path, "{$}", ""))
			path = strings.NewReplacer("{platform}", "iomnihub", "{type}", "ticket.created").Replace(path)
			got := bob.get(path)
			if got.status != http.StatusOK {
				continue
			}
			pages++
			for _, name := range []string{"initech", "temporal.example.com", "Zoe of the platform", "10.9.8.7"} {
				if strings.Contains(got.body, name) {
					t.Errorf("%s as %s names %s", path, role, name)
				}
			}
		}
	}
	if pages < 6 {
		t.Fatalf("%d pages: the test looks in the wrong place", pages)
	}
}

// TestLongForms: no form is read beyond its limit, in any encoding.
func TestLongForms(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme")
	path := linkSubscriptionAction(sub.ID, "pause")
	post := func(p *person, path string, length int) (asURL, asParts shown) {
		t.Helper()
		text := strings.Repeat("a", length)
		var parts bytes.Buffer
		form := multipart.NewWriter(&parts)
		file, err := form.CreateFormFile("reason", "reason.txt")
		must(t, err)
		_, err = file.Write([]byte(text))
		must(t, err)
		must(t, form.Close())
		return p.post(path, url.Values{"reason": {text}}), p.sendBody(http.MethodPost, path, &parts, "Content-Type", form.FormDataContentType())
	}
	for name, c := range map[string]struct {
		person *person
		path   string
		limit  int
	}{"of somebody": {f.as(switchboard.RoleSupport, ""), path, maxForm}, "of a stranger": {f.nobody(), "/console/sign-in", maxStrangersForm}, "of a link": {f.nobody(), linkEnter(), maxStrangersForm}} {
		for length, want := range map[int]int{100: http.StatusUnprocessableEntity, c.limit: http.StatusRequestEntityTooLarge} {
			asURL, asParts := post(c.person, c.path, length)
			if length == 100 && name == "of somebody" {
				asURL.want(t, http.StatusSeeOther)
			} else {
				asURL.want(t, want)
			}
			asParts.want(t, want)
		}
	}
	f.as(switchboard.RoleSupport, "").post(path+"?a=%zz", url.Values{"reason": {"because"}}).want(t, http.StatusUnprocessableEntity, "the form cannot be read")
}

// TestNoPayloadOnAnyPage: no route shows a byte of a payload to a person who may not read it, and
// some show payloads to those who may.
func TestNoPayloadOnAnyPage(t *testing.T) {
	t.Parallel()
	const mark = "pAyLoAdMaRk"
	f := newFixture(t)
	own := f.populate("globex")
	sub := f.subscribe("globex", func(s *switchboard.Subscription) {
		s.Name = "Marked"
		s.Request.URL, s.Request.Headers = "https://crm.example.com/"+mark+"?token="+mark, switchboard.Headers{"X-Env": mark}
	})
	own["subscriptions"], own["events"] = sub.ID, "order-mark"
	for _, d := range f.accept("globex", own["events"], `{"`+mark+`":"`+mark+`"}`) {
		if d.SubscriptionID == sub.ID {
			outcome := answeredWith(http.StatusServiceUnavailable, mark)
			f.attemptThat(sub, d, outcome, switchboard.SentRequest{Method: "POST", URL: sub.Request.URL, Headers: map[string]string{"X-Env": mark}})
			own["deliveries"] = d.ID
		}
	}
	people := map[string]*person{"a customer": f.portal("globex", switchboard.RoleViewer)}
	for _, role := range []switchboard.Role{switchboard.RoleSupport, switchboard.RoleViewer, switchboard.RoleIntegrator} {
		people[string(role)] = f.as(role, "", func(k *switchboard.Key) { k.ReadPayload = false })
	}
	reader, shows, parts := f.as(switchboard.RoleAdmin, ""), 0, 0
	queries := []string{"", "?tenant=globex", "?tab=settings", "?tab=failing", "?tab=changes", "?download=1", "?event_id=order-mark", "?attempts=all"}
	for _, part := range f.console.allParts() {
		queries = append(queries, "?part="+part) // what pages request while they are open
	}
	for _, r := range f.console.routes() {
		path, isGet := strings.CutPrefix(r.pattern, "GET ")
		if !isGet {
			continue
		}
		path, _, _ = own.fill(t, strings.ReplaceAll(path, "{$}", ""))
		path = strings.NewReplacer("{platform}", "iomnihub", "{type}", "ticket.created").Replace(path)
		for _, query := range queries {
			got := reader.get(path + query)
			if got.status != http.StatusOK && query != "" {
				continue // no such page
			}
			if strings.Contains(got.body, mark) {
				shows++
				if strings.HasPrefix(query, "?part=") {
					parts++
				}
			}
			for name, p := range people {
				if got := p.get(path + query); strings.Contains(got.body, mark) {
					t.Errorf("%s%s shows a payload to %s", path, query, name)
				}
			}
		}
	}
	if shows < 8 || parts < 3 {
		t.Errorf("only %d pages, of which %d are parts, show a payload to whoever may read it: the search proves nothing", shows, parts)
	}
}

// allParts are the blocks of any page that may be requested.
func (c *Console) allParts() []string {
	names := map[string]bool{}
	for _, p := range c.pages {
		for _, part := range p.parts {
			names[part] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
