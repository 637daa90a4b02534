package e2e

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/seed-49a43567/switchboard/webhook/dnstest"

	"github.com/seed-49a43567/switchboard/client"
)

// The most instructive inputs from public reports about webhook senders, each with a real receiver.
// In every report, events were lost or differed from what was shown.

// TestShownIsSent: servers of three languages read what a preview shows, whatever the URL contains,
// and a value stays in its segment and its parameter.
func TestShownIsSent(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	node, python, own := newNode(t), newPython(t), newReceiver(t, 200)
	for i, c := range []struct{ name, target, data, sent string }{
		{"a blank in the query", `/hook?name=John Doe`, `{}`, `/hook?name=John%20Doe`},
		{"letters in the query", `/hook?city=Zoë`, `{}`, `/hook?city=Zo%C3%AB`},
		{"an encoded slash beside a blank", `/my docs/a%2Fb`, `{}`, `/my%20docs/a%2Fb`},
		{"a value that climbs", `/x y/users/{{ id }}/card`, `{"id":"x/../../admin"}`, `/x%20y/users/x%2F..%2F..%2Fadmin/card`},
		{"a value that adds a parameter", `/hook?q={{ id }}&to=a b`, `{"id":"1&to=me"}`, `/hook?q=1%26to%3Dme&to=a%20b`},
	} {
		for server, at := range map[string]string{"node": node.addr, "python": python.addr, "go": strings.TrimPrefix(own.URL, "http://")} {
			subscription, _ := s.subscribe("http://"+at+c.target, fields{"events": []string{"shown." + server}})
			event := fields{"type": "shown." + server, "data": json.RawMessage(c.data)}
			preview := as[struct{ URL string }](t, s.call("POST", "/v1/subscriptions/"+subscription+"/preview", event))
			if want := "http://" + at + c.sent; preview.URL != want {
				t.Errorf("%s, %s: the preview shows %s, want %s", c.name, server, preview.URL, want)
			}
			if d := s.awaitState(s.post("shown."+server, c.data), "delivered"); len(d.Attempts) != 1 {
				t.Errorf("%s, %s: %d attempts", c.name, server, len(d.Attempts))
			}
			s.call("DELETE", "/v1/subscriptions/"+subscription+"?reason=r", nil)
		}
		if got := node.await(t, i+1).Target; got != c.sent {
			t.Errorf("%s: Node read %s, want %s", c.name, got, c.sent)
		}
		if got := python.await(t, i+1).Target; got != c.sent {
			t.Errorf("%s: Python read %s, want %s", c.name, got, c.sent)
		}
		if got := last(own.got()).target; got != c.sent {
			t.Errorf("%s: Go read %s, want %s", c.name, got, c.sent)
		}
	}
}

// TestNamesThatMisbehave: a DNS server that is silent on AAAA, that is wrong for a moment, and that
// moves a name; and the Host of a name in another case.
func TestNamesThatMisbehave(t *testing.T) {
	t.Parallel()
	dns := dnstest.New(t)
	s := prepareSystem(t, shared.databases.Database(t), shared.addr(t), namespaceOf(t))
	s.config.DNSServers = []netip.AddrPort{dns.Addr}
	s.start()
	t.Cleanup(func() { s.stop() })

	t.Run("silent on AAAA", func(t *testing.T) {
		release := dns.Hold("half.test", dnsmessage.TypeAAAA)
		defer release()
		dns.Set("half.test", "127.0.0.1")
		r := newReceiver(t, 200)
		if d := s.deliver(t, "half", portOf(r.URL, "half.test"), nil, `{}`); len(d.Attempts) != 1 {
			t.Errorf("%d attempts", len(d.Attempts))
		}
	})
	t.Run("wrong for a moment", func(t *testing.T) {
		dns.Set("moment.test", "0.0.0.0")
		r := newReceiver(t, 200)
		id := s.send(t, "moment", portOf(r.URL, "moment.test"), fields{"retry": fields{"initial_interval": "1s"}}, `{}`)
		await(t, "refused once", func() bool { return s.delivery(id).AttemptsMade > 0 })
		dns.Set("moment.test", "127.0.0.1")
		if d := s.awaitState(id, "delivered"); d.Attempts[0].Failure != "forbidden_address" {
			t.Errorf("first failed with %s", d.Attempts[0].Failure)
		}
	})
	t.Run("moves", func(t *testing.T) {
		before := newReceiver(t, 200)
		closed := make(chan struct{}, 16)
		before.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				closed <- struct{}{}
			}
		}
		port := before.Listener.Addr().(*net.TCPAddr).Port
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.2:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		after := newReceiver(t, 200)
		moved := &http.Server{Handler: after.Config.Handler}
		go func() { _ = moved.Serve(listener) }()
		t.Cleanup(func() { _ = moved.Close() })
		dns.Set("moved.test", "127.0.0.1")
		s.deliver(t, "moved", portOf(before.URL, "moved.test"), nil, `{}`)
		dns.Set("moved.test", "127.0.0.2")
		<-closed // a connection stays idle for some seconds only
		s.awaitState(s.post("moved", `{}`), "delivered")
		if n, m := len(before.got()), len(after.got()); n != 1 || m != 1 {
			t.Errorf("%d requests before and %d after, want one each", n, m)
		}
	})
	t.Run("in other letters", func(t *testing.T) {
		dns.Set("xn--mnchen-3ya.test", "127.0.0.1")
		node := newNode(t)
		s.deliver(t, "letters", portOf("http://"+node.addr, "MÜNCHEN.test"), nil, `{}`)
		if host := node.await(t, 1).Host; host != portOf(node.addr, "xn--mnchen-3ya.test") {
			t.Errorf("Host: %s", host)
		}
	})
}

// TestAnswersThatAreOdd: a receiver that answers 200 has accepted the delivery. A receiver that
// drops an idle connection costs no attempt, even if only one is allowed.
func TestAnswersThatAreOdd(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	once := fields{"retry": fields{"maximum_attempts": 1}}
	for name, answer := range map[string]string{
		"transfer coding identity":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\ntaken",
		"a header without its colon": "HTTP/1.1 202 Accepted\r\nServer nginx\r\n\r\n",
		"two lengths":                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := serveRaw(t, func(conn net.Conn, r *bufio.Reader) {
				if readRequest(r) {
					_, _ = io.WriteString(conn, answer)
				}
			})
			kind := "odd." + strings.ReplaceAll(name, " ", "_")
			if d := s.deliver(t, kind, "http://"+addr, once, `{}`); len(d.Attempts) != 1 {
				t.Errorf("%d attempts", len(d.Attempts))
			}
		})
	}
	t.Run("drops an idle connection", func(t *testing.T) {
		t.Parallel()
		addr := serveRaw(t, func(conn net.Conn, r *bufio.Reader) {
			if readRequest(r) {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				readRequest(r)
				_ = conn.(*net.TCPConn).SetLinger(0) // reset
			}
		})
		s.deliver(t, "odd.dropped", "http://"+addr, once, `{}`)
		// A connection stays idle for some seconds, which a slow machine may need for the next
		// delivery.
		await(t, "one request dropped and one answered", func() bool {
			return s.awaitState(s.post("odd.dropped", `{}`), "delivered").Attempts[0].Requests == 2
		})
	})
}

// TestThroughAProxy: everything goes through the configured egress proxy.
func TestThroughAProxy(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.In.Method+" "+r.In.RequestURI)
	}})
	t.Cleanup(proxy.Close)
	s := prepareSystem(t, shared.databases.Database(t), shared.addr(t), namespaceOf(t))
	s.config.EgressProxy = proxy.URL
	s.start()
	t.Cleanup(func() { s.stop() })
	node := newNode(t)
	target := "http://" + node.addr + "/hook?a=b c"
	s.deliver(t, "proxied", target, nil, `{}`)
	mu.Lock()
	defer mu.Unlock()
	if want := "POST http://" + node.addr + "/hook?a=b%20c"; len(seen) != 1 || seen[0] != want {
		t.Errorf("the proxy saw %q, want %q", seen, want)
	}
	if got := node.await(t, 1).Target; got != "/hook?a=b%20c" {
		t.Errorf("Node read %s", got)
	}
}

// TestRenegotiation: a TLS server that asks for the client's certificate after it has read the
// request, as IIS does, gets it.
func TestRenegotiation(t *testing.T) {
	t.Parallel()
	certificate, key, certFile, keyFile := selfSigned(t, "127.0.0.1")
	node := newNode(t, "--cert", certFile, "--key", keyFile, "--client-ca", certFile)
	p := newProcess(t)
	p.env = []string{"SSL_CERT_FILE=" + certFile}
	p.start()
	p.deliver(t, "renegotiated", "https://"+node.addr+"/hook", fields{
		"auth": fields{"type": "mtls", "certificate": certificate, "private_key": key}, "retry": fields{"maximum_attempts": 1},
	}, `{}`)
	if client := node.await(t, 1).Client; client != "switchboard test" {
		t.Errorf("Node was shown the certificate of %q", client)
	}
}

// TestDataThatAreOdd: null for a date, a name that XML cannot hold, a long mail thread, and a
// template that its owner repairs while deliveries wait.
func TestDataThatAreOdd(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	t.Run("null for a date", func(t *testing.T) {
		r := newReceiver(t, 200)
		s.deliver(t, "odd.null", r.URL, fields{"request": fields{
			"url": r.URL, "body": "params", "missing": "empty", "params": fields{"solved": "{{ d | date: '%F' }}", "state": "{{ s | default: other | default: 'open' }}"},
		}}, `{"d":null}`)
		if body := string(r.got()[0].body); body != `{"solved":"","state":"open"}` {
			t.Errorf("received %s", body)
		}
	})
	t.Run("a name for XML", func(t *testing.T) {
		r := newReceiver(t, 200)
		s.deliver(t, "odd.xml", r.URL, fields{"request": fields{"url": r.URL, "body": "data", "content_type": "application/xml"}}, `{"doc":{"first name":"x","1":"y"}}`)
		body := r.got()[0].body
		if err := xml.Unmarshal(body, new(struct{ XMLName xml.Name })); err != nil || !strings.Contains(string(body), "<first_x0020_name>x</first_x0020_name>") {
			t.Errorf("received %s (%v)", body, err)
		}
	})
	t.Run("a long text", func(t *testing.T) {
		r := newReceiver(t, 200)
		s.deliver(t, "odd.long", r.URL, fields{"filter": fields{"data": fields{"body": fields{"$regex": "refund$"}}}},
			`{"body":"`+strings.Repeat("a mail ", 3000)+`refund"}`)
	})
	t.Run("a template that is repaired", func(t *testing.T) {
		r := newReceiver(t, 200)
		request := func(value string) fields {
			return fields{"url": r.URL, "body": "params", "params": fields{"v": value}}
		}
		id := s.send(t, "odd.template", r.URL, fields{"request": request("{{ name }}"), "retry": fields{"initial_interval": "1s"}}, `{"nme":"Ada"}`)
		await(t, "failed once", func() bool { return s.delivery(id).AttemptsMade > 0 })
		subscription := as[struct{ Data []struct{ ID, Name string } }](t, s.call("GET", "/v1/subscriptions?tenant=acme&limit=1", nil)).Data[0].ID
		if a := s.call("PATCH", "/v1/subscriptions/"+subscription, fields{"version": 1, "request": request("{{ nme }}")}); a.status != http.StatusOK {
			t.Fatalf("answered %d %s", a.status, a.body)
		}
		if d := s.awaitState(id, "delivered"); d.Attempts[0].Failure != "render" {
			t.Errorf("first failed with %s", d.Attempts[0].Failure)
		}
		if body := string(r.got()[0].body); body != `{"v":"Ada"}` {
			t.Errorf("received %s", body)
		}
	})
}

// send subscribes the address to events of that type, and posts one. It returns the delivery's id.
func (s *system) send(t *testing.T, eventType, address string, extra fields, data string) string {
	t.Helper()
	members := fields{"events": []string{eventType}}
	for name, value := range extra {
		members[name] = value
	}
	s.subscribe(address, members)
	return s.post(eventType, data)
}

// deliver does the same as send, and waits until the event is delivered.
func (s *system) deliver(t *testing.T, eventType, address string, extra fields, data string) client.Delivery {
	t.Helper()
	return s.awaitState(s.send(t, eventType, address, extra, data), "delivered")
}

// portOf is the address with another host, and its port.
func portOf(address, host string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		u.Host = host + ":" + u.Port()
		return u.String()
	}
	_, port, _ := net.SplitHostPort(address)
	return host + ":" + port
}

func last[T any](all []T) T {
	var none T
	if len(all) == 0 {
		return none
	}
	return all[len(all)-1]
}

// serveRaw serves each connection with f, which then ends.
func serveRaw(t *testing.T, f func(net.Conn, *bufio.Reader)) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				f(conn, bufio.NewReader(conn))
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return listener.Addr().String()
}

// readRequest reads a whole request, and reports whether there was one.
func readRequest(r *bufio.Reader) bool {
	request, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, request.Body)
	return err == nil
}

// selfSigned makes a self-signed certificate for an IP address, for server and client. It returns
// the certificate and its key as PEM, and in files.
func selfSigned(t *testing.T, ip string) (certificate, key, certFile, keyFile string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "switchboard test"}, IPAddresses: []net.IP{net.ParseIP(ip)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	certFile, keyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, text := range map[string]string{certFile: certificate, keyFile: key} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key, certFile, keyFile
}
