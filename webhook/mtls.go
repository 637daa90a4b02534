package webhook

import (
	"crypto/sha256"
	"crypto/tls"
	"net/http"
	"time"

	"switchboard"
)

// maxClients is how many client certificates have a transport, and so connections,
// at a time.
const maxClients = 256

// clientTransport returns the transport that shows the certificate of auth. Each
// certificate has its own, so that no connection is used for two.
func (s *Sender) clientTransport(auth *switchboard.Auth) (*http.Transport, error) {
	sum := sha256.Sum256([]byte(auth.Certificate + "\x00" + auth.PrivateKey.Reveal()))
	key := string(sum[:])
	if transport, ok := s.clients.Get(key); ok {
		return transport, nil
	}
	certificate, err := auth.ClientCertificate()
	if err != nil {
		return nil, err
	}
	transport := s.newTransport()
	// Shown to whoever asks, even if the receiver names other issuers: its refusal
	// then says what is wrong, which no certificate at all would not.
	transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &certificate, nil
	}
	if other, found, _ := s.clients.PeekOrAdd(key, transport); found {
		return other, nil // somebody was faster: one certificate, one set of connections
	}
	return transport, nil
}

// closeIdle closes the connections of a transport that is not kept any more.
func closeIdle(_ string, transport *http.Transport) { transport.CloseIdleConnections() }

func checkCertificate(auth *switchboard.Auth, now time.Time) error {
	certificate, err := auth.ClientCertificate()
	if err != nil {
		return err
	}
	if until := certificate.Leaf.NotAfter; now.After(until) {
		return switchboard.InvalidField("auth.certificate", "expired at %s", until.UTC().Format(time.RFC3339))
	}
	return nil
}
