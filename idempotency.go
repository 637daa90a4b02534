package switchboard

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// IdempotencyHeader is the header of a request that is safe to repeat.
const IdempotencyHeader = "Idempotency-Key"

// IdempotencyClaim is what an Idempotency-Key gives the request that came with it: the
// right to be carried out, or the answer of the time when it was.
type IdempotencyClaim struct {
	Name      [sha256.Size]byte // of the key and whose it is
	CreatedAt time.Time         // when the key came first
	Until     time.Time         // nobody else carries the request out before
	Answer    *StoredAnswer     // nil: the request is to be carried out
}

// StoredAnswer is the answer to a request that was carried out.
type StoredAnswer struct {
	Status int
	Body   []byte
}

// EventID is the id of the request's event of that number, if the platform gave it none.
// Whoever carries the request out once more, because the first process died before it
// could keep its answer, makes the same id and so no second event.
func (c IdempotencyClaim) EventID(number int) string {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64(c.Name[:], uint64(number)))
	return idOf(EventPrefix, c.CreatedAt, seed[:])
}
