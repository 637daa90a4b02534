package api

import (
	"context"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/seed-49a43567/switchboard"
)

const (
	// maxSnapshots is for how many scopes a process keeps an answer of one call.
	maxSnapshots = 1000
	// snapshotFactor is how long an answer is kept, between the limits, in multiples of the time
	// that it took to make. So constant requests use at most 5 % of a connection.
	snapshotFactor = 20
)

// scope is everything that an answer depends on. Callers with the same scope may get the same
// answer.
type scope string

// scopeOf returns the scope of a caller who requests a tenant; empty: everything that it sees.
func scopeOf(caller switchboard.Caller, tenant string) scope {
	return scope(fmt.Sprintf("%s\x00bound to %s\x00operators %t", tenant, caller.Tenant, caller.Sees(switchboard.OperatorTenant)))
}

// snapshots keeps answers that are expensive to make, for a while and for each scope. Callers in
// that time get the same answer, and callers who come while it is made wait for it.
type snapshots[T any] struct {
	least, most time.Duration // how long an answer is kept
	now         func() time.Time
	kept        *lru.Cache[scope, snapshot[T]]
	made        singleflight.Group
}

type snapshot[T any] struct {
	until  time.Time
	answer T
}

func newSnapshots[T any](least, most time.Duration) (*snapshots[T], error) {
	kept, err := lru.New[scope, snapshot[T]](maxSnapshots)
	return &snapshots[T]{least: least, most: most, now: time.Now, kept: kept}, err
}

// get returns the answer for the scope. The store limits the time to load it. Loading continues if
// the first caller leaves.
func (s *snapshots[T]) get(ctx context.Context, of scope, load func(context.Context) (T, error)) (T, error) {
	if answer, ok := s.find(of); ok {
		return answer, nil
	}
	result := s.made.DoChan(string(of), func() (any, error) {
		if answer, ok := s.find(of); ok { // it was made since the look above
			return answer, nil
		}
		at := s.now()
		answer, err := load(context.WithoutCancel(ctx))
		if err == nil {
			took := s.now().Sub(at)
			s.kept.Add(of, snapshot[T]{at.Add(min(max(snapshotFactor*took, s.least), s.most)), answer})
		}
		return answer, err
	})
	select {
	case r := <-result:
		return r.Val.(T), r.Err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// find returns the answer that is kept for the scope.
func (s *snapshots[T]) find(of scope) (answer T, ok bool) {
	found, ok := s.kept.Get(of)
	return found.answer, ok && s.now().Before(found.until)
}
