package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// client makes the auth of a client with that name, whose certificate is valid until then.
func (a *authority) client(t *testing.T, name string, until time.Time) switchboard.Auth {
	t.Helper()
	certificate := a.issue(t, func(c *x509.Certificate) {
		c.Subject, c.NotBefore, c.NotAfter = pkix.Name{CommonName: name}, until.Add(-48*time.Hour), until
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, bytes []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
	}
	return switchboard.Auth{
		Type: switchboard.AuthMTLS, Certificate: block("CERTIFICATE", certificate.Certificate[0]), PrivateKey: switchboard.Secret(block("PRIVATE KEY", key)),
	}
}

// mutual is a receiver that requires a certificate of ca and answers with its name, the client's
// address and the protocol. It sends each closed connection to closed.
func mutual(t *testing.T, ca *authority) (url string, s *Sender, closed <-chan struct{}) {
	t.Helper()
	ended := make(chan struct{}, 100)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName+" "+r.RemoteAddr+" "+r.Proto)
	}))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.issue(t, nil)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool()}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			ended <- struct{}{}
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	port := portOf(t, server.Listener.Addr().String())
	s = setup(t, func(c *Config) {
		c.RootCAs, c.Guard.resolver = ca.pool(), names{
			"receiver.test": {netip.MustParseAddr("127.0.0.1")}, "private.test": {netip.MustParseAddr("10.0.0.1")},
		}
	})
	return "https://receiver.test:" + port, s, ended
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ca, until := newAuthority(t), time.Now().Add(time.Hour)
	url, s, closed := mutual(t, ca)
	s.pool = newPool(2, s.now, s.transportFor)
	ask := func(auth switchboard.Auth) (name, address string) {
		t.Helper()
		o := attempt(t, s, workWith(url, auth), plenty)
		if o.StatusCode != 200 {
			t.Fatalf("%+v", o)
		}
		name, address, _ = strings.Cut(string(o.Response.Body), " ")
		return name, address
	}
	anna, ben, cleo := ca.client(t, "anna", until), ca.client(t, "ben", until), ca.client(t, "cleo", until)
	name, first := ask(anna)
	if name != "anna" {
		t.Errorf("the receiver saw %s; want anna", name)
	}
	name, other := ask(ben)
	if name != "ben" || other == first {
		t.Errorf("the receiver saw %s at %s; want ben on a connection of his own", name, other)
	}
	if name, again := ask(anna); name != "anna" || again != first {
		t.Errorf("the receiver saw %s at %s; want anna on the kept connection %s", name, again, first)
	}
	ask(cleo) // there is room for two, so ben's is removed
	<-closed
	if name, again := ask(ben); name != "ben" || again == other {
		t.Errorf("the receiver saw %s at %s; want ben on a new connection", name, again)
	}
}

func TestClientCertificateFailures(t *testing.T) {
	t.Parallel()
	ca, stranger, until := newAuthority(t), newAuthority(t), time.Now().Add(time.Hour)
	_, s, _ := mutual(t, ca)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, nil)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool()}
	port := portOf(t, listen(t, func(conn net.Conn) {
		_ = tls.Server(conn, config).Handshake()
		_, _ = io.Copy(io.Discard, conn) // so that the alert is read before the connection ends
	}))
	url := "https://receiver.test:" + port
	good := ca.client(t, "anna", until)
	unpaired := good
	unpaired.PrivateKey = ca.client(t, "anna", until).PrivateKey
	tests := map[string]struct {
		auth switchboard.Auth
		url  string
		want switchboard.Failure
	}{
		"none shown":       {switchboard.Auth{}, url, switchboard.FailureTLS},
		"of another":       {stranger.client(t, "anna", until), url, switchboard.FailureTLS},
		"expired":          {ca.client(t, "anna", time.Now().Add(-time.Hour)), url, switchboard.FailureTLS},
		"key of another":   {unpaired, url, switchboard.FailureRender},
		"forbidden":        {good, "https://private.test", switchboard.FailureForbidden},
		"other name":       {good, strings.Replace(url, "receiver.test", "127.0.0.1", 1), switchboard.FailureTLSName},
		"nobody of a name": {good, "https://nobody.test", switchboard.FailureDNS},
	}
	for name, test := range tests {
		o := attempt(t, s, workWith(test.url, test.auth), plenty)
		if o.Failure != test.want || o.StatusCode != 0 || o.Detail == "" {
			t.Errorf("%s: %+v; want %s", name, o, test.want)
		}
		tellsNothing(t, []any{o}, "PRIVATE KEY")
	}
}

func TestCheckAuthOfCertificates(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	good, expired := ca.client(t, "anna", time.Now().Add(time.Hour)), ca.client(t, "anna", time.Now().Add(-time.Minute))
	broken := good
	broken.PrivateKey = "no key"
	for field, auth := range map[string]switchboard.Auth{"": good, "auth.certificate": expired, "auth.private_key": broken} {
		err := setup(t, nil).CheckAuth(t.Context(), workWith("https://receiver.test", auth).Subscription)
		e, ok := errors.AsType[*switchboard.Error](err)
		if (err != nil) != (field != "") || ok && (e.Field != field || e.Code != switchboard.CodeInvalid) {
			t.Errorf("%v; want %q at fault", err, field)
		}
	}
}
