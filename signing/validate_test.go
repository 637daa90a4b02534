package signing

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	type signature = switchboard.Signature
	const header, prefix, scheme = "signature.header", "signature.prefix", "signature.scheme"
	tests := []struct {
		given signature
		want  string // the field at fault; empty: valid
	}{
		{signature{}, ""},
		{signature{Scheme: Standard}, ""},
		{signature{Scheme: StandardEd25519}, ""},
		{signature{Scheme: None}, ""},
		{signature{Scheme: HMACHex}, ""},
		{signature{Scheme: HMACHex, Header: "x-signalzen-signature", Prefix: "sha256="}, ""},
		{signature{Scheme: HMACHex, Header: "Authorization", Prefix: "HMAC "}, ""},
		{signature{Scheme: HMACHex, Prefix: strings.Repeat("p", maxPrefix)}, ""},
		{signature{Scheme: "Standard"}, scheme},
		{signature{Scheme: "v1"}, scheme},
		{signature{Scheme: Standard, Header: "X-Signature"}, header},
		{signature{Scheme: StandardEd25519, Header: "X-Signature"}, header},
		{signature{Scheme: None, Prefix: "sha256="}, prefix},
		{signature{Header: "X-Signature"}, header},
		{signature{Scheme: HMACHex, Header: "X Signature"}, header},
		{signature{Scheme: HMACHex, Header: "X-Signature\r\nX: y"}, header},
		{signature{Scheme: HMACHex, Header: strings.Repeat("x", switchboard.MaxName+1)}, header},
		{signature{Scheme: HMACHex, Header: "webhook-signature"}, header},
		{signature{Scheme: HMACHex, Header: "Webhook-Mine"}, header},
		{signature{Scheme: HMACHex, Header: "content-type"}, header},
		{signature{Scheme: HMACHex, Header: "Host"}, header},
		{signature{Scheme: HMACHex, Prefix: " sha256="}, prefix},
		{signature{Scheme: HMACHex, Prefix: "a\r\nX: y"}, prefix},
		{signature{Scheme: HMACHex, Prefix: "sha256\u00a0"}, prefix},
		{signature{Scheme: HMACHex, Prefix: strings.Repeat("p", maxPrefix+1)}, prefix},
	}
	for _, test := range tests {
		sub := switchboard.Subscription{Signature: test.given}
		SetDefaults(&sub.Signature)
		if got := field(t, Validate(&sub)); got != test.want {
			t.Errorf("%+v: %q is at fault; want %q", test.given, got, test.want)
		}
	}
}

// field returns the field that an error refuses as invalid, or "" for nil.
func field(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*switchboard.Error](err)
	if !ok || e.Code != switchboard.CodeInvalid || e.Field == "" || e.Message == "" {
		t.Fatalf("%v; want an invalid field", err)
	}
	return e.Field
}

// What the signature of a request without a body covers: a signature of only the body would always
// be the same, and the other schemes warn of what they do not cover.
func TestQueryParams(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		scheme switchboard.Scheme
		method string
		field  string // at fault
		warns  bool
	}{
		{Standard, "GET", "", true},
		{StandardEd25519, "DELETE", "", true},
		{HMACHex, "GET", "signature.scheme", true},
		{HMACHex, "POST", "", false},
		{Standard, "POST", "", false},
		{None, "GET", "", false},
	} {
		sub := switchboard.Subscription{
			Signature: switchboard.Signature{Scheme: test.scheme},
			Request:   switchboard.Request{Method: test.method, Body: switchboard.BodyParams},
		}
		SetDefaults(&sub.Signature)
		if got := field(t, Validate(&sub)); got != test.field {
			t.Errorf("%s, %s: %q is at fault; want %q", test.scheme, test.method, got, test.field)
		}
		if warnings := Warnings(&sub); (len(warnings) > 0) != test.warns {
			t.Errorf("%s, %s: warnings %q", test.scheme, test.method, warnings)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ given, want switchboard.Signature }{
		{switchboard.Signature{}, switchboard.Signature{Scheme: Standard}},
		{switchboard.Signature{Scheme: None}, switchboard.Signature{Scheme: None}},
		{switchboard.Signature{Scheme: HMACHex}, switchboard.Signature{Scheme: HMACHex, Header: "X-Webhook-Signature"}},
		{switchboard.Signature{Scheme: HMACHex, Header: "X-Sig"}, switchboard.Signature{Scheme: HMACHex, Header: "X-Sig"}},
		{switchboard.Signature{Scheme: "md5"}, switchboard.Signature{Scheme: "md5"}},
	} {
		got := test.given
		if SetDefaults(&got); got != test.want {
			t.Errorf("%+v: %+v; want %+v", test.given, got, test.want)
		}
	}
	if got := field(t, validateSignature(&switchboard.Signature{Scheme: HMACHex})); got != "signature.header" {
		t.Errorf("without defaults %q is at fault; want signature.header", got)
	}
}
