package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/filter"
)

// replayData bounds the events of a step whose data a filter has to read, because they are in
// memory together.
const replayData = 50

// nextReplayed finds the next events of a replay.
func (s *Store) nextReplayed(ctx context.Context, o *operationRow, limit int) (stepItems, error) {
	var items stepItems
	q, err := s.selectedEvents(ctx, o.Filter, o.BoundID)
	if err != nil {
		return items, err
	}
	var subs []candidate
	if err := s.search(ctx, "operate", &subs, "SELECT "+candidateColumns+" FROM subscriptions s WHERE s.id = $1", o.SubscriptionID); err != nil {
		return items, err
	}
	columns := "id tenant type key created_at occurred_at"
	if len(subs) > 0 && subs[0].Filter != "" {
		limit, columns = min(limit, replayData), columns+" data"
	}
	items.events, items.throughAt, items.last, err = s.nextEvents(ctx, q, columns, o, limit)
	if end := len(items.events) - 1; end >= 0 && items.throughAt.IsZero() {
		items.throughID, items.throughAt = items.events[end].ID, items.events[end].CreatedAt
	}
	return items, err
}

// nextEvents returns the next events of a replay, in order. If it has looked further than the last
// of them, it returns the time up to which it looked.
func (s *Store) nextEvents(ctx context.Context, q selected, columns string, o *operationRow, limit int) (events []switchboard.Event, reached time.Time, last bool, err error) {
	at, id := o.AfterAt, o.AfterID
	if at.IsZero() {
		var first []time.Time
		if err := s.search(ctx, "operate", &first, "SELECT created_at FROM events WHERE tenant = $1 AND created_at < $2 ORDER BY created_at, id LIMIT 1", o.Tenant, boundTime(o.BoundID)); err != nil || len(first) == 0 {
			return nil, at, true, err
		}
		at = first[0]
	}
	came, last, err := forward(at, boundTime(o.BoundID), func(_, to time.Time) (bool, error) {
		c := q.where.with()
		c.add("created_at >= ?", at)
		c.add("(created_at, id) > (?, ?)", at, id)
		if !to.IsZero() {
			c.add("created_at < ?", to)
		}
		var found []switchboard.Event
		err := s.selectWithin(ctx, "", sliceTimeout, &found, c.query(fields("events", columns, ""), "events", "created_at, id", limit-len(events)), c.args...)
		events = append(events, found...)
		if err == nil && len(events) < limit && !to.IsZero() {
			at, id = to, ""
		}
		return len(events) >= limit, err
	})
	if err == nil && !last && len(events) < limit {
		reached = came
	}
	return events, reached, last, err
}

// replayBatch is one step of a replay, in its transaction.
type replayBatch struct {
	*operationBatch
	events []switchboard.Event
	sub    candidate // locked
}

// lockSubscription locks the subscription that gets the events, and the keys of its queues.
func (b *replayBatch) lockSubscription(ctx context.Context, id string) error {
	flow, err := lockFlow(ctx, b.tx, id, shared)
	if err != nil {
		return err
	}
	b.flows = map[string]switchboard.Conditions{id: flow}
	if err := b.tx.GetContext(ctx, &b.sub, "SELECT "+candidateColumns+" FROM subscriptions s WHERE s.id = $1", id); err != nil || !b.sub.Ordered {
		return err
	}
	rows := make([]*row, 0, len(b.events))
	for _, e := range b.events {
		if e.Key != "" {
			rows = append(rows, &row{Delivery: switchboard.Delivery{SubscriptionID: id, Key: e.Key}})
		}
	}
	b.keys = distinctKeys(rows)
	_, err = lockOrMakeKeys(ctx, b.tx, b.keys)
	return err
}

// make makes a delivery of each event that the subscription takes.
func (b *replayBatch) make(ctx context.Context) error {
	if len(b.events) == 0 {
		return nil
	}
	refusals, err := b.refusals(ctx)
	if err != nil {
		return err
	}
	wants, budget := switchboard.Subscription{Events: b.sub.Events}, filter.NewSharedBudget(len(b.events))
	var made []*replayed
	for i := range b.events {
		e := &b.events[i]
		switch {
		case !b.flows[b.sub.ID].Subscription.DeletedAt.IsZero():
			b.skip("", e.ID, "the subscription is deleted")
			continue
		case refusals[i] != "":
			b.skip("", e.ID, refusals[i])
			continue
		case !wants.Wants(e.Type):
			b.skip("", e.ID, "the subscription does not take events of the type "+e.Type)
			continue
		case b.sub.Filter != "" && !b.store.filters.of(b.sub.Filter).Verdict(filter.NewInput(e), budget.ForEvent()).Delivers():
			b.skip("", e.ID, "the subscription's filter does not let it through")
			continue
		}
		r, err := b.deliver(ctx, e)
		if err != nil {
			return err
		}
		made = append(made, r)
		b.done(r.ID, e.ID, switchboard.Delivery{}, &r.Delivery)
	}
	return b.insert(ctx, made)
}

// refusals returns, for each event, why it cannot be sent; empty: it can. It locks the events, so
// that they are not erased before the commit, and the row of retention.
func (b *replayBatch) refusals(ctx context.Context) ([]string, error) {
	var until time.Time
	if err := b.tx.GetContext(ctx, &until, "SELECT payloads_until FROM retention FOR SHARE"); err != nil {
		return nil, err
	}
	ids := make([]string, len(b.events))
	for i, e := range b.events {
		ids[i] = e.ID
	}
	var found []struct {
		ID        string
		CreatedAt time.Time
		Erased    bool
	}
	if err := b.tx.SelectContext(ctx, &found, `
SELECT id, created_at, erased_at IS NOT NULL AS erased FROM events WHERE tenant = $1 AND created_at >= $2 AND created_at <= $3 AND id = ANY($4)
ORDER BY created_at, id FOR SHARE`, b.o.Tenant, b.events[0].CreatedAt, b.events[len(b.events)-1].CreatedAt, pq.Array(ids)); err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, f := range found {
		if !f.Erased {
			there[f.ID+f.CreatedAt.String()] = true
		}
	}
	refusals := make([]string, len(b.events))
	for i, e := range b.events {
		switch {
		case !there[e.ID+e.CreatedAt.String()]:
			refusals[i] = "its data are erased"
		case e.CreatedAt.Before(until):
			refusals[i] = "its data are older than the retention"
		}
	}
	return refusals, nil
}

// replayed is a new delivery of an event that was accepted before.
type replayed struct {
	*row
	eventAt time.Time
}

// deliver makes the delivery of an event. It is due at the date of the operation's next item,
// unless it is parked.
func (b *replayBatch) deliver(ctx context.Context, e *switchboard.Event) (*replayed, error) {
	r := &row{Delivery: switchboard.Delivery{
		ID: switchboard.NewID(switchboard.DeliveryPrefix, b.now), Tenant: e.Tenant, EventID: e.ID, EventType: e.Type,
		SubscriptionID: b.sub.ID, Method: b.sub.Method, Host: hostOf(b.sub.URL), CreatedAt: b.now,
	}}
	if b.sub.DeliverWithinUS > 0 {
		r.ExpiresAt = b.now.Add(time.Duration(b.sub.DeliverWithinUS) * time.Microsecond)
	}
	if e.Key != "" && (b.sub.Ordered || b.sub.Supersede) {
		r.Key, r.Ordered = e.Key, b.sub.Ordered
	}
	conditions := b.flows[b.sub.ID]
	if r.Ordered {
		var err error
		if conditions.Predecessor, err = enter(ctx, b.tx, r); err != nil {
			return nil, err
		}
	}
	conditions.Delivery = &r.Delivery
	a := switchboard.Admit(b.now, conditions)
	if a.Kind == switchboard.AdmissionSend {
		a = switchboard.Admission{Kind: switchboard.AdmissionDefer, Until: latest(b.o.NextAt, b.now)}
	}
	r.Accept(b.now, a)
	return &replayed{r, e.CreatedAt}, nil
}

// insertReplayedQuery stores new deliveries of events that were accepted at another time.
const insertReplayedQuery = `
INSERT INTO deliveries (id, tenant, event_id, event_at, event_type, subscription_id, method, host, state, reason, next_attempt_at, created_at, completed_at, dispatch_at,
	parked_at, held_until, blocked_by, expires_at, key, ordered, position)
SELECT id, tenant, event_id, event_at, event_type, subscription_id, method, host, state, reason, next_attempt_at, created_at, completed_at, dispatch_at,
	parked_at, held_until, blocked_by, expires_at, key, ordered, coalesce(position, 0) FROM json_populate_recordset(NULL::deliveries, $1)`

// insert stores the deliveries, each with the action that made it.
func (b *replayBatch) insert(ctx context.Context, made []*replayed) error {
	if len(made) == 0 {
		return nil
	}
	rows, ids := make([]*row, len(made)), make([]string, len(made))
	for i, m := range made {
		rows[i], ids[i] = m.row, m.ID
	}
	text, err := deliveriesJSON(rows)
	if err != nil {
		return err
	}
	var columns []map[string]json.RawMessage // with the column that only replayed deliveries have
	if err := json.Unmarshal([]byte(text), &columns); err != nil {
		return err
	}
	for i := range columns {
		if columns[i]["event_at"], err = json.Marshal(made[i].eventAt); err != nil {
			return err
		}
	}
	with, err := json.Marshal(columns)
	if err != nil {
		return err
	}
	if _, err := b.tx.ExecContext(ctx, insertReplayedQuery, string(with)); err != nil {
		return err
	}
	if err := b.store.insertActions(ctx, b.tx, b.o.action(), ids...); err != nil {
		return err
	}
	return notify(ctx, b.tx, dispatchChannel, "")
}
