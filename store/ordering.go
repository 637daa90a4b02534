package store

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// The deliveries of a key form a queue, in the order of their positions: the open ones, except for
// those that an operator holds. Only the first of a queue may be sent. Each other one is blocked by
// the one before it, or held for a reason that has nothing to do with its key.
//
// A transaction that adds a delivery to a queue or removes one locks the row of ordering_keys,
// after the subscription and before deliveries. If saveTransitions ends a delivery or sets it
// aside, it also removes it from its queue and releases the next one.

// orderingKey names a queue.
type orderingKey struct{ subscription, key string }

func compareKeys(a, b orderingKey) int {
	return cmp.Or(strings.Compare(a.subscription, b.subscription), strings.Compare(a.key, b.key))
}

func (r *row) orderingKey() orderingKey { return orderingKey{r.SubscriptionID, r.Key} }

// queued reports whether the delivery is in the queue of its key.
func queued(d *switchboard.Delivery) bool {
	return d.Ordered && !d.State.Final() && (d.State != switchboard.StateHeld || d.Reason != switchboard.ReasonOperator)
}

// isQueued is queued in SQL, written so that Postgres uses the index deliveries_key.
const isQueued = "d.key <> '' AND d.completed_at IS NULL AND d.ordered AND NOT (d.state = 'held' AND d.reason = '" + switchboard.ReasonOperator + "')"

// queueQueries are the queries that run for each ordered delivery.
func queueQueries() []string {
	return []string{queuesOfQuery, lockSubscriptionsQuery, lockKeysQuery, blockedQuery, lockBlockedQuery, beforeQuery}
}

// queuesOfQuery reads the keys of the deliveries $1, with the bounds $2 and $3.
const queuesOfQuery = "SELECT DISTINCT subscription_id, key FROM deliveries WHERE id = ANY($1) AND id >= $2 AND id <= $3 AND ordered"

const lockSubscriptionsQuery = "SELECT id FROM subscriptions WHERE id = ANY($1) ORDER BY id FOR SHARE"

// lockKeysQuery locks the keys $2 of the subscriptions $1.
const lockKeysQuery = `
SELECT subscription_id, key, last_delivery, last_position FROM ordering_keys
WHERE (subscription_id, key) IN (SELECT * FROM unnest($1::text[], $2::text[])) ORDER BY subscription_id, key FOR UPDATE`

// blockedQuery finds the deliveries that wait for one of $1.
const blockedQuery = "SELECT id FROM deliveries WHERE blocked_by = ANY($1) AND blocked_by <> ''"

var lockBlockedQuery = "SELECT " + fields("deliveries", rowFields, "") + " FROM deliveries WHERE blocked_by = ANY($1) AND blocked_by <> '' ORDER BY id FOR NO KEY UPDATE"

// beforeQuery finds, in the queue of each key $3 of the subscription $2, the last delivery before
// the position $4. $1 is a label for each result. OFFSET 0 makes Postgres look for each alone.
const beforeQuery = `
SELECT n.name, b.id FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS n(name, subscription_id, key, position)
CROSS JOIN LATERAL (SELECT d.id FROM deliveries d WHERE d.subscription_id = n.subscription_id AND d.key = n.key AND ` + isQueued + ` AND d.position < n.position
	ORDER BY d.position DESC LIMIT 1 OFFSET 0) b`

// keyRow is a row of ordering_keys.
type keyRow struct {
	SubscriptionID, Key string
	LastDelivery        string
	LastPosition        int64
}

func (k keyRow) orderingKey() orderingKey { return orderingKey{k.SubscriptionID, k.Key} }

// split makes the arguments of a query of keys, in the same order.
func split(keys []orderingKey) (subscriptions, names []string) {
	for _, k := range keys {
		subscriptions, names = append(subscriptions, k.subscription), append(names, k.key)
	}
	return subscriptions, names
}

// distinctKeys returns the keys of the deliveries, in order.
func distinctKeys(rows []*row) []orderingKey {
	keys := make([]orderingKey, 0, len(rows))
	for _, r := range rows {
		keys = append(keys, r.orderingKey())
	}
	slices.SortFunc(keys, compareKeys)
	return slices.Compact(keys)
}

// lockInQueues locks deliveries that will end, be set aside or begin again. It first locks their
// subscriptions and keys, if they have keys. It also locks the deliveries that wait for them, and
// returns all of them by id.
func lockInQueues(ctx context.Context, tx transaction, ids ...string) (map[string]*row, error) {
	blocked, err := lockQueues(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	return lockDeliveries(ctx, tx, append(blocked, ids...))
}

// lockQueues locks the subscriptions and keys of the ordered ones of the deliveries, and returns
// the deliveries that wait for them.
func lockQueues(ctx context.Context, tx transaction, ids []string) (blocked []string, err error) {
	_, blocked, err = lockQueuesBy(ctx, tx, ids, lockKeys)
	return blocked, err
}

// lockQueuesBy is lockQueues with that lock for the keys, which it also returns.
func lockQueuesBy(ctx context.Context, tx transaction, ids []string, lock keyLock) (keys []orderingKey, blocked []string, err error) {
	if len(ids) == 0 {
		return nil, nil, nil
	}
	var found []keyRow
	least, greatest := bounds(ids)
	if err := tx.SelectContext(ctx, &found, queuesOfQuery, pq.Array(ids), least, greatest); err != nil || len(found) == 0 {
		return nil, nil, err
	}
	keys = make([]orderingKey, len(found))
	for i, f := range found {
		keys[i] = f.orderingKey()
	}
	slices.SortFunc(keys, compareKeys)
	subscriptions, _ := split(keys)
	var locked []string
	if err := tx.SelectContext(ctx, &locked, lockSubscriptionsQuery, pq.Array(unique(subscriptions))); err != nil {
		return nil, nil, err
	}
	if _, err := lock(ctx, tx, keys); err != nil {
		return nil, nil, err
	}
	err = tx.SelectContext(ctx, &blocked, blockedQuery, pq.Array(ids))
	return keys, blocked, err
}

// keyLock locks keys, which are in order: [lockKeys] or [lockOrMakeKeys].
type keyLock func(ctx context.Context, tx transaction, keys []orderingKey) (map[orderingKey]keyRow, error)

// lockKeys locks the keys, which are in order, that have a queue.
func lockKeys(ctx context.Context, tx transaction, keys []orderingKey) (map[orderingKey]keyRow, error) {
	subscriptions, names := split(keys)
	var found []keyRow
	if err := tx.SelectContext(ctx, &found, lockKeysQuery, pq.Array(subscriptions), pq.Array(names)); err != nil {
		return nil, err
	}
	locked := make(map[orderingKey]keyRow, len(found))
	for _, k := range found {
		locked[k.orderingKey()] = k
	}
	return locked, nil
}

// lockOrMakeKeys locks the keys, which are in order, and makes the missing rows. A transaction that
// may enter the queues of several keys locks all of them so in advance. If it locked each key when
// it enters the queue, the order would differ from that of other transactions.
func lockOrMakeKeys(ctx context.Context, tx transaction, keys []orderingKey) (map[orderingKey]keyRow, error) {
	subscriptions, names := split(keys)
	var found []keyRow
	if err := tx.SelectContext(ctx, &found, `
INSERT INTO ordering_keys AS k (subscription_id, key) SELECT * FROM unnest($1::text[], $2::text[])
ON CONFLICT (subscription_id, key) DO UPDATE SET last_position = k.last_position RETURNING subscription_id, key, last_delivery, last_position`,
		pq.Array(subscriptions), pq.Array(names)); err != nil {
		return nil, err
	}
	locked := make(map[orderingKey]keyRow, len(found))
	for _, k := range found {
		locked[k.orderingKey()] = k
	}
	return locked, nil
}

// saveKeys saves rows of ordering_keys that are locked. A row without a last delivery is deleted.
func saveKeys(ctx context.Context, tx transaction, rows ...keyRow) error {
	var subscriptions, names, last []string
	var positions []int64
	for _, k := range rows {
		subscriptions, names, last, positions = append(subscriptions, k.SubscriptionID), append(names, k.Key), append(last, k.LastDelivery), append(positions, k.LastPosition)
	}
	if _, err := tx.ExecContext(ctx, `
UPDATE ordering_keys k SET last_delivery = n.last_delivery, last_position = n.last_position
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS n(subscription_id, key, last_delivery, last_position)
WHERE k.subscription_id = n.subscription_id AND k.key = n.key AND n.last_delivery <> ''`, pq.Array(subscriptions), pq.Array(names), pq.Array(last), pq.Array(positions)); err != nil {
		return err
	}
	if !slices.Contains(last, "") {
		return nil
	}
	_, err := tx.ExecContext(ctx, `
DELETE FROM ordering_keys k USING unnest($1::text[], $2::text[], $3::text[]) AS n(subscription_id, key, last_delivery)
WHERE k.subscription_id = n.subscription_id AND k.key = n.key AND n.last_delivery = ''`, pq.Array(subscriptions), pq.Array(names), pq.Array(last))
	return err
}

// dropUnusedKeys deletes the keys, which are locked, whose queues no delivery has entered.
func dropUnusedKeys(ctx context.Context, tx transaction, keys []orderingKey) error {
	if len(keys) == 0 {
		return nil
	}
	subscriptions, names := split(keys)
	_, err := tx.ExecContext(ctx, `
DELETE FROM ordering_keys k USING unnest($1::text[], $2::text[]) AS n(subscription_id, key)
WHERE k.subscription_id = n.subscription_id AND k.key = n.key AND k.last_delivery = ''`, pq.Array(subscriptions), pq.Array(names))
	return err
}

// enter puts a delivery that is in no queue at the end of the queue of its key, and returns the one
// before it; empty: it is the first.
func enter(ctx context.Context, tx transaction, r *row) (predecessor string, err error) {
	keys, err := lockOrMakeKeys(ctx, tx, []orderingKey{r.orderingKey()})
	if err != nil {
		return "", err
	}
	k := keys[r.orderingKey()]
	predecessor = k.LastDelivery
	k.LastDelivery, k.LastPosition = r.ID, k.LastPosition+1
	r.Position = k.LastPosition
	return predecessor, saveKeys(ctx, tx, k)
}

// enterAgain puts an ordered delivery that was final, and is not any more, into its queue. It is
// blocked if others are open.
func enterAgain(ctx context.Context, tx transaction, now time.Time, before switchboard.Delivery, r *row) error {
	if queued(&before) || !queued(&r.Delivery) {
		return nil
	}
	predecessor, err := enter(ctx, tx, r)
	if err != nil || predecessor == "" {
		return err
	}
	flow, err := lockFlow(ctx, tx, r.SubscriptionID, shared)
	if err != nil {
		return err
	}
	a := switchboard.Admit(now, switchboard.Conditions{Subscription: &switchboard.Subscription{HoldFor: flow.Subscription.HoldFor}, Predecessor: predecessor})
	r.Hold(now, r.Generation, a)
	return nil
}

// predecessors returns, for ordered deliveries that must wait, the delivery before them in the
// queue of their key. The deliveries are locked with lockInQueues and will be released. One that an
// operator holds enters its queue at the end.
func predecessors(ctx context.Context, tx transaction, rows ...*row) (map[string]string, error) {
	found, inQueue := map[string]string{}, []*row{}
	for _, r := range rows {
		switch {
		case queued(&r.Delivery):
			inQueue = append(inQueue, r)
		case r.Ordered:
			predecessor, err := enter(ctx, tx, r)
			if err != nil {
				return nil, err
			}
			found[r.ID] = predecessor
		}
	}
	return found, findBefore(ctx, tx, found, inQueue)
}

// findBefore adds the predecessors of deliveries that are in their queues, as they are stored.
func findBefore(ctx context.Context, tx transaction, found map[string]string, rows []*row) error {
	var names, subscriptions, keys []string
	var positions []int64
	for _, r := range rows {
		names, subscriptions, keys, positions = append(names, r.ID), append(subscriptions, r.SubscriptionID), append(keys, r.Key), append(positions, r.Position)
	}
	return selectBefore(ctx, tx, found, names, subscriptions, keys, positions)
}

func selectBefore(ctx context.Context, tx transaction, found map[string]string, names, subscriptions, keys []string, positions []int64) error {
	if len(names) == 0 {
		return nil
	}
	var rows []struct{ Name, ID string }
	err := tx.SelectContext(ctx, &rows, beforeQuery, pq.Array(names), pq.Array(subscriptions), pq.Array(keys), pq.Array(positions))
	for _, r := range rows {
		found[r.Name] = r.ID
	}
	return err
}

// leaveQueues removes deliveries that have ended, or that an operator holds, from the queues of
// their keys, and releases the next of each queue. The deliveries are saved already.
func (s *Store) leaveQueues(ctx context.Context, tx transaction, rows []*row) error {
	left := slices.DeleteFunc(rows, func(r *row) bool { return !r.Ordered || queued(&r.Delivery) })
	if len(left) == 0 {
		return nil
	}
	keys, err := lockKeys(ctx, tx, distinctKeys(left)) // locked already, unless the delivery has just entered its queue
	if err != nil {
		return err
	}
	ids := make([]string, len(left))
	for i, r := range left {
		ids[i] = r.ID
	}
	var next []*row
	if err := tx.SelectContext(ctx, &next, lockBlockedQuery, pq.Array(ids)); err != nil {
		return err
	}
	if err := s.releaseUnblocked(ctx, tx, next); err != nil {
		return err
	}
	return shortenQueues(ctx, tx, keys, ids)
}

// releaseUnblocked releases deliveries whose predecessor has left the queue, if they are admitted:
// another delivery may be before them, or their subscription may be paused. Deliveries of a deleted
// subscription stay as they are, because the operation that cancels them is running.
func (s *Store) releaseUnblocked(ctx context.Context, tx transaction, next []*row) error {
	before := map[string]string{}
	if err := findBefore(ctx, tx, before, next); err != nil {
		return err
	}
	now, flows, from := s.now(), map[string]switchboard.Conditions{}, map[string]switchboard.State{}
	var released, others []*row
	for _, r := range next {
		flow, known := flows[r.SubscriptionID]
		if !known {
			var err error
			if flow, err = lockFlow(ctx, tx, r.SubscriptionID, shared); err != nil {
				return err
			}
			flows[r.SubscriptionID] = flow
		}
		if !flow.Subscription.DeletedAt.IsZero() {
			continue
		}
		flow.Delivery, flow.Predecessor = &r.Delivery, before[r.ID]
		a := switchboard.Admit(now, flow)
		if a.Kind == switchboard.AdmissionEnd {
			a = switchboard.Admission{Kind: switchboard.AdmissionSend} // its attempt ends it, and then the next one's
		}
		from[r.ID] = r.State
		if err := r.Release(now, now, a); err != nil {
			return err
		}
		if r.State.HasNextAttempt() {
			released = append(released, r)
		} else {
			others = append(others, r)
		}
	}
	if err := s.saveTransitions(ctx, tx, bySwitchboard(switchboard.ActionRelease, "no earlier delivery of its key is open any more"), from, released...); err != nil {
		return err
	}
	return s.saveTransitions(ctx, tx, switchboard.Action{}, from, others...)
}

// shortenQueues finds the new last delivery of queues whose last one has left.
func shortenQueues(ctx context.Context, tx transaction, keys map[orderingKey]keyRow, left []string) error {
	var names, subscriptions, ofKeys []string
	var positions []int64
	for _, k := range keys {
		if slices.Contains(left, k.LastDelivery) {
			names, subscriptions, ofKeys, positions = append(names, k.LastDelivery), append(subscriptions, k.SubscriptionID), append(ofKeys, k.Key), append(positions, math.MaxInt64)
		}
	}
	last := map[string]string{}
	if err := selectBefore(ctx, tx, last, names, subscriptions, ofKeys, positions); err != nil || len(names) == 0 {
		return err
	}
	var changed []keyRow
	for _, k := range keys {
		if slices.Contains(names, k.LastDelivery) {
			k.LastDelivery = last[k.LastDelivery]
			changed = append(changed, k)
		}
	}
	return saveKeys(ctx, tx, changed...)
}
