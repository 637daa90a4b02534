package api

import (
	"context"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/seed-49a43567/switchboard"
)

// maxSnapshots is for how many scopes a process keeps an answer of one call.
const maxSnapshots = 1000

// scope is all that an answer depends on: callers of one scope may have the same.
type scope string

// scopeOf is that of a caller who asks for a tenant; empty: for all that it sees.
func scopeOf(caller switchboard.Caller, tenant string) scope {
	return scope(fmt.Sprintf("%s\x00bound to %s\x00operators %t", tenant, caller.Tenant, caller.Sees(switchboard.OperatorTenant)))
}

// snapshots keep an answer that is dear to make, for a while and for each scope. Whoever asks
// meanwhile gets the same one, and those who ask while it is made wait for it.
type snapshots[T any] struct {
	age  time.Duration
	now  func() time.Time
	kept *lru.Cache[scope, snapshot[T]]
	made singleflight.Group
}

type snapshot[T any] struct {
	at     time.Time
	answer T
}

func newSnapshots[T any](age time.Duration) (*snapshots[T], error) {
	kept, err := lru.New[scope, snapshot[T]](maxSnapshots)
	return &snapshots[T]{age: age, now: time.Now, kept: kept}, err
}

// get returns the answer for the scope. What loads it is bounded by the store, and goes on when
// the caller who came first has gone.
func (s *snapshots[T]) get(ctx context.Context, of scope, load func(context.Context) (T, error)) (T, error) {
	if found, ok := s.kept.Get(of); ok && s.now().Sub(found.at) < s.age {
		return found.answer, nil
	}
	result := s.made.DoChan(string(of), func() (any, error) {
		at := s.now()
		answer, err := load(context.WithoutCancel(ctx))
		if err == nil {
			s.kept.Add(of, snapshot[T]{at, answer})
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
