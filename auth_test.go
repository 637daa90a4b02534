package switchboard

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
)

// pair makes a certificate and its key in PEM, valid until that time.
func pair(t *testing.T, until time.Time) (certificate string, key Secret) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.Add(-time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, bytes []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
	}
	return block("CERTIFICATE", der), Secret(block("PRIVATE KEY", pkcs8))
}

func oauth2Auth(change func(*Auth)) Auth {
	a := Auth{Type: AuthOAuth2, TokenURL: "https://login.test/token?tenant=a", ClientID: "switchboard", ClientSecret: "s3cret", Scopes: []string{"hooks:write", "https://api.test/.default"}}
	if change != nil {
		change(&a)
	}
	return a
}

func TestAuthValidate(t *testing.T) {
	t.Parallel()
	until := time.Now().Add(time.Hour)
	certificate, key := pair(t, until)
	otherCertificate, otherKey := pair(t, until)
	expired, expiredKey := pair(t, time.Now().Add(-time.Hour))
	long := strings.Repeat("x", maxAuthSecret+1)
	tests := []struct {
		auth Auth
		want string // the wrong field, without "auth."; empty: valid
	}{
		{Auth{}, ""},
		{Auth{Type: AuthBasic, Username: "anna", Password: "s3cret: é"}, ""},
		{Auth{Type: AuthBasic, Username: "anna"}, ""},
		{Auth{Type: AuthBearer, Token: "eyJhbGciOi.J-_~+/=="}, ""},
		{Auth{Type: AuthAPIKey, Header: "x-api-key", Value: "s3cret"}, ""},
		{Auth{Type: AuthAPIKey, Header: "Authorization", Value: "ApiKey s3cret"}, ""},
		{oauth2Auth(nil), ""},
		{oauth2Auth(func(a *Auth) { a.Scopes = nil }), ""},
		{Auth{Type: AuthMTLS, Certificate: certificate, PrivateKey: key}, ""},
		{Auth{Type: AuthMTLS, Certificate: "\n" + certificate + "\n\n" + otherCertificate, PrivateKey: key}, ""},
		{Auth{Type: AuthMTLS, Certificate: expired, PrivateKey: expiredKey}, ""}, // checked when it is given

		{Auth{Type: "digest"}, "type"},
		{Auth{Type: "none"}, "type"},
		{Auth{Username: "anna"}, "username"},
		{Auth{Type: AuthBasic}, "username"},
		{Auth{Type: AuthBasic, Username: "a:b"}, "username"},
		{Auth{Type: AuthBasic, Username: "a\nb"}, "username"},
		{Auth{Type: AuthBasic, Username: strings.Repeat("u", maxAuthText+1)}, "username"},
		{Auth{Type: AuthBasic, Username: "anna", Password: "a\x00"}, "password"},
		{Auth{Type: AuthBasic, Username: "anna", Password: Secret(long)}, "password"},
		{Auth{Type: AuthBasic, Username: "anna", Token: "x"}, "token"},
		{Auth{Type: AuthBearer}, "token"},
		{Auth{Type: AuthBearer, Token: "a\r\nX: y"}, "token"},
		{Auth{Type: AuthBearer, Token: " a"}, "token"},
		{Auth{Type: AuthBearer, Token: "é"}, "token"},
		{Auth{Type: AuthBearer, Token: Secret(long)}, "token"},
		{Auth{Type: AuthBearer, Token: "x", Password: "x"}, "password"},
		{Auth{Type: AuthAPIKey, Value: "x"}, "header"},
		{Auth{Type: AuthAPIKey, Header: "X Key", Value: "x"}, "header"},
		{Auth{Type: AuthAPIKey, Header: "Content-Length", Value: "x"}, "header"},
		{Auth{Type: AuthAPIKey, Header: "webhook-id", Value: "x"}, "header"},
		{Auth{Type: AuthAPIKey, Header: "X-Key"}, "value"},
		{Auth{Type: AuthAPIKey, Header: "X-Key", Value: "a\nb"}, "value"},
		{Auth{Type: AuthAPIKey, Header: "X-Key", Value: "x", TokenURL: "https://a.test"}, "token_url"},
		{oauth2Auth(func(a *Auth) { a.TokenURL = "" }), "token_url"},
		{oauth2Auth(func(a *Auth) { a.TokenURL = "ftp://a.test" }), "token_url"},
		{oauth2Auth(func(a *Auth) { a.TokenURL = "https://u:p@a.test" }), "token_url"},
		{oauth2Auth(func(a *Auth) { a.TokenURL = "https://a.test/{{id}}" }), "token_url"},
		{oauth2Auth(func(a *Auth) { a.ClientID = "" }), "client_id"},
		{oauth2Auth(func(a *Auth) { a.ClientID = "a\tb" }), "client_id"},
		{oauth2Auth(func(a *Auth) { a.ClientID = long }), "client_id"},
		{oauth2Auth(func(a *Auth) { a.ClientSecret = "" }), "client_secret"},
		{oauth2Auth(func(a *Auth) { a.ClientSecret = "a\nb" }), "client_secret"},
		{oauth2Auth(func(a *Auth) { a.ClientSecret = Secret(long) }), "client_secret"},
		{Auth{Type: AuthBearer, Token: "t", Parameters: map[string]Secret{"audience": "a"}}, "parameters"},
		{oauth2Auth(func(a *Auth) { a.Scopes = []string{"a b"} }), "scopes"},
		{oauth2Auth(func(a *Auth) { a.Scopes = []string{""} }), "scopes"},
		{oauth2Auth(func(a *Auth) { a.Scopes = make([]string, maxScopes+1) }), "scopes"},
		{oauth2Auth(func(a *Auth) { a.Certificate = certificate }), "certificate"},
		{Auth{Type: AuthMTLS, PrivateKey: key}, "certificate"},
		{Auth{Type: AuthMTLS, Certificate: "no PEM", PrivateKey: key}, "certificate"},
		{Auth{Type: AuthMTLS, Certificate: certificate + key.Reveal(), PrivateKey: key}, "certificate"},
		{Auth{Type: AuthMTLS, Certificate: key.Reveal() + certificate, PrivateKey: key}, "certificate"},
		{Auth{Type: AuthMTLS, Certificate: certificate + "text", PrivateKey: key}, "certificate"},
		{Auth{Type: AuthMTLS, Certificate: strings.Replace(certificate, "M", "N", 1), PrivateKey: key}, "certificate"},
		{Auth{Type: AuthMTLS, Certificate: strings.Repeat(certificate, 100), PrivateKey: key}, "certificate"},
		{Auth{Type: AuthMTLS, Certificate: certificate}, "private_key"},
		{Auth{Type: AuthMTLS, Certificate: certificate, PrivateKey: otherKey}, "private_key"},
		{Auth{Type: AuthMTLS, Certificate: certificate, PrivateKey: "no PEM"}, "private_key"},
		{Auth{Type: AuthMTLS, Certificate: certificate, PrivateKey: Secret(certificate)}, "private_key"},
		{Auth{Type: AuthMTLS, Certificate: certificate, PrivateKey: Secret(strings.Repeat(key.Reveal(), 100))}, "private_key"},
	}
	for i, test := range tests {
		s := subscription()
		s.Auth = test.auth
		err := s.Validate()
		if got := strings.TrimPrefix(field(t, err), "auth."); got != test.want {
			t.Errorf("case %d, %+v: %q is at fault; want %q", i, test.auth, got, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("case %d: the error shows a secret: %v", i, err)
		}
	}
}

func TestAuthParameters(t *testing.T) {
	t.Parallel()
	tooMany := map[string]Secret{}
	for i := range maxParameters + 1 {
		tooMany[fmt.Sprint("p", i)] = "x"
	}
	for _, test := range []struct {
		parameters map[string]Secret
		want       string // the wrong field; empty: valid
	}{
		{map[string]Secret{"audience": "https://api.test/ ü", "resource": "urn:x"}, ""},
		{map[string]Secret{"grant_type": "password"}, "auth.parameters.grant_type"},
		{map[string]Secret{"Scope": "a"}, "auth.parameters.Scope"},
		{map[string]Secret{"client_id": "a"}, "auth.parameters.client_id"},
		{map[string]Secret{"client_secret": "a"}, "auth.parameters.client_secret"},
		{map[string]Secret{"": "a"}, "auth.parameters"},
		{map[string]Secret{"a&b": "a"}, "auth.parameters"},
		{map[string]Secret{strings.Repeat("x", 101): "a"}, "auth.parameters"},
		{map[string]Secret{"audience": ""}, "auth.parameters.audience"},
		{map[string]Secret{"audience": "a\nb"}, "auth.parameters.audience"},
		{map[string]Secret{"audience": Secret(strings.Repeat("x", maxParameter+1))}, "auth.parameters.audience"},
		{tooMany, "auth.parameters"},
	} {
		s := subscription()
		s.Auth = oauth2Auth(func(a *Auth) { a.Parameters = test.parameters })
		if got := field(t, s.Validate()); got != test.want {
			t.Errorf("%v: %q is at fault; want %q", test.parameters, got, test.want)
		}
	}
}

func TestHeadersAreSetOnce(t *testing.T) {
	t.Parallel()
	certificate, key := pair(t, time.Now().Add(time.Hour))
	bearer := Auth{Type: AuthBearer, Token: "x"}
	apiKey := Auth{Type: AuthAPIKey, Header: "x-mine", Value: "x"}
	hmac := Signature{Scheme: "hmac-sha256-hex", Header: "x-mine"}
	tests := map[string]struct {
		auth      Auth
		signature Signature
		header    string
		url       string
		want      string
	}{
		"apart":                        {auth: bearer, signature: hmac, header: "X-Other"},
		"custom Authorization":         {header: "Authorization"},
		"custom and bearer":            {auth: bearer, header: "authorization", want: "request.headers.authorization"},
		"custom and basic":             {auth: Auth{Type: AuthBasic, Username: "a"}, header: "Authorization", want: "request.headers.Authorization"},
		"custom and oauth2":            {auth: oauth2Auth(nil), header: "Authorization", want: "request.headers.Authorization"},
		"custom and api_key":           {auth: apiKey, header: "X-MINE", want: "request.headers.X-MINE"},
		"custom and signature":         {signature: hmac, header: "X-Mine", want: "signature.header"},
		"auth and signature":           {auth: apiKey, signature: hmac, header: "X-Other", want: "signature.header"},
		"bearer and signature":         {auth: bearer, signature: Signature{Scheme: "hmac-sha256-hex", Header: "authorization"}, header: "X-Other", want: "signature.header"},
		"mtls and custom":              {auth: Auth{Type: AuthMTLS, Certificate: certificate, PrivateKey: key}, header: "Authorization", url: "HTTPS://a.test"},
		"mtls without TLS":             {auth: Auth{Type: AuthMTLS, Certificate: certificate, PrivateKey: key}, header: "X-Other", url: "http://a.test", want: "auth.type"},
		"api_key without other header": {auth: apiKey, header: "X-Other"},
	}
	for name, test := range tests {
		s := subscription()
		s.Auth, s.Signature = test.auth, test.signature
		s.Request.Headers = map[string]string{test.header: "x"}
		if test.url != "" {
			s.Request.URL = test.url
		}
		s.SetDefaults()
		if got := field(t, s.Validate()); got != test.want {
			t.Errorf("%s: %q is at fault; want %q", name, got, test.want)
		}
	}
}

func TestAuthIsNeverPrinted(t *testing.T) {
	t.Parallel()
	a := Auth{Password: "s3cret", Token: "s3cret", Value: "s3cret", ClientSecret: "s3cret", PrivateKey: "s3cret"}
	work := LoadedDelivery{Subscription: Subscription{Auth: a}}
	encoded, err := json.Marshal(work)
	if err != nil {
		t.Fatal(err)
	}
	printed := string(encoded) + fmt.Sprintf("%v %+v %#v %v %+v %#v", a, a, a, &a, work, work)
	if strings.Contains(printed, "s3cret") || strings.Contains(printed, fmt.Sprintf("%x", "s3cret")) {
		t.Errorf("printing shows a secret: %s", printed)
	}
}
