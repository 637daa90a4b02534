package webhook

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

func TestThroughTheProxy(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	secure, _, _ := mutual(t, ca) // wants a client certificate, and answers with its name
	anna := ca.client(t, "anna", time.Now().Add(time.Hour))
	plain := named(newRecorder(t).url)
	plainPort := portOf(t, strings.TrimPrefix(plain, "http://"))
	const agent = " Switchboard/1.2.3 (webhook)"
	starts := map[string]func(t *testing.T, p *egressProxy) string{
		"http": func(t *testing.T, p *egressProxy) string {
			p.credentials = "us er:p@ss/wörd"
			return serveProxy(t, p, "us%20er:p%40ss%2Fw%C3%B6rd@")
		},
		"https": func(t *testing.T, p *egressProxy) string { return serveSecureProxy(t, p, ca) },
	}
	for scheme, start := range starts {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			p := &egressProxy{}
			s := behind(t, start(t, p), func(c *Config) { c.RootCAs = ca.pool() })
			for _, method := range []string{"POST", "GET"} { // on one connection
				w := workWith(secure, anna)
				w.Subscription.Request.Method = method
				if o := attempt(t, s, w, plenty); o.StatusCode != 200 || !strings.HasPrefix(string(o.Response.Body), "anna ") || !strings.HasSuffix(string(o.Response.Body), " HTTP/2.0") {
					t.Errorf("%s: %+v; want an answer to anna over HTTP/2.0", method, o)
				}
			}
			if o := send(t, s, plain+"/hook?a=1", plenty); o.StatusCode != 200 {
				t.Errorf("%+v; want 200", o)
			}
			l := newLogin(t, &login{})
			auth := l.auth()
			auth.TokenURL = named(auth.TokenURL)
			if o := attempt(t, s, workWith(plain, auth), plenty); o.StatusCode != 200 || l.issued.Load() != 1 {
				t.Errorf("%+v with %d tokens; want 200 with one", o, l.issued.Load())
			}
			if err := s.CheckAuth(t.Context(), workWith(plain, auth).Subscription); err != nil {
				t.Error(err)
			}
			url, _, _ := challenged(t, bare)
			if err := s.Challenge(t.Context(), work(named(url)).Subscription); err != nil {
				t.Error(err)
			}
			want := []string{
				"CONNECT receiver.test" + agent, "POST http://receiver.test/hook?a=1" + agent,
				"POST http://receiver.test/token?tenant=s3cret" + agent, "POST http://receiver.test/" + agent,
				"POST http://receiver.test/token?tenant=s3cret" + agent, "POST http://receiver.test/" + agent,
			}
			if got := strings.Join(p.requests(), "\n"); got != strings.Join(want, "\n") {
				t.Errorf("the proxy saw\n%s\nwant\n%s", got, strings.Join(want, "\n"))
			}
		})
	}
	t.Run("socks5", func(t *testing.T) {
		t.Parallel()
		asked := make(chan string, 10)
		s := behind(t, "socks5://us%20er:s3cret@"+listen(t, serveSOCKS(asked)), func(c *Config) { c.RootCAs = ca.pool() })
		if o := attempt(t, s, workWith(secure, anna), plenty); o.StatusCode != 200 || !strings.HasPrefix(string(o.Response.Body), "anna ") {
			t.Errorf("%+v; want an answer to anna", o)
		}
		if o := send(t, s, plain, plenty); o.StatusCode != 200 {
			t.Errorf("%+v; want 200", o)
		}
		<-asked
		if got := <-asked; got != "us er:s3cret receiver.test:"+plainPort {
			t.Errorf("the proxy was asked for %s", got)
		}
	})
}

// TestProxyGuardsTogetherWithUs: the proxy judges names, and we also judge addresses.
func TestProxyGuardsTogetherWithUs(t *testing.T) {
	t.Parallel()
	p := &egressProxy{}
	s := behind(t, serveProxy(t, p, ""), nil)
	for _, host := range []string{"127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "localhost", "a.localhost", "metadata.google.internal", "127.1", "0x7f.1", "2130706433", "[64:ff9b::a00:1]", "１２７.０.０.１"} {
		for _, scheme := range []string{"http", "https"} {
			if o := send(t, s, scheme+"://"+host+"/", plenty); o.Failure != switchboard.FailureForbidden || !o.Permanent {
				t.Errorf("%s://%s: %+v; want a forbidden address for good", scheme, host, o)
			}
		}
		if _, err := s.guard.Check(t.Context(), "https://"+host); err == nil {
			t.Errorf("%s may be saved", host)
		}
	}
	if got := p.requests(); len(got) > 0 {
		t.Errorf("the proxy was asked %q", got)
	}
	if warning, err := s.guard.Check(t.Context(), "https://receiver.test"); err != nil || warning != "" {
		t.Errorf("%q, %v; want the name to pass", warning, err)
	}
}

// TestProxyRefuses: an answer of the proxy is not an answer of the receiver.
func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	const none = "the egress proxy made no connection to the host"
	says := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "s3cret")
		}
	}
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, text)
				_ = conn.Close()
			}
		}
	}
	tests := map[string]struct {
		instead http.HandlerFunc
		failure switchboard.Failure
		detail  string
	}{
		"forbidden":      {says(403), switchboard.FailureForbidden, "the egress proxy answered 403 instead of connecting to the host"},
		"Smokescreen":    {says(407), switchboard.FailureForbidden, "the egress proxy answered 407 instead of connecting to the host"},
		"unreachable":    {says(502), switchboard.FailureConnect, "the egress proxy answered 502 instead of connecting to the host"},
		"Squid":          {says(503), switchboard.FailureConnect, "the egress proxy answered 503 instead of connecting to the host"},
		"too late":       {says(504), switchboard.FailureConnectTimeout, "the egress proxy answered 504 instead of connecting to the host"},
		"not allowed":    {says(405), switchboard.FailureConnect, "the egress proxy answered 405 instead of connecting to the host"},
		"redirect":       {says(302), switchboard.FailureConnect, "the egress proxy answered 302 instead of connecting to the host"},
		"no status":      {raw("s3cret\r\n\r\n"), switchboard.FailureConnect, none},
		"half an answer": {raw("HTTP/1.1 200 s3c"), switchboard.FailureConnect, none},
		"closes":         {raw(""), switchboard.FailureConnect, none},
		"silent":         {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, switchboard.FailureConnectTimeout, none + " within "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := behind(t, serveProxy(t, &egressProxy{instead: test.instead}, ""), nil)
			detail, limit := test.detail, plenty
			o := attemptThroughProxy(t, s, "https://receiver.test/?token=s3cret", &limit, name == "silent")
			want(t, o, test.failure)
			if name == "silent" {
				detail += limit.String()
			}
			if o.Detail != detail || o.Permanent {
				t.Errorf("%+v; want %s", o, detail)
			}
		})
	}
	t.Run("of a receiver that is away", func(t *testing.T) {
		t.Parallel()
		_, closed := bound(t)
		s := behind(t, serveProxy(t, &egressProxy{}, ""), nil)
		want(t, send(t, s, "https://"+strings.Replace(closed, "127.0.0.1", "receiver.test", 1), plenty), switchboard.FailureConnect)
	})
}

// attemptThroughProxy makes an attempt, which must not be interrupted. A short one has a short
// limit, and a longer one if the proxy was not reached in that time. It returns the limit.
func attemptThroughProxy(t *testing.T, s *Sender, url string, limit *time.Duration, short bool) switchboard.Outcome {
	t.Helper()
	if !short {
		return send(t, s, url, *limit)
	}
	var err error
	o := shortly(func(l time.Duration) (o switchboard.Outcome) {
		*limit = l
		_, o, err = s.Attempt(t.Context(), work(url), time.Now(), l)
		return o
	}, func(switchboard.Outcome) bool { return err == nil })
	if err != nil {
		t.Fatalf("Attempt: %v", err)
	}
	return o
}

// TestConnectionToASilentProxyEnds: a finished attempt leaves no connection behind.
func TestConnectionToASilentProxyEnds(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "socks5"} {
		for _, target := range []string{"https://receiver.test", "http://receiver.test"} {
			closed, limit := make(chan struct{}, 10), soon
			s := behind(t, scheme+"://"+listen(t, func(conn net.Conn) {
				_, _ = io.Copy(io.Discard, conn)
				closed <- struct{}{}
			}), nil)
			if o := attemptThroughProxy(t, s, target, &limit, true); o.StatusCode != 0 {
				t.Errorf("%s, %s: %+v", scheme, target, o)
			}
			select {
			case <-closed:
			case <-time.After(plenty):
				t.Errorf("%s, %s: the connection is still open", scheme, target)
			}
		}
	}
}

// TestProxyAwayIsOurs: an unusable proxy uses up no attempt, and says nothing about the receiver.
func TestProxyAwayIsOurs(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t), newAuthority(t)
	_, closed := bound(t)
	plainPort := listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }) // accepts, but never speaks TLS
	tests := map[string]struct {
		proxy   string
		timeout time.Duration
	}{
		"nobody listens":               {"http://" + closed, plenty},
		"drops packets":                {"http://" + fullListener(t), plenty},
		"drops packets, short attempt": {"http://" + fullListener(t), soon},
		"has no address":               {"http://proxy.invalid", plenty},
		"SOCKS, nobody listens":        {"socks5://" + closed, plenty},
		"TLS, nobody listens":          {"https://" + closed, plenty},
		"TLS, silent":                  {"https://" + plainPort, plenty},
		"TLS, silent, short attempt":   {"https://" + plainPort, soon},
		"TLS, of another authority":    {serveSecureProxy(t, &egressProxy{}, stranger), plenty},
		"wants other credentials":      {serveProxy(t, &egressProxy{credentials: "other:other"}, "user:s3cret@"), plenty},
		"wants credentials, has none":  {serveProxy(t, &egressProxy{credentials: "other:other"}, ""), plenty},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := behind(t, test.proxy, func(c *Config) {
				c.RootCAs = ca.pool()
				if test.timeout == plenty {
					c.ConnectTimeout = soon
				}
			})
			targets := []string{"https://receiver.test"}
			if !strings.HasPrefix(name, "wants") { // to plain HTTP, this is an answer
				targets = append(targets, "http://receiver.test")
			}
			for _, target := range targets {
				_, o, err := s.Attempt(t.Context(), work(target), time.Now(), test.timeout)
				interrupted, ok := errors.AsType[*Interrupted](err)
				if !ok || interrupted.Sent || o.Failure != switchboard.FailureUnknown || switchboard.CodeOf(err) != switchboard.CodeUnavailable {
					t.Fatalf("%s: %+v, %v; want an interruption before anything was sent", target, o, err)
				}
				if strings.Contains(err.Error(), "s3cret") {
					t.Errorf("the error shows the password: %v", err)
				}
			}
			if test.timeout == soon {
				return
			}
			if err := s.Challenge(t.Context(), work("https://receiver.test").Subscription); switchboard.CodeOf(err) != switchboard.CodeUnavailable {
				t.Errorf("Challenge: %v; want unavailable", err)
			}
			auth := (&login{url: "https://login.test/token"}).auth()
			_, _, err := s.Attempt(t.Context(), workWith("https://receiver.test", auth), time.Now(), test.timeout)
			if _, ok := errors.AsType[*Interrupted](err); !ok {
				t.Errorf("with a token endpoint: %v; want an interruption", err)
			}
			if err := s.CheckAuth(t.Context(), workWith("https://receiver.test", auth).Subscription); switchboard.CodeOf(err) != switchboard.CodeUnavailable {
				t.Errorf("CheckAuth: %v; want unavailable", err)
			}
		})
	}
}

func TestParseProxy(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"http://proxy:3128", "https://proxy", "http://10.0.0.1:8080/", "http://user:s3cret@proxy:1", "socks5://[::1]:1080", "socks5h://proxy:1", "HTTP://proxy"} {
		if _, err := ParseProxy(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "proxy:3128", "10.0.0.1:3128", "http://", "http://:3128", "ftp://user:s3cret@proxy", "socks4://proxy", "http://user:s3cret@proxy/path",
		"http://user:s3cret@proxy?x", "http://user:s3cret@proxy:port", "http://user:s3cr%et@proxy", "http://user:s3cret@proxy#x", "http://us er:s3cret@proxy\x7f",
		"http://proxy:0", "http://proxy:99999",
	} {
		if u, err := ParseProxy(bad); err == nil {
			t.Errorf("%s is taken: %s", bad, u)
		} else if strings.Contains(err.Error(), "s3cr") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}
