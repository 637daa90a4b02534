package store

import (
	"context"
	"slices"

	"github.com/lib/pq"

	"switchboard"
)

const (
	// maxEndpoints is how many subscriptions are kept decrypted and parsed: those
	// that deliveries went to last.
	maxEndpoints = 1000
	// maxEndpoint is what one may take to be kept, in bytes: more than nearly every
	// one has. With long params or certificates it is read for each attempt.
	maxEndpoint = 8 << 10
)

// revisionColumn says which version of its row a subscription s has: Postgres
// writes the transaction that made it into every row, so that no change can forget
// to. A new secret changes its subscription's row too.
const revisionColumn = "s.xmin::text AS revision"

// endpoint is a subscription with its signing secrets, as a revision has it.
type endpoint struct {
	revision     string
	subscription switchboard.Subscription
}

func endpointsQuery() string {
	return "SELECT " + fields("s", subscriptionFields, "") + ", " + revisionColumn + ", " + secretsColumn +
		" FROM subscriptions s WHERE s.id = ANY($1)"
}

// endpoints returns the subscriptions with the secrets that are valid now. It reads
// those that it does not know at their revision, which are by their ids.
func (s *Store) endpoints(ctx context.Context, db session, revisions map[string]string) (map[string]result[switchboard.Subscription], error) {
	found := make(map[string]result[switchboard.Subscription], len(revisions))
	var unknown []string
	for id, revision := range revisions {
		if known, ok := s.known.Get(id); ok && known.revision == revision {
			found[id] = result[switchboard.Subscription]{out: s.validNow(known.subscription)}
		} else {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) == 0 {
		return found, nil
	}
	var rows []struct {
		subscriptionRow
		Revision string
		Secrets  []byte
	}
	if err := db.SelectContext(ctx, &rows, endpointsQuery(), pq.Array(unknown), s.now()); err != nil {
		return nil, err
	}
	for _, r := range rows {
		sub, err := s.keys.endpoint(r.subscriptionRow, r.Secrets)
		found[r.ID] = result[switchboard.Subscription]{sub, err}
		if err == nil && len(r.PrivateCiphertext)+len(r.HeadersCiphertext)+len(r.Shape) <= maxEndpoint {
			s.known.Add(r.ID, endpoint{r.Revision, sub})
		}
	}
	return found, nil
}

// validNow leaves out the secrets that have expired since the subscription was read.
func (s *Store) validNow(sub switchboard.Subscription) switchboard.Subscription {
	now := s.now()
	expired := func(k switchboard.SigningSecret) bool { return !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(now) }
	if slices.ContainsFunc(sub.Secrets, expired) {
		sub.Secrets = slices.DeleteFunc(slices.Clone(sub.Secrets), expired)
	}
	return sub
}

// endpoint decrypts and parses a subscription with its secrets. Its filter has been
// applied long ago.
func (k *Keyring) endpoint(r subscriptionRow, secrets []byte) (switchboard.Subscription, error) {
	r.Filter = ""
	sub, err := k.subscription(r)
	if err != nil {
		return sub, err
	}
	sub.Secrets, err = k.secrets(sub.ID, secrets)
	return sub, err
}
