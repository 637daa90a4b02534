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
)

// egressProxy is an HTTP proxy that maps every host to this machine.
type egressProxy struct {
	credentials string           // "user:password"; empty: none required
	instead     http.HandlerFunc // answers instead of the proxy; may be nil

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

// requests returns the received requests, without the ports.
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

// join forwards what each of the two sides sends until one has ended.
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

// noNames is a resolver that must not be called.
type noNames struct{ t *testing.T }

func (n noNames) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.t.Errorf("the name %s is looked up here", host)
	return nil, errors.New("not here")
}

// behind returns a sender that reaches receivers through the proxy at that URL. Its guard would
// otherwise not allow the proxy.
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

// serveSecureProxy starts the proxy at an https:// URL. It would also speak HTTP/2.
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

// named returns the URL of a server on this machine with a name that only the proxy knows.
func named(rawURL string) string { return strings.Replace(rawURL, "127.0.0.1", "receiver.test", 1) }

// serveSOCKS implements as much of RFC 1928 and RFC 1929 as a client with a password needs. Every
// host is this machine.
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
