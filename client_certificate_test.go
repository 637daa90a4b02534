package switchboard

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"
)

// Each handshake with such a key is expensive for the sender, and its receiver may ask for one with
// every request.
func TestClientCertificateOfAGiant(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateMultiPrimeKey(rand.Reader, 8, maxRSA+64) //nolint:staticcheck // a key of two primes takes long to make
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	auth := Auth{
		Type:        AuthMTLS,
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		PrivateKey:  Secret(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})),
	}
	if e, ok := errors.AsType[*Error](auth.Validate()); !ok || e.Field != "auth.private_key" {
		t.Errorf("a key of %d bits: %v; want auth.private_key refused", maxRSA+64, e)
	}
}
