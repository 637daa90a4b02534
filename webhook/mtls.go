package webhook

import (
	"crypto/tls"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// useCertificate makes connections present the client certificate of auth.
func useCertificate(config *tls.Config, auth *switchboard.Auth) error {
	certificate, err := auth.ClientCertificate()
	if err != nil {
		return err
	}
	// Presented even if the receiver names other issuers: its refusal then says what is wrong.
	// Without a certificate it would not.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &certificate, nil
	}
	return nil
}

// checkCertificate refuses a client certificate that has expired.
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
