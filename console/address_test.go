package console

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"
)

// behind puts proxies with those addresses in front of the console, which sign nobody in.
func behind(cidr string) func(*Config) {
	return func(c *Config) { c.Proxies = []netip.Prefix{netip.MustParsePrefix(cidr)} }
}

// TestAddressOf: only our proxies' X-Forwarded-For counts, and only what they have added.
func TestAddressOf(t *testing.T) {
	t.Parallel()
	c := &Console{}
	behind("10.0.0.0/8")(&c.Config)
	for _, v := range []struct {
		peer      string
		forwarded []string // a header each
		want      string
	}{
		{"192.0.2.1:5000", []string{"198.51.100.1"}, "192.0.2.1"},
		{"192.0.2.1:5000", []string{"198.51.100.1, 10.0.0.2"}, "192.0.2.1"},
		{"10.0.0.1:5000", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:5000", []string{"198.51.100.1, 10.0.0.2,10.0.0.3"}, "198.51.100.1"},
		{"10.0.0.1:5000", []string{"6.6.6.6, 198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:5000", []string{"6.6.6.6", "198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		{"10.0.0.1:5000", []string{"10.0.0.7, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"10.0.0.1:5000", []string{"nobody, 198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:5000", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"10.0.0.1:5000", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"10.0.0.1:5000", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"[::ffff:10.0.0.1]:5000", []string{"2001:db8::1"}, "2001:db8::1"},
		{"10.0.0.1:5000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"10.0.0.1:5000", nil, "10.0.0.1"},
		{"10.0.0.1:5000", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"10.0.0.1:5000", []string{"198.51.100.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"10.0.0.1:5000", []string{"198.51.100.1,"}, "10.0.0.1"},
		{"10.0.0.1:5000", []string{",,"}, "10.0.0.1"},
		{"@", []string{"198.51.100.1"}, "@"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/console", nil)
		r.RemoteAddr, r.Header["X-Forwarded-For"] = v.peer, v.forwarded
		if got := c.addressOf(r); got != v.want {
			t.Errorf("%v: %s", v, got)
		}
	}
}

// TestTriesBehindProxy: people behind our proxy have separate tries. Nobody gets more tries, or
// uses up another person's, by writing addresses into X-Forwarded-For.
func TestTriesBehindProxy(t *testing.T) {
	t.Parallel()
	form := url.Values{"key": {"sbk_wrong"}, "name": {"Eve"}}
	for name, c := range map[string]struct {
		cidr     string // of the proxies
		mine     string // address of the person who tries, after their tries are used up
		others   string // address of somebody else
		statusOf int    // the status that they get
	}{
		"another address":      {"127.0.0.0/8", "198.51.100.1", "198.51.100.2", http.StatusUnprocessableEntity},
		"as if it were ours":   {"127.0.0.0/8", "127.0.0.9, 198.51.100.1", "198.51.100.2", http.StatusUnprocessableEntity},
		"as if it were theirs": {"127.0.0.0/8", "198.51.100.2, 198.51.100.1", "198.51.100.2", http.StatusUnprocessableEntity},
		"past the proxy":       {"10.0.0.0/8", "198.51.100.3", "198.51.100.2", http.StatusTooManyRequests},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, behind(c.cidr), func(c *Config) { at := time.Now(); c.Now = func() time.Time { return at } }) // tries come back with time
			for range triesOfOne {
				f.nobody().post("/console/sign-in", form, "X-Forwarded-For", "198.51.100.1").want(t, http.StatusUnprocessableEntity)
			}
			f.nobody().post("/console/sign-in", form, "X-Forwarded-For", c.mine).want(t, http.StatusTooManyRequests)
			f.nobody().post("/console/sign-in", form, "X-Forwarded-For", c.others).want(t, c.statusOf)
		})
	}
}
