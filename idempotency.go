package switchboard

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// IdempotencyHeader makes a request safe to repeat.
const IdempotencyHeader = "Idempotency-Key"

// IdempotencyClaim is the result of claiming an Idempotency-Key: the right to execute the
// request, or the answer that it was given when it was executed.
type IdempotencyClaim struct {
	Name      [sha256.Size]byte // hash of the key and its owner
	CreatedAt time.Time         // when the key was first used
	Until     time.Time         // nobody else executes the request before
	Answer    *StoredAnswer     // nil: the request is to be executed
}

// StoredAnswer is the answer to a request that was executed.
type StoredAnswer struct {
	Status int
	Body   []byte
}

// EventID is the id of the request's event of that number, if the platform gave none. A
// process that executes the request again, because the first one died before it stored the
// answer, uses the same id and so creates no second event.
func (c IdempotencyClaim) EventID(number int) string {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64(c.Name[:], uint64(number)))
	return idOf(EventPrefix, c.CreatedAt, seed[:])
}

// DeliveryID is the id of the delivery that the request makes, for the same reason.
func (c IdempotencyClaim) DeliveryID() string { return idOf(DeliveryPrefix, c.CreatedAt, c.Name[:]) }
