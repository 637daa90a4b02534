package store

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/lib/pq"
)

// useInterval is the precision of the last use of a key. All processes together write it at most
// once in this time.
const useInterval = time.Minute

// keyUsesQuery dates uses that are not dated already. It skips a locked row, because another
// process is dating it.
const keyUsesQuery = `
UPDATE keys SET last_used_at = $2 WHERE id IN (
	SELECT id FROM keys WHERE id = ANY($1) AND (last_used_at IS NULL OR last_used_at <= $3) FOR UPDATE SKIP LOCKED)`

// keyUses has the uses of keys that must be written. A caller does not wait for the write.
type keyUses struct {
	write func(ids []string)

	mu      sync.Mutex
	noted   map[string]time.Time // when a key was noted last, by its id
	due     []string
	writing bool
	closed  bool
	done    sync.WaitGroup
}

// note notes that the key was used, unless it was noted less than useInterval ago.
func (u *keyUses) note(id string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if at, noted := u.noted[id]; u.closed || noted && now.Sub(at) < useInterval {
		return
	}
	u.noted[id], u.due = now, append(u.due, id)
	if !u.writing {
		u.writing = true
		u.done.Go(u.writeDue)
	}
}

// writeDue writes until nothing is due.
func (u *keyUses) writeDue() {
	for {
		u.mu.Lock()
		ids := u.due
		if u.due = nil; len(ids) == 0 {
			u.writing = false
			u.mu.Unlock()
			return
		}
		u.mu.Unlock()
		u.write(ids)
	}
}

// forget removes entries that are no longer needed.
func (u *keyUses) forget(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(u.noted, func(_ string, at time.Time) bool { return now.Sub(at) >= useInterval })
}

// close waits for running writes. Nothing may be noted afterwards.
func (u *keyUses) close() {
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()
	u.done.Wait()
}

// writeKeyUses writes that these keys were used. If Postgres is unavailable, this use is lost, and
// the next one after useInterval is written.
func (s *Store) writeKeyUses(ids []string) {
	now := s.now()
	s.uses.forget(now)
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	_, _ = s.db.ExecContext(ctx, keyUsesQuery, pq.StringArray(ids), now, now.Add(-useInterval))
}
