// Package signing makes and checks signing secrets, and signs requests with them. Each scheme is a
// separate file and a row of one table. The enumerations, the checks and the API's documentation
// follow from that table.
package signing

import (
	"crypto/ed25519"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// The headers of Standard Webhooks, in the spelling of net/http. Requests of every scheme carry the
// first two, by which receivers recognise a delivery that they already have.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// scheme is one way to sign requests.
type scheme struct {
	name  switchboard.Scheme
	words string // a description for the API's documentation

	// newSecret makes a random secret.
	newSecret func() switchboard.Secret
	// parse returns the key in a secret. Its error is an Invalid error for the field "secret" that
	// never shows the secret.
	parse func(switchboard.Secret) ([]byte, error)
	// sign returns the signature by one key. nil: the scheme signs nothing, has no secrets, and
	// uses no other field of this struct.
	sign func(key []byte, id, timestamp string, body []byte) string

	// publicKey returns the key with which receivers verify. nil: they verify with the secret.
	publicKey func(key []byte) ed25519.PublicKey
	// ownHeader is the default name of the signature's header, if the subscription may choose
	// another name and a prefix. Such a header holds one signature. Empty: webhook-signature, which
	// holds one signature for each secret.
	ownHeader string
	// bodyOnly says that the signature covers neither the id nor the timestamp.
	bodyOnly bool
}

// schemes lists every scheme.
var schemes = [...]scheme{standard, standardEd25519, hmacHex, none}

// Schemes lists the names of every scheme.
func Schemes() []switchboard.Scheme {
	names := make([]switchboard.Scheme, len(schemes))
	for i := range schemes {
		names[i] = schemes[i].name
	}
	return names
}

// Words describes the schemes for the API's documentation.
func Words() string {
	var words strings.Builder
	for i := range schemes {
		if schemes[i].words != "" {
			words.WriteString(string(schemes[i].name) + ": " + schemes[i].words + ". ")
		}
	}
	return words.String() + "None of them covers the URL or other headers"
}

// IsStandardWebhooks reports whether the scheme is one of Standard Webhooks, so that the receiver
// knows its specification.
func IsStandardWebhooks(name switchboard.Scheme) bool {
	s := find(name)
	return s != nil && s.sign != nil && s.ownHeader == ""
}

// find returns the scheme of that name, or nil.
func find(name switchboard.Scheme) *scheme {
	for i := range schemes {
		if schemes[i].name == name {
			return &schemes[i]
		}
	}
	return nil
}

// Sign sets webhook-id and webhook-timestamp, and the header with the signature, unless the
// scheme signs nothing. It replaces existing ones. The id is the delivery's, and so is the
// same for every attempt. at is the attempt's own time, since receivers refuse old
// timestamps.
//
// The secrets of [Valid] sign, so receivers may check with either one during a rotation. If
// the current secret cannot be used, or none is valid, it returns a *[switchboard.Error] for
// the field "secret" and does not change the header.
func Sign(header http.Header, signature switchboard.Signature, id string, at time.Time, body []byte, secrets []switchboard.SigningSecret) error {
	if err := validateSignature(&signature); err != nil {
		return err
	}
	s, timestamp := find(signature.Scheme), strconv.FormatInt(at.Unix(), 10)
	if s.sign != nil {
		valid, err := s.valid(secrets, at)
		if err != nil {
			return err
		}
		signatures := make([]string, len(valid))
		for i := range valid {
			signatures[i] = s.sign(valid[i].key, id, timestamp, body)
		}
		if s.ownHeader != "" {
			header.Set(signature.Header, signature.Prefix+signatures[0])
		} else {
			header.Set(headerSignature, strings.Join(signatures, " "))
		}
	}
	header.Set(headerID, id)
	header.Set(headerTimestamp, timestamp)
	return nil
}
