package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"

	"github.com/seed-49a43567/switchboard"
)

// fakeIdempotency keeps answers as the store does, without their expiry.
type fakeIdempotency struct {
	mu      sync.Mutex
	byName  map[string]*fakeClaim
	deaf    bool // answers are not kept
	claims  int
	deleted int
}

type fakeClaim struct {
	request [sha256.Size]byte
	open    bool
	answer  *switchboard.StoredAnswer
}

func (f *fakeIdempotency) Claim(_ context.Context, apiKeyID, key string, request [sha256.Size]byte) (switchboard.IdempotencyClaim, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	claim := switchboard.IdempotencyClaim{Name: sha256.Sum256([]byte(apiKeyID + " " + key)), CreatedAt: created}
	known := f.byName[string(claim.Name[:])]
	switch {
	case known == nil:
		if f.byName == nil {
			f.byName = map[string]*fakeClaim{}
		}
		f.byName[string(claim.Name[:])] = &fakeClaim{request: request, open: true}
	case known.request != request:
		return claim, &switchboard.Error{Code: switchboard.CodeKeyReused, Field: "Idempotency-Key", Message: "came with another request"}
	case known.open:
		return claim, &switchboard.Error{Code: switchboard.CodeConflict, Field: "Idempotency-Key", Message: "is under way"}
	default:
		claim.Answer, known.open = known.answer, known.answer == nil
	}
	f.claims++
	return claim, nil
}

func (f *fakeIdempotency) SaveAnswer(_ context.Context, claim switchboard.IdempotencyClaim, answer switchboard.StoredAnswer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.byName[string(claim.Name[:])]
	known.open = false
	if f.deaf {
		return errors.New("the database is away")
	}
	known.answer = &answer
	return nil
}

func (f *fakeIdempotency) Release(_ context.Context, claim switchboard.IdempotencyClaim, nothingDone bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byName[string(claim.Name[:])].open = false
	if nothingDone {
		f.deleted++
		delete(f.byName, string(claim.Name[:]))
	}
	return nil
}
