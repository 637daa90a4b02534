package webhook

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// The headers of Standard Webhooks, in the spelling of net/http.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// Sign sets webhook-id and webhook-timestamp, and the header that holds the
// signature, unless the scheme is [switchboard.Unsigned]. It replaces any that are
// there. The id is the delivery's and so the same at every attempt; at is the
// attempt's own time, since receivers refuse old timestamps.
//
// Every secret that has not expired at that time signs, so that during a rotation
// the receiver may check with either; but [switchboard.HMACHex] has room for one
// signature, which is the current secret's. A secret before the current one that
// was made for another scheme is passed over. A current one that cannot be used, or
// none at all, is a *[switchboard.Error] for the field "secret"; the header is then
// unchanged.
func Sign(header http.Header, signature switchboard.Signature, id string, at time.Time, body []byte, secrets []switchboard.SigningSecret) error {
	if err := signature.Validate(); err != nil {
		return err
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	if signature.Scheme != switchboard.SchemeNone {
		keys, err := validKeys(signature.Scheme, at, secrets)
		if err != nil {
			return err
		}
		name, value := signed(signature, keys, id, timestamp, body)
		header.Set(name, value)
	}
	header.Set(headerID, id)
	header.Set(headerTimestamp, timestamp)
	return nil
}

// SignatureWarnings says what a receiver may believe that the subscription's signature
// covers, and it does not; it is empty where there is nothing to say.
func SignatureWarnings(sub *switchboard.Subscription) []string {
	scheme := sub.Signature.Scheme
	if !sub.Request.InQuery() || scheme == switchboard.SchemeNone {
		return nil
	}
	return []string{"signature.scheme: " + string(scheme) + " covers webhook-id, webhook-timestamp and an empty body: with " +
		sub.Request.Method + " the params are the query string, and whoever changes that on the way does not break the signature"}
}

// validKeys returns the keys of the secrets that have not expired, at least one.
func validKeys(scheme switchboard.Scheme, at time.Time, secrets []switchboard.SigningSecret) ([][]byte, error) {
	var keys [][]byte
	for _, secret := range secrets {
		current := secret.ExpiresAt.IsZero()
		if !current && !secret.ExpiresAt.After(at) {
			continue
		}
		key, err := scheme.Key(secret.Secret)
		switch {
		case err == nil:
			keys = append(keys, key)
		case current:
			return nil, err
		}
	}
	if len(keys) == 0 {
		return nil, switchboard.InvalidField("secret", "the subscription has no signing secret that is valid now")
	}
	return keys, nil
}

// signed returns the header that holds the signature, and its value.
func signed(signature switchboard.Signature, keys [][]byte, id, timestamp string, body []byte) (name, value string) {
	if signature.Scheme == switchboard.SchemeHMACHex {
		return signature.Header, signature.Prefix + hexSignature(keys[0], body)
	}
	signatures := make([]string, len(keys))
	for i, key := range keys {
		if signature.Scheme == switchboard.SchemeStandardEd25519 {
			signatures[i] = ed25519Signature(key, id, timestamp, body)
		} else {
			signatures[i] = standardSignature(key, id, timestamp, body)
		}
	}
	return headerSignature, strings.Join(signatures, " ")
}
