package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"switchboard"
)

// The headers of Standard Webhooks, in the spelling of net/http.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// Sign sets the headers of Standard Webhooks v1: webhook-id, webhook-timestamp and
// webhook-signature, replacing any that are there. The id is the delivery's and so
// the same at every attempt; at is the attempt's own time, since receivers refuse
// old timestamps.
//
// Every secret that has not expired at that time signs, so that during a rotation
// the receiver may check with either. A secret that cannot be used, or none at
// all, is a *[switchboard.Error] for the field "secret"; the header is then unchanged.
func Sign(header http.Header, id string, at time.Time, body []byte, secrets []switchboard.SigningSecret) error {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	var signatures []string
	for _, secret := range secrets {
		if !secret.ExpiresAt.IsZero() && !secret.ExpiresAt.After(at) {
			continue
		}
		key, err := switchboard.Standard.Key(secret.Secret)
		if err != nil {
			return err
		}
		signatures = append(signatures, "v1,"+signature(key, id, timestamp, body))
	}
	if len(signatures) == 0 {
		return switchboard.InvalidField("secret", "the subscription has no signing secret that is valid now")
	}
	header.Set(headerID, id)
	header.Set(headerTimestamp, timestamp)
	header.Set(headerSignature, strings.Join(signatures, " "))
	return nil
}

// signature is the HMAC-SHA256 of id, timestamp and body, joined by dots, in base64.
func signature(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
