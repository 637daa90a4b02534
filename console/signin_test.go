package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// key makes a key with the role, and returns it with its text.
func (f *fixture) key(role switchboard.Role, tenant string) (switchboard.Key, string) {
	f.t.Helper()
	text := switchboard.NewKeyText()
	made, err := f.store.CreateKey(f.t.Context(), operator(), switchboard.Key{Name: "shared", Role: role, Tenant: tenant, ReadPayload: true}, text)
	must(f.t, err)
	return made, text.Reveal()
}

// signIn is the sign-in form.
func signInForm(key, name, next string) url.Values {
	return url.Values{"key": {key}, "name": {name}, "next": {next}}
}

// holder is the person with the cookie that an answer sets.
func (f *fixture) holder(s shown) *person {
	f.t.Helper()
	for _, c := range (&http.Response{Header: s.header}).Cookies() {
		if c.Name == sessionCookie && c.MaxAge >= 0 {
			return &person{f: f, cookie: c.Name + "=" + c.Value}
		}
	}
	f.t.Fatalf("no session: %d %s", s.status, s.body)
	return nil
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	made, text := f.key(switchboard.RoleSupport, "")
	f.nobody().get("/console/sign-in?next=/console/audit").want(t, http.StatusOK, `name="key"`, `name="name"`, `value="/console/audit"`)
	got := f.nobody().post("/console/sign-in", signInForm(text, "Ana", "/console/audit?verb=retry")).want(t, http.StatusSeeOther)
	if to := got.header.Get("Location"); to != "/console/audit?verb=retry" {
		t.Errorf("leads to %s", to)
	}
	cookie := got.header.Get("Set-Cookie")
	for _, flag := range []string{"__Host-switchboard=", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"} {
		if !strings.Contains(cookie, flag) {
			t.Errorf("the cookie lacks %s: %s", flag, cookie)
		}
	}
	if strings.Contains(cookie, "Domain") {
		t.Errorf("the cookie has a domain: %s", cookie)
	}
	ana := f.holder(got)
	ana.get("/console/audit").want(t, http.StatusOK, "Ana", "create session", "(says)")
	if strings.Contains(f.logs.String(), text) || strings.Contains(f.logs.String(), strings.TrimPrefix(ana.cookie, sessionCookie+"=")) {
		t.Error("a credential is in the log")
	}

	// A new sign-in begins a new session, and ends the previous one.
	again := f.holder(ana.post("/console/sign-in", signInForm(text, "Ana", "")))
	if again.cookie == ana.cookie {
		t.Error("the session is the same")
	}
	ana.get("/console/audit").want(t, http.StatusSeeOther)
	again.get("/console/audit").want(t, http.StatusOK)

	// Revoking a key ends its sessions at the next request.
	_, err := f.store.RevokeKey(t.Context(), operator(), made.ID, "r")
	must(t, err)
	again.get("/console/audit").want(t, http.StatusSeeOther)
}

// TestFixation: a token that a browser brings never becomes a session.
func TestFixation(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, text := f.key(switchboard.RoleSupport, "")
	planted := &person{f: f, cookie: sessionCookie + "=" + switchboard.NewSessionToken().Reveal()}
	in := f.holder(planted.post("/console/sign-in", signInForm(text, "Ana", "")))
	if in.cookie == planted.cookie {
		t.Error("the planted token is kept")
	}
	planted.get("/console").want(t, http.StatusSeeOther)
	in.get("/console").want(t, http.StatusOK)
}

// TestWrongKeys get the same answer, whatever is wrong. The eleventh from an address must wait.
func TestWrongKeys(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { at := time.Now(); c.Now = func() time.Time { return at } })
	revoked, text := f.key(switchboard.RoleAdmin, "")
	_, err := f.store.RevokeKey(t.Context(), operator(), revoked.ID, "r")
	must(t, err)
	_, good := f.key(switchboard.RoleAdmin, "")
	_, publisher := f.key(switchboard.RolePublisher, "")
	f.nobody().post("/console/sign-in", signInForm(publisher, "Ana", "")).want(t, http.StatusForbidden, "has the role publisher")
	f.nobody().post("/console/sign-in", signInForm(good, " ", "")).want(t, http.StatusUnprocessableEntity, "say who you are")
	f.nobody().post("/console/sign-in", signInForm(good, strings.Repeat("a", 129), "")).want(t, http.StatusUnprocessableEntity)
	for i := range 10 {
		key := []string{text, "", "sbk_unknown", good + "x"}[i%4]
		got := f.nobody().post("/console/sign-in", signInForm(key, "Ana", "")).want(t, http.StatusUnprocessableEntity, "is unknown, expired or revoked")
		if got.header.Get("Set-Cookie") != "" || key != "" && strings.Contains(got.body, key) {
			t.Errorf("try %d: %v %s", i, got.header, got.body)
		}
	}
	got := f.nobody().post("/console/sign-in", signInForm(good, "Ana", "")).want(t, http.StatusTooManyRequests, "too many tries")
	if got.header.Get("Retry-After") != "6" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
	f.nobody().post("/console/enter", url.Values{"token": {"x"}}).want(t, http.StatusTooManyRequests)
}

// TestTries: an address has ten tries a minute, all together have a hundred, and they come back
// with time.
func TestTries(t *testing.T) {
	t.Parallel()
	tries, err := newTries()
	must(t, err)
	now := time.Now()
	for range triesOfOne {
		if tries.wait("192.0.2.1", now) != 0 {
			t.Fatal("it has to wait already")
		}
		tries.failed("192.0.2.1", now)
	}
	for address, waits := range map[string]bool{"192.0.2.1": true, "192.0.2.2": false, "2001:db8::1": false} {
		if got := tries.wait(address, now) > 0; got != waits {
			t.Errorf("%s waits: %v", address, got)
		}
	}
	if tries.wait("192.0.2.1", now.Add(6*time.Second)) != 0 {
		t.Error("a tenth of a minute gives back no try")
	}
	for range triesOfOne {
		tries.failed("2001:db8::1", now)
	}
	if tries.wait("2001:db8::2", now) == 0 {
		t.Error("the same network has more tries")
	}
	for i := range triesOfAll {
		tries.failed(string(rune('a'+i)), now)
	}
	if tries.wait("192.0.2.9", now) == 0 {
		t.Error("all together have more tries")
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana := f.as(switchboard.RoleSupport, "")
	page := ana.get("/console").want(t, http.StatusOK)
	if page.header.Get("Cache-Control") != "no-store" {
		t.Error("the page may be kept")
	}
	if got := ana.get("/console/sign-out"); got.status == http.StatusOK || got.header.Get("Set-Cookie") != "" {
		t.Errorf("GET signs out: %d", got.status)
	}
	got := ana.post("/console/sign-out", url.Values{}).want(t, http.StatusSeeOther)
	if got.header.Get("Clear-Site-Data") != `"cache"` || !strings.Contains(got.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("%v", got.header)
	}
	ana.get("/console").want(t, http.StatusSeeOther) // with the cookie, which may have been stolen
	f.as(switchboard.RoleSupport, "").get("/console/audit?kind=session&verb=delete").want(t, http.StatusOK, ana.session.ID, "Ana", "127.0.0.1")
}

// TestSafeNext: the sign-in leads to pages of the console only.
func TestSafeNext(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, text := f.key(switchboard.RoleSupport, "")
	for next, want := range map[string]string{
		"/console/deliveries?state=failed": "/console/deliveries?state=failed",
		"":                                 "/console",
		"//evil.example.com":               "/console",
		"//evil.example.com/console/":      "/console",
		"https://evil.example.com":         "/console",
		`/\evil.example.com`:               "/console",
		`/console/\evil`:                   "/console",
		"/v1/keys":                         "/console",
		"/console/../v1/keys":              "/console",
		"javascript:alert(1)":              "/console",
		"/console/\r\nSet-Cookie: a=b":     "/console",
	} {
		got := f.nobody().post("/console/sign-in", signInForm(text, "Ana", next)).want(t, http.StatusSeeOther)
		if to := got.header.Get("Location"); to != want {
			t.Errorf("%q leads to %q", next, to)
		}
	}
}

// TestPlainHTTP: if the browser will not keep the session, the page says so.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		host, site string
		want       bool
	}{
		{"switchboard.example.com", "", true},
		{"switchboard.example.com:8080", "", true},
		{"10.1.2.3:8080", "", true},
		{"switchboard.example.com", "none", false}, // https at the proxy
		{"127.0.0.1:8080", "", false},
		{"[::1]:8080", "", false},
		{"localhost:8080", "", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://"+c.host+"/console/sign-in", nil)
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		if got := comesPlain(r); got != c.want {
			t.Errorf("%s %s: %v", c.host, c.site, got)
		}
	}
}

// TestNoKeys: if people may not sign in with keys, existing sessions of keys end too.
func TestNoKeys(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.NoKeys = true })
	_, text := f.key(switchboard.RoleAdmin, "")
	f.nobody().get("/console/sign-in").want(t, http.StatusOK, "Signing in with a key is turned off here").without(t, `name="key"`)
	f.nobody().post("/console/sign-in", signInForm(text, "Ana", "")).want(t, http.StatusForbidden)
	f.as(switchboard.RoleAdmin, "").get("/console").want(t, http.StatusSeeOther)
	f.portal("acme", switchboard.RoleIntegrator).get("/console/audit").want(t, http.StatusOK)
}
