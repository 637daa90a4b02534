package webhook

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard"
)

// egressProxy is an HTTP proxy for which every host is this machine.
type egressProxy struct {
	credentials string           // "user:password"; empty: it asks for none
	instead     http.HandlerFunc // answers in place of it; may be nil

	mu   sync.Mutex
	seen []string // request lines and user agents
}

func (p *egressProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.seen = append(p.seen, r.Method+" "+r.RequestURI+" "+r.UserAgent())
	p.mu.Unlock()
	user, password, _ := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
	switch {
	case p.instead != nil:
		p.instead(w, r)
	case p.credentials != "" && user+":"+password != p.credentials:
		w.Header().Set("Proxy-Authenticate", "Basic")
		w.WriteHeader(http.StatusProxyAuthRequired)
	case r.Method == http.MethodConnect:
		tunnel(w, r)
	default:
		forward(w, r)
	}
}

// requests returns what has come to it, without the ports.
func (p *egressProxy) requests() (lines []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.seen {
		method, rest, _ := strings.Cut(line, " ")
		target, agent, _ := strings.Cut(rest, " ")
		if before, after, found := strings.Cut(target, ".test:"); found {
			target = before + ".test" + strings.TrimLeft(after, "0123456789")
		}
		lines = append(lines, method+" "+target+" "+agent)
	}
	return lines
}

func local(hostPort string) string { return "127.0.0.1" + hostPort[strings.LastIndex(hostPort, ":"):] }

func tunnel(w http.ResponseWriter, r *http.Request) {
	to, err := net.Dial("tcp", local(r.Host))
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	from, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n")
	join(from, to)
}

// join passes on what each of the two sends until one has ended.
func join(one, other net.Conn) {
	var copying sync.WaitGroup
	for _, pair := range [][2]net.Conn{{one, other}, {other, one}} {
		copying.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
		})
	}
	copying.Wait()
}

func forward(w http.ResponseWriter, r *http.Request) {
	r.RequestURI, r.URL.Host = "", local(r.URL.Host)
	r.Header.Del("Proxy-Authorization")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

// noNames is a resolver that must not be asked.
type noNames struct{ t *testing.T }

func (n noNames) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.t.Errorf("the name %s is looked up here", host)
	return nil, errors.New("not here")
}

// behind returns a sender that reaches receivers through the proxy at that URL, and whose
// guard would not let it reach the proxy otherwise.
func behind(t *testing.T, proxy string, change func(*Config)) *Sender {
	t.Helper()
	return setup(t, func(c *Config) {
		u, err := ParseProxy(proxy)
		if err != nil {
			t.Fatal(err)
		}
		c.Guard = GuardConfig{Proxy: u}.New()
		c.Guard.resolver = noNames{t}
		if change != nil {
			change(c)
		}
	})
}

// serveProxy starts the proxy and returns its URL with these credentials in it.
func serveProxy(t *testing.T, p *egressProxy, credentials string) string {
	t.Helper()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "http://", "http://"+credentials, 1)
}

// serveSecureProxy starts the proxy at an https:// URL. It would speak HTTP/2 too.
func serveSecureProxy(t *testing.T, p *egressProxy, ca *authority) string {
	t.Helper()
	server := httptest.NewUnstartedServer(p)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, VerifyConnection: func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) > 0 {
			t.Error("the proxy is shown the receiver's client certificate")
		}
		return nil
	}, Certificates: []tls.Certificate{ca.issue(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} })}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// named is the URL of a server of this machine under a name that the proxy alone knows.
func named(rawURL string) string { return strings.Replace(rawURL, "127.0.0.1", "receiver.test", 1) }

func TestThroughTheProxy(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	secure, _, _ := mutual(t, ca) // wants a client certificate, and answers with its name
	anna := ca.client(t, "anna", time.Now().Add(time.Hour))
	plain := named(newRecorder(t).url)
	_, plainPort, _ := net.SplitHostPort(strings.TrimPrefix(plain, "http://"))
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
			for _, method := range []string{"POST", "GET"} { // GET has a connection of its own
				w := authorized(secure, anna)
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
			if o := attempt(t, s, authorized(plain, auth), plenty); o.StatusCode != 200 || l.issued.Load() != 1 {
				t.Errorf("%+v with %d tokens; want 200 with one", o, l.issued.Load())
			}
			if err := s.CheckAuth(t.Context(), authorized(plain, auth).Subscription); err != nil {
				t.Error(err)
			}
			url, _, _ := challenged(t, bare)
			if err := s.Challenge(t.Context(), work(named(url)).Subscription); err != nil {
				t.Error(err)
			}
			want := []string{
				"CONNECT receiver.test" + agent, "CONNECT receiver.test" + agent, "POST http://receiver.test/hook?a=1" + agent,
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
		if o := attempt(t, s, authorized(secure, anna), plenty); o.StatusCode != 200 || !strings.HasPrefix(string(o.Response.Body), "anna ") {
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

// serveSOCKS speaks as much of RFC 1928 and RFC 1929 as a client with a password needs, for
// hosts that all are this machine.
func serveSOCKS(asked chan<- string) func(net.Conn) {
	return func(conn net.Conn) {
		r := bufio.NewReader(conn)
		field := func() string {
			n, _ := r.ReadByte()
			text := make([]byte, n)
			_, _ = io.ReadFull(r, text)
			return string(text)
		}
		_, _ = r.ReadByte() // version
		_ = field()         // methods
		_, _ = conn.Write([]byte{5, 2})
		_, _ = r.ReadByte() // version
		credentials := field() + ":" + field()
		_, _ = conn.Write([]byte{1, 0})
		_, _ = r.Discard(4) // version, command, reserved, kind of address
		host := field()
		var port [2]byte
		_, _ = io.ReadFull(r, port[:])
		target := fmt.Sprintf("%s:%d", host, binary.BigEndian.Uint16(port[:]))
		asked <- credentials + " " + target
		to, err := net.Dial("tcp", local(target))
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		join(conn, to)
	}
}

// TestProxyGuardsTogetherWithUs: names are the proxy's to judge, addresses are ours too.
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

// TestProxyRefuses: what the proxy answers is no answer of the receiver's.
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
		timeout time.Duration
		failure switchboard.Failure
		detail  string
	}{
		"forbidden":      {says(403), plenty, switchboard.FailureForbidden, "the egress proxy answered 403 instead of connecting to the host"},
		"Smokescreen":    {says(407), plenty, switchboard.FailureForbidden, "the egress proxy answered 407 instead of connecting to the host"},
		"unreachable":    {says(502), plenty, switchboard.FailureConnect, "the egress proxy answered 502 instead of connecting to the host"},
		"Squid":          {says(503), plenty, switchboard.FailureConnect, "the egress proxy answered 503 instead of connecting to the host"},
		"too late":       {says(504), plenty, switchboard.FailureConnectTimeout, "the egress proxy answered 504 instead of connecting to the host"},
		"not allowed":    {says(405), plenty, switchboard.FailureConnect, "the egress proxy answered 405 instead of connecting to the host"},
		"redirect":       {says(302), plenty, switchboard.FailureConnect, "the egress proxy answered 302 instead of connecting to the host"},
		"no status":      {raw("s3cret\r\n\r\n"), plenty, switchboard.FailureConnect, none},
		"half an answer": {raw("HTTP/1.1 200 s3c"), plenty, switchboard.FailureConnect, none},
		"closes":         {raw(""), plenty, switchboard.FailureConnect, none},
		"silent":         {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, soon, switchboard.FailureConnectTimeout, none + " within 300ms"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := behind(t, serveProxy(t, &egressProxy{instead: test.instead}, ""), nil)
			o := send(t, s, "https://receiver.test/?token=s3cret", test.timeout)
			want(t, o, test.failure)
			if o.Detail != test.detail || o.Permanent {
				t.Errorf("%+v; want %s", o, test.detail)
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

// TestProxyAwayIsOurs: it uses up no attempt, and says nothing of the receiver.
func TestProxyAwayIsOurs(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t), newAuthority(t)
	_, closed := bound(t)
	plainPort := listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }) // accepts, and never says a word of TLS
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
			if !strings.HasPrefix(name, "wants") { // to plain HTTP that is an answer
				targets = append(targets, "http://receiver.test")
			}
			for _, target := range targets {
				_, o, err := s.Attempt(t.Context(), work(target), time.Now(), test.timeout)
				interrupted, ok := errors.AsType[*Interrupted](err)
				if !ok || interrupted.Sent || o.Failure != switchboard.FailureUnknown || switchboard.CodeOf(err) != switchboard.Unavailable {
					t.Fatalf("%s: %+v, %v; want an interruption before anything was sent", target, o, err)
				}
				if strings.Contains(err.Error(), "s3cret") {
					t.Errorf("the error shows the password: %v", err)
				}
			}
			if test.timeout == soon {
				return
			}
			if err := s.Challenge(t.Context(), work("https://receiver.test").Subscription); switchboard.CodeOf(err) != switchboard.Unavailable {
				t.Errorf("Challenge: %v; want unavailable", err)
			}
			auth := (&login{url: "https://login.test/token"}).auth()
			_, _, err := s.Attempt(t.Context(), authorized("https://receiver.test", auth), time.Now(), test.timeout)
			if _, ok := errors.AsType[*Interrupted](err); !ok {
				t.Errorf("with a token endpoint: %v; want an interruption", err)
			}
			if err := s.CheckAuth(t.Context(), authorized("https://receiver.test", auth).Subscription); switchboard.CodeOf(err) != switchboard.Unavailable {
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
