package webhook

import (
	"crypto/tls"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// showCertificate makes connections show the certificate of auth.
func showCertificate(config *tls.Config, auth *switchboard.Auth) error {
	certificate, err := auth.ClientCertificate()
	if err != nil {
		return err
	}
	// Shown to whoever asks, even if the receiver names other issuers: its refusal
	// then says what is wrong, which no certificate at all would not.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &certificate, nil
	}
	return nil
}

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
