package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store/batch"
)

const (
	// maxCached is how many subscriptions are cached decrypted and parsed: those with the latest
	// deliveries.
	maxCached = 1000
	// maxCachedSize is the largest size of a cached subscription in bytes; almost all are smaller.
	// One with long params or certificates is read for each attempt.
	maxCachedSize = 8 << 10
)

// revisionColumn is the version of the row of a subscription s. Postgres writes the transaction
// that made it into every row, so no change can forget it. A new secret changes its subscription's
// row too. The time distinguishes two transactions with one number, which a restored database may
// have.
const revisionColumn = "s.xmin::text || ' ' || s.updated_at AS revision"

// cachedSubscription is a subscription with its signing secrets and its health, at a revision. If
// the health changes a decision about deliveries, the subscription's flow changes too. The entry
// stays in memory until others replace it. A deleted subscription is dropped with the next delivery
// to it.
type cachedSubscription struct {
	revision     string
	subscription switchboard.Subscription
	health       switchboard.Health
}

func subscriptionsQuery() string {
	return "SELECT " + fields("s", subscriptionFields, "") + ", " + revisionColumn + ", " + secretsColumn + ", " + healthColumn +
		" FROM subscriptions s WHERE s.id = ANY($1)"
}

// subscriptionsAt returns the subscriptions with their secrets, by id. It reads those that are not
// cached at the given revision.
func (s *Store) subscriptionsAt(ctx context.Context, db session, revisions map[string]string) (map[string]batch.Result[cachedSubscription], error) {
	found := make(map[string]batch.Result[cachedSubscription], len(revisions))
	var others []string
	for id, revision := range revisions {
		if k, ok := s.cache.Get(id); ok && k.revision == revision {
			found[id] = batch.Result[cachedSubscription]{Out: k}
		} else {
			others = append(others, id)
		}
	}
	if len(others) == 0 {
		return found, nil
	}
	var rows []struct {
		subscriptionRow
		Revision string
		Secrets  []byte
		Health   []byte
	}
	if err := db.SelectContext(ctx, &rows, subscriptionsQuery(), pq.Array(others)); err != nil {
		return nil, err
	}
	for _, r := range rows {
		sub, err := s.signing(r.subscriptionRow, r.Secrets)
		health, unread := parseHealth(r.Health)
		if unread != nil {
			return nil, unread
		}
		loaded := cachedSubscription{r.Revision, sub, health}
		found[r.ID] = batch.Result[cachedSubscription]{Out: loaded, Err: err}
		if err == nil && sub.DeletedAt.IsZero() && len(r.PrivateCiphertext)+len(r.HeadersCiphertext)+len(r.Document) <= maxCachedSize {
			s.cache.Add(r.ID, loaded)
		} else {
			s.cache.Remove(r.ID)
		}
	}
	return found, nil
}

// signing decrypts and parses a subscription with its secrets. It leaves out the filter, which was
// applied before.
func (s *Store) signing(r subscriptionRow, secrets []byte) (switchboard.Subscription, error) {
	r.Filter = ""
	sub, why := s.subscription(r)
	why = errors.Join(why, addSecrets(s.keys, &sub, secrets))
	if err := sub.CheckReadable(); err != nil && sub.DeletedAt.IsZero() { // nothing is sent for a deleted one
		return sub, fmt.Errorf("%w: %w", err, why)
	}
	return sub, nil
}
