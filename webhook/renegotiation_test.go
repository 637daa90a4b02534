package webhook

import (
	"bufio"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// renegotiating is a receiver like IIS with certificates per folder: it negotiates TLS without a
// client certificate, reads the request, and renegotiates to get one. Go's server cannot do that,
// but openssl's can. It returns the port.
func renegotiating(t *testing.T, ca *authority) (port string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatal("this test needs the program openssl: apt-get install openssl")
	}
	dir, cert := t.TempDir(), ca.issue(t, nil)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, bytes []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	cmd := exec.CommandContext(t.Context(), "openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_2",
		"-cert", write("cert", "CERTIFICATE", cert.Certificate[0]), "-key", write("key", "PRIVATE KEY", key),
		"-CAfile", write("ca", "CERTIFICATE", ca.cert.Raw))
	commands, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, said := io.Pipe()
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ports, done := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			switch line := lines.Text(); {
			case strings.HasPrefix(line, "ACCEPT "):
				_, port, _ := net.SplitHostPort(strings.TrimPrefix(line, "ACCEPT "))
				select {
				case ports <- port:
				default: // it says so for each connection
				}
			case strings.HasPrefix(line, "POST "):
				_, _ = io.WriteString(commands, "R\n") // the command to negotiate again
			case strings.Contains(line, "depth=0"): // it checks the certificate that it requested
				_, name, _ := strings.Cut(line, "CN = ")
				_, _ = io.WriteString(commands, "HTTP/1.1 200 OK\r\nX-Client: "+name+"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = said.Close()
		<-done
	})
	select {
	case port = <-ports:
	case <-time.After(plenty):
		t.Fatal("openssl does not listen")
	}
	return port
}

func TestRenegotiation(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	url := "https://receiver.test:" + renegotiating(t, ca)
	s := setup(t, func(c *Config) {
		c.RootCAs, c.Guard.resolver = ca.pool(), names{"receiver.test": {netip.MustParseAddr("127.0.0.1")}}
	})
	anna, ben := ca.client(t, "anna", time.Now().Add(time.Hour)), ca.client(t, "ben", time.Now().Add(time.Hour))
	for _, test := range []struct {
		auth     switchboard.Auth
		name     string
		version  switchboard.HTTPVersion
		requests int
	}{
		{anna, "anna", "", 2},                       // over a connection that could have been HTTP/2, where it is forbidden, and then HTTP/1.1
		{anna, "anna", "", 1},                       // already known
		{ben, "ben", "", 2},                         // nothing of anna's is used for ben
		{ben, "ben", switchboard.HTTPVersion1, 1},   // who may know it in advance
		{anna, "anna", switchboard.HTTPVersion1, 1}, // and is still anna
	} {
		w := workWith(url, test.auth)
		w.Subscription.Request.HTTPVersion = test.version
		o := attempt(t, s, w, plenty)
		if o.StatusCode != 200 || o.Response.Headers["X-Client"] != test.name || o.Requests != test.requests {
			t.Errorf("%s, %q: %+v; want 200 after %d requests", test.name, test.version, o, test.requests)
		}
	}
	// Without a certificate there is no reason to renegotiate.
	for _, auth := range []switchboard.Auth{{}, {Type: switchboard.AuthBearer, Token: "tok-1"}} {
		o := attempt(t, s, workWith(url, auth), plenty)
		want(t, o, switchboard.FailureTLS)
		if !strings.HasPrefix(o.Detail, "the receiver asked to negotiate TLS again") || o.Requests != 1 {
			t.Errorf("%q: %+v; want the reason after one request", auth.Type, o)
		}
	}
}
