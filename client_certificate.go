package switchboard

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
)

// maxRSA bounds an RSA key in bits. Each handshake signs with it, which takes 20 ms
// with one of 4096 bits, and seconds with one of 16384.
const maxRSA = 4096

// ClientCertificate returns the certificate of [MTLS] with its key; its Leaf says until when it is
// valid. If it cannot be used, the error is [Invalid] for the field "auth.certificate" or
// "auth.private_key".
func (a *Auth) ClientCertificate() (tls.Certificate, error) {
	const certificate, privateKey = "auth.certificate", "auth.private_key"
	switch {
	case a.Certificate == "":
		return tls.Certificate{}, InvalidField(certificate, "is required")
	case len(a.Certificate) > maxCertificate:
		return tls.Certificate{}, InvalidField(certificate, "is longer than %d bytes", maxCertificate)
	case !isCertificateChain(a.Certificate):
		// The API shows the certificate, and would show a key that came with it.
		return tls.Certificate{}, InvalidField(certificate, "must be certificates in PEM and nothing else, the client's own first")
	case a.PrivateKey == "":
		return tls.Certificate{}, InvalidField(privateKey, "is required")
	case len(a.PrivateKey) > maxPrivateKey:
		return tls.Certificate{}, InvalidField(privateKey, "is longer than %d bytes", maxPrivateKey)
	}
	pair, err := tls.X509KeyPair([]byte(a.Certificate), []byte(a.PrivateKey.Reveal()))
	if err != nil {
		return tls.Certificate{}, InvalidField(privateKey, "must be the certificate's own private key, in PEM and not encrypted")
	}
	if key, ok := pair.PrivateKey.(*rsa.PrivateKey); ok && key.N.BitLen() > maxRSA {
		return tls.Certificate{}, InvalidField(privateKey, "is an RSA key of more than %d bits", maxRSA)
	}
	return pair, nil
}

// isCertificateChain reports whether the text is one or more certificates in PEM,
// with nothing between them but white space.
func isCertificateChain(text string) bool {
	rest, found := bytes.TrimSpace([]byte(text)), 0
	for len(rest) > 0 {
		if !bytes.HasPrefix(rest, []byte("-----BEGIN CERTIFICATE-----")) {
			return false
		}
		block, after := pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" {
			return false
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return false
		}
		rest, found = bytes.TrimSpace(after), found+1
	}
	return found > 0
}
