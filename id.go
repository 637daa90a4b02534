package switchboard

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
	"time"
)

// The prefixes of ids. They say what an id names, so that a support engineer knows where to
// look it up.
const (
	EventPrefix        = "evt_"
	SubscriptionPrefix = "sub_"
	DeliveryPrefix     = "dlv_"
	AttemptPrefix      = "att_"
	KeyPrefix          = "key_"
	ActionPrefix       = "act_"
	OperationPrefix    = "op_"
)

// crockford's alphabet has no letters that look like digits, preserves the order of the
// encoded bytes, and has no '.', which Standard Webhooks forbids in a webhook-id.
const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// idLength is the length of an id without its prefix: 16 bytes at 5 bits a letter.
const idLength = 26

// NewID returns an id that sorts by time: 48 bits of Unix milliseconds followed by 80 random
// bits, as in a ULID.
func NewID(prefix string, at time.Time) string {
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	return idOf(prefix, at, random[:])
}

// idOf returns the id of a time and the first 80 bits of rest.
func idOf(prefix string, at time.Time, rest []byte) string {
	var b [16]byte
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (8 * (5 - i)))
	}
	copy(b[6:], rest)
	return prefix + base32.NewEncoding(crockford).WithPadding(base32.NoPadding).EncodeToString(b[:])
}

// IDTime returns when an id with that prefix was made, to the millisecond. It reports false for an
// id that [NewID] could not have made.
func IDTime(prefix, id string) (time.Time, bool) {
	if !IsID(prefix, id) {
		return time.Time{}, false
	}
	b, err := base32.NewEncoding(crockford).WithPadding(base32.NoPadding).DecodeString(id[len(prefix):])
	if err != nil {
		return time.Time{}, false
	}
	var ms int64
	for _, octet := range b[:6] {
		ms = ms<<8 | int64(octet)
	}
	return time.UnixMilli(ms).UTC(), true
}

// IsID reports whether s could have been made by [NewID] with that prefix.
func IsID(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	return ok && len(rest) == idLength && strings.Trim(rest, crockford) == ""
}
