package faults

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// certificates are the certificates of the receivers. Switchboard only trusts their authority:
// SSL_CERT_FILE names it, which Go's programs read.
type certificates struct {
	authority []byte // PEM

	good      tls.Certificate
	expired   tls.Certificate
	otherName tls.Certificate
	untrusted tls.Certificate // issued by an unknown authority
}

// issuer signs certificates.
type issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newCertificates(now time.Time) (*certificates, error) {
	known, err := newIssuer(now)
	if err != nil {
		return nil, err
	}
	unknown, err := newIssuer(now)
	if err != nil {
		return nil, err
	}
	c := &certificates{authority: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: known.certificate.Raw})}
	here := x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	for _, wanted := range []struct {
		made   *tls.Certificate
		from   *issuer
		of     x509.Certificate
		before time.Duration // now
	}{
		{&c.good, known, here, 0},
		{&c.expired, known, here, 48 * time.Hour},
		{&c.otherName, known, x509.Certificate{DNSNames: []string{"receiver.example"}}, 0},
		{&c.untrusted, unknown, here, 0},
	} {
		if *wanted.made, err = wanted.from.issue(wanted.of, now.Add(-wanted.before)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func newIssuer(now time.Time) (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("the receivers' authority: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Switchboard's fault suite"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("the receivers' authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(raw)
	return &issuer{certificate, key}, err
}

// issue makes a certificate that is valid for a day around that time.
func (i *issuer) issue(of x509.Certificate, around time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("a receiver's certificate: %w", err)
	}
	of.SerialNumber, of.Subject = big.NewInt(2), pkix.Name{CommonName: "a receiver"}
	of.NotBefore, of.NotAfter = around.Add(-24*time.Hour), around.Add(24*time.Hour)
	of.KeyUsage, of.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	raw, err := x509.CreateCertificate(rand.Reader, &of, i.certificate, &key.PublicKey, i.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("a receiver's certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, nil
}
