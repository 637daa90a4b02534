package webhook

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// A receiver that has sent a status has answered, whatever net/http thinks of the rest.
func TestStatusOfAnInvalidAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // what follows the status line
		"identity":                     "Transfer-Encoding: identity\r\n\r\nok",
		"identity with a length":       "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
		"gzip as transfer coding":      "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"two transfer codings":         "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"header without a colon":       "X-Good: 1\r\nno colon here\r\n\r\n",
		"header without a name":        ": value\r\n\r\n",
		"name in UTF-8":                "X-Größe: 1\r\n\r\n",
		"folded first line":            " folded: 1\r\n\r\n",
		"NUL in a name":                "X-\x00: 1\r\n\r\n",
		"two different lengths":        "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"negative length":              "Content-Length: -5\r\n\r\n",
		"length of words":              "Content-Length: two\r\n\r\nok",
		"length too large":             "Content-Length: 99999999999999999999\r\n\r\n",
		"a header that is too long":    "X: " + strings.Repeat("s3cret", maxHeaderRead) + "\r\n\r\n",
		"headers that are too many":    strings.Repeat("X: s3cret\r\n", maxHeaderRead/8) + "\r\n",
		"HTML without a header":        "<html>\r\n<body>ok</body>\r\n</html>\r\n\r\n",
		"a second status line":         "HTTP/1.1 200 OK\r\nX: 1\r\n\r\n",
		"trailing garbage as a header": "\x16\x03\x01\r\n\r\n",
	}
	for name, rest := range tests {
		for _, status := range []int{200, 204, 302, 410, 503} {
			t.Run(fmt.Sprintf("%s after %d", name, status), func(t *testing.T) {
				t.Parallel()
				o := send(t, setup(t, nil), answers(t, fmt.Sprintf("HTTP/1.1 %d X\r\n%s", status, rest))+"/?token=s3cret", plenty)
				if o.StatusCode != status || o.Failure != switchboard.FailureOfStatus(status) || !o.Response.Truncated || o.Requests != 1 {
					t.Errorf("%+v; want the status", o)
				}
				if !strings.Contains(o.Detail, "what follows the status is not valid HTTP") || strings.Contains(fmt.Sprintf("%+v", o), "s3cret") {
					t.Errorf("detail %q", o.Detail)
				}
			})
		}
	}
}

// These are answers for net/http too, and do not change.
func TestUnusualAnswers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"no reason phrase":           "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
		"nothing after the status":   "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.0":                   "HTTP/1.0 200 OK\r\n\r\nok",
		"HTTP/1.0 with a chunk":      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"line feeds only":            "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
		"the same length twice":      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
		"folded header":              "HTTP/1.1 200 OK\r\nX-Long: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
		"blank before the colon":     "HTTP/1.1 200 OK\r\nX-Odd : 1\r\nContent-Length: 2\r\n\r\nok",
		"no header":                  "HTTP/1.1 200 OK\r\n\r\nok",
		"bytes above 127 in a value": "HTTP/1.1 200 OK\r\nX-Name: Zo\xeb\r\nContent-Length: 2\r\n\r\nok",
	} {
		o := send(t, setup(t, nil), answers(t, answer), plenty)
		if o.StatusCode != 200 || o.Failure != "" || !strings.HasPrefix(string(o.Response.Body), "ok") && !strings.HasPrefix(string(o.Response.Body), "2\r\nok") {
			t.Errorf("%s: %+v, body %q", name, o, o.Response.Body)
		}
	}
}

func TestStatusIn(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]int{
		"HTTP/1.1 200 OK\r\n":        200,
		"HTTP/1.1 200\r\n":           200,
		"HTTP/1.1 200\n":             200,
		"HTTP/1.1  200  OK\r\n":      200,
		"HTTP/2 200 \r\n":            200, // as proxies that pass on another's line
		"HTTP/1.1 101 Switching\r\n": 101,
		"HTTP/1.1 799 \r\n":          799,
		"HTTP/1.1 200 " + strings.Repeat("OK ", 400) + "\r\n":                                               200,
		"HTTP/1.1 103 Hints\r\nLink: " + strings.Repeat("<a>, ", 400) + "\r\n\r\nHTTP/1.1 202 Accepted\r\n": 202,
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nX":                                           202,
		"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 C\n\nHTTP/1.1 503 X\r\n":                         503,
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 20":                                                          0,
		"HTTP/1.1 103 Hints\r\nLink: HTTP/1.1 200 OK\r\n":                                                   0, // no end of that header
		"HTTP/1.1 103 Hints\r\n":                                                                            0,
		"HTTP/1.1 200 OK":                                                                                   0, // more of the line may come
		"HTTP/1.1 20":                                                                                       0,
		"HTTP/1.1 2000 OK\r\n":                                                                              0,
		"HTTP/1.1 +20 OK\r\n":                                                                               0,
		"HTTP/1.1 099 OK\r\n":                                                                               0,
		"HTTP/1.1 -12 OK\r\n":                                                                               0,
		"HTTP/1.1 200OK\r\n":                                                                                0,
		"HTTP/banana 200 OK\r\n":                                                                            0,
		"HTTP/ 200 OK\r\n":                                                                                  0,
		"HTTP/11 200 OK\r\n":                                                                                0,
		"HTTP/1.x 200 OK\r\n":                                                                               0,
		"HTTP/1.1.1 200 OK\r\n":                                                                             0,
		"HTTP/1.1\r\n":                                                                                      0,
		"ICY 200 OK\r\n":                                                                                    0,
		"SSH-2.0-OpenSSH_9.9\r\n":                                                                           0,
		"<html>HTTP/1.1 200 OK\r\n":                                                                         0,
		"\r\nHTTP/1.1 200 OK\r\n":                                                                           0,
		"\n":                                                                                                0,
		"":                                                                                                  0,
	} {
		var whole, bytewise statusFinder
		whole.read([]byte(head))
		for i := range len(head) {
			bytewise.read([]byte{head[i]})
		}
		if whole.status != want || bytewise.status != want {
			t.Errorf("%q: %d, and byte by byte %d; want %d", head, whole.status, bytewise.status, want)
		}
	}
}

// A header that breaks off is not an answer (RFC 9112 8), and the detail says so.
func TestHeaderThatBreaksOff(t *testing.T) {
	t.Parallel()
	for _, head := range []string{
		"HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/plain", "HTTP/1.1 200 OK\r\nConte",
	} {
		o := send(t, setup(t, nil), answers(t, head), plenty)
		want(t, o, switchboard.FailureReset)
		if !strings.HasSuffix(o.Detail, "which began with the status 200") {
			t.Errorf("%q: detail %q", head, o.Detail)
		}
	}
}

// A receiver that ends the connection after such an answer has answered. This includes an end in
// the same packet, and HTTP and HTTPS through a proxy as far as the answer is visible.
func TestInvalidAnswerBeforeTheEnd(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	const answer = "HTTP/1.1 201 X\r\nTransfer-Encoding: identity\r\n\r\nok"
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, nil)}, MaxVersion: version}
		_, port, _ := net.SplitHostPort(listen(t, func(plain net.Conn) {
			var out held
			out.Conn = plain
			conn := tls.Server(&out, config)
			if readRequest(conn) == nil {
				out.hold = true
				_, _ = io.WriteString(conn, answer)
				_ = conn.CloseWrite()
				_ = plain.SetWriteDeadline(time.Time{}) // CloseWrite allows no write after it
				_, _ = plain.Write(out.bytes)
				_, _ = io.Copy(io.Discard, plain)
			}
		}))
		s := setup(t, func(c *Config) {
			c.RootCAs, c.Guard.resolver = ca.pool(), names{"receiver.test": {netip.MustParseAddr("127.0.0.1")}}
		})
		if o := send(t, s, "https://receiver.test:"+port, plenty); o.StatusCode != 201 || o.Failure != "" {
			t.Errorf("%s: %+v; want 201", tls.VersionName(version), o)
		}
	}
	url := named(answers(t, answer))
	for name, proxy := range map[string]string{
		"http": "http://" + listen(t, passOn), "https": "https://" + listen(t, func(conn net.Conn) {
			passOn(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{ca.issue(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} })}}))
		}),
	} {
		if o := send(t, behind(t, proxy, func(c *Config) { c.RootCAs = ca.pool() }), url, plenty); o.StatusCode != 201 || o.Failure != "" {
			t.Errorf("%s: %+v; want 201", name, o)
		}
	}
}

// held is a connection that collects what is written for one packet, while it holds.
type held struct {
	net.Conn
	hold  bool
	bytes []byte
}

func (h *held) Write(p []byte) (int, error) {
	if h.hold {
		h.bytes = append(h.bytes, p...)
		return len(p), nil
	}
	return h.Conn.Write(p)
}

// passOn is an egress proxy that forwards one request for plain HTTP, and its answer whether or not
// it is valid.
func passOn(conn net.Conn) {
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	to, err := net.Dial("tcp", local(req.URL.Host))
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	_ = req.Write(to)
	_, _ = io.Copy(conn, to)
}

// The same over TLS. Nothing after such an answer is taken for the answer to another request: the
// connection is closed.
func TestConnectionOfAnInvalidAnswer(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	serve := func(conn net.Conn) {
		for readRequest(conn) == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 0\r\n\r\nHTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
		}
	}
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, nil)}, NextProtos: []string{"http/1.1"}}
	secure := portOf(t, listen(t, func(conn net.Conn) { serve(tls.Server(conn, config)) }))
	plain := portOf(t, listen(t, serve))
	s := setup(t, func(c *Config) {
		c.RootCAs, c.Guard.resolver = ca.pool(), names{"receiver.test": {netip.MustParseAddr("127.0.0.1")}}
	})
	for _, url := range []string{"http://receiver.test:" + plain, "https://receiver.test:" + secure} {
		for i := range 3 {
			if o := send(t, s, url, plenty); o.StatusCode != 200 || o.Failure != "" || o.Requests != 1 {
				t.Errorf("%s, %d: %+v; want 200", url, i, o)
			}
		}
	}
}
