package switchboard

import (
	"errors"
	"strings"
	"testing"
)

// field returns the field that an error refuses as invalid, empty for nil.
func field(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != CodeInvalid || e.Field == "" || e.Message == "" {
		t.Fatalf("%v; want an invalid field", err)
	}
	return e.Field
}

func TestSignatureValidate(t *testing.T) {
	t.Parallel()
	const header, prefix, scheme = "signature.header", "signature.prefix", "signature.scheme"
	tests := []struct {
		given Signature
		want  string // the field at fault; empty: valid
	}{
		{Signature{}, ""},
		{Signature{Scheme: SchemeStandard}, ""},
		{Signature{Scheme: SchemeStandardEd25519}, ""},
		{Signature{Scheme: SchemeNone}, ""},
		{Signature{Scheme: SchemeHMACHex}, ""},
		{Signature{Scheme: SchemeHMACHex, Header: "x-signalzen-signature", Prefix: "sha256="}, ""},
		{Signature{Scheme: SchemeHMACHex, Header: "Authorization", Prefix: "HMAC "}, ""},
		{Signature{Scheme: SchemeHMACHex, Prefix: strings.Repeat("p", maxPrefix)}, ""},
		{Signature{Scheme: "Standard"}, scheme},
		{Signature{Scheme: "v1"}, scheme},
		{Signature{Scheme: SchemeStandard, Header: "X-Signature"}, header},
		{Signature{Scheme: SchemeStandardEd25519, Header: "X-Signature"}, header},
		{Signature{Scheme: SchemeNone, Prefix: "sha256="}, prefix},
		{Signature{Header: "X-Signature"}, header},
		{Signature{Scheme: SchemeHMACHex, Header: "X Signature"}, header},
		{Signature{Scheme: SchemeHMACHex, Header: "X-Signature\r\nX: y"}, header},
		{Signature{Scheme: SchemeHMACHex, Header: strings.Repeat("x", MaxName+1)}, header},
		{Signature{Scheme: SchemeHMACHex, Header: "webhook-signature"}, header},
		{Signature{Scheme: SchemeHMACHex, Header: "Webhook-Mine"}, header},
		{Signature{Scheme: SchemeHMACHex, Header: "content-type"}, header},
		{Signature{Scheme: SchemeHMACHex, Header: "Host"}, header},
		{Signature{Scheme: SchemeHMACHex, Prefix: " sha256="}, prefix},
		{Signature{Scheme: SchemeHMACHex, Prefix: "a\r\nX: y"}, prefix},
		{Signature{Scheme: SchemeHMACHex, Prefix: "sha256\u00a0"}, prefix},
		{Signature{Scheme: SchemeHMACHex, Prefix: strings.Repeat("p", maxPrefix+1)}, prefix},
	}
	for _, test := range tests {
		s := subscription()
		s.Signature = test.given
		s.SetDefaults()
		if got := field(t, s.Validate()); got != test.want {
			t.Errorf("%+v: %q is at fault; want %q", test.given, got, test.want)
		}
	}
}

func TestSignatureHeaderIsNeededWithoutDefaults(t *testing.T) {
	t.Parallel()
	s := Signature{Scheme: SchemeHMACHex}
	if got := field(t, s.Validate()); got != "signature.header" {
		t.Errorf("%q is at fault; want signature.header", got)
	}
	if s.setDefaults(); s.Header != DefaultSignatureHeader {
		t.Errorf("the default header is %q", s.Header)
	}
}
