package switchboard

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// IdempotencyHeader makes a request safe to repeat.
const IdempotencyHeader = "Idempotency-Key"

// IdempotencyClaim is the result of claiming an Idempotency-Key: the right to execute the request,
// or the stored answer of an earlier execution.
type IdempotencyClaim struct {
	Name      [sha256.Size]byte // hash of the key and its owner
	CreatedAt time.Time         // when the key was first used
	Until     time.Time         // nobody else executes the request before then
	Answer    *StoredAnswer     // nil: the caller executes the request
}

// StoredAnswer is the answer to a request that was executed.
type StoredAnswer struct {
	Status int
	Body   []byte
}

// EventID returns the id of the request's event with that number, if the platform gave none. If a
// process executes the request again, because the first one died before it stored the answer, it
// uses the same id and so makes no second event.
func (c IdempotencyClaim) EventID(number int) string {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64(c.Name[:], uint64(number)))
	return idOf(EventPrefix, c.CreatedAt, seed[:])
}

// DeliveryID returns the id of the delivery that the request makes, for the same reason.
func (c IdempotencyClaim) DeliveryID() string { return idOf(DeliveryPrefix, c.CreatedAt, c.Name[:]) }
