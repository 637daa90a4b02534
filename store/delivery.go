package store

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// deliveryFields are the columns of switchboard.Delivery.
const deliveryFields = "id tenant event_id event_type subscription_id method host state reason attempts_made " +
	"last_status_code last_failure next_attempt_at? created_at completed_at? permanent generation prior_attempts temporal_run_id dispatch_at?"

// row is a delivery with the columns that only the store knows.
type row struct {
	switchboard.Delivery
	ResponseAwaited bool // somebody may wait for the first answer
}

// shownAt gives the deliveries the reasons that they have at that time.
func shownAt(now time.Time, deliveries []switchboard.Delivery) []switchboard.Delivery {
	for i := range deliveries {
		deliveries[i].Reason = deliveries[i].ReasonAt(now)
	}
	return deliveries
}

// Deliveries lists the deliveries that the filter keeps, newest first.
func (s *Store) Deliveries(ctx context.Context, caller switchboard.Caller, f switchboard.DeliveryFilter, p switchboard.PageRequest) (switchboard.Page[switchboard.Delivery], error) {
	var none switchboard.Page[switchboard.Delivery]
	f.EventType, f.Host = strings.ToLower(f.EventType), strings.ToLower(f.Host) // a cursor is for every spelling
	l := listing{s.keys, "deliveries", caller, f}
	limit, behind, err := l.open(p)
	if err != nil {
		return none, err
	}
	c := deliveryConditions(caller, f, s.now())
	if behind != nil {
		c.add("id < ?", behind.ID)
	}
	items := []switchboard.Delivery{}
	c.args = append(c.args, limit+1)
	query := "SELECT " + fields("deliveries", deliveryFields, "") + " FROM deliveries" + c.where() + " ORDER BY id DESC LIMIT " + argument(len(c.args))
	if err := s.search(ctx, &items, query, c.args...); err != nil {
		return none, err
	}
	return pageOf(l, shownAt(s.now(), items), limit, func(d switchboard.Delivery) position { return position{ID: d.ID} })
}

func deliveryConditions(caller switchboard.Caller, f switchboard.DeliveryFilter, now time.Time) *conditions {
	c := &conditions{}
	c.scope(caller, f.Tenant)
	c.equal("subscription_id", f.Subscription)
	c.equal("event_id", f.Event)
	c.anyCase("event_type", f.EventType)
	c.equal("last_failure", string(f.Failure))
	c.host(strings.ToLower(f.Host))
	if len(f.States) > 0 {
		c.add("state = ANY(?)", pq.Array(f.States))
		if !slices.Contains(f.States, switchboard.StateDelivered) {
			c.add("state <> 'delivered'") // says to Postgres that its partial index will do
		}
	}
	if f.StatusCode != 0 {
		c.add("last_status_code = ?", f.StatusCode)
	}
	c.times(f.After, f.Before)
	// Ids sort by time: the bounds let the index end where the time range does.
	if !f.After.IsZero() {
		c.add("id >= ?", idTime(f.After))
	}
	if !f.Before.IsZero() {
		c.add("id < ?", idTime(f.Before)+"~") // behind every id of that moment
	}
	if f.Stuck {
		c.add(overdue+"?", now.Add(-switchboard.StuckAfter))
	}
	if f.Text != "" {
		c.text(f.Text)
	}
	return c
}

// host keeps to what goes to that host, if one is given: with a port to that port only,
// else to each. The column holds the port where the URL has one.
func (c *conditions) host(host string) {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + host + "]"
	}
	switch _, port, err := net.SplitHostPort(host); {
	case host == "":
	case err == nil && port != "":
		c.equal("host", host)
	default:
		c.add("(host = ? OR starts_with(host, ?))", host, strings.TrimSuffix(host, ":")+":")
	}
}

// text keeps to what holds the text in one of the words that people search for. A
// whole id needs no search.
func (c *conditions) text(text string) {
	switch {
	case switchboard.IsID(switchboard.DeliveryPrefix, text):
		c.equal("id", text)
	case switchboard.IsID(switchboard.EventPrefix, text):
		c.equal("event_id", text)
	case switchboard.IsID(switchboard.SubscriptionPrefix, text):
		c.equal("subscription_id", text)
	default:
		c.add("strpos(lower(concat_ws(' ', id, event_id, subscription_id, event_type, host, reason)), lower(?)) > 0", text)
	}
}

// idTime is the part that the ids of deliveries made at about that time begin
// with: 9 letters hold 45 of the 48 bits of time, so that the random part is out.
// They begin with 1970: an earlier time would come out as one far behind all ids.
func idTime(at time.Time) string {
	const letters = 9
	if first := time.UnixMilli(0); at.Before(first) {
		at = first
	}
	return switchboard.NewID(switchboard.DeliveryPrefix, at)[:len(switchboard.DeliveryPrefix)+letters]
}

// Delivery returns a delivery with its attempts and actions.
func (s *Store) Delivery(ctx context.Context, caller switchboard.Caller, id string) (switchboard.DeliveryDetail, error) {
	var detail switchboard.DeliveryDetail
	err := s.tx(ctx, func(ctx context.Context, tx transaction) error {
		detail = switchboard.DeliveryDetail{Attempts: []switchboard.Attempt{}, Actions: []switchboard.Action{}}
		rows := []switchboard.Delivery{}
		query := "SELECT " + fields("deliveries", deliveryFields, "") + " FROM deliveries WHERE id = $1"
		if err := tx.SelectContext(ctx, &rows, query, id); err != nil {
			return err
		}
		if len(rows) == 0 || !caller.Sees(rows[0].Tenant) {
			return noDelivery(id)
		}
		detail.Delivery = shownAt(s.now(), rows)[0]
		if err := selectAttempts(ctx, tx, &detail.Attempts, id); err != nil {
			return err
		}
		return tx.SelectContext(ctx, &detail.Actions, `
SELECT a.at, a.actor, coalesce(k.name, '') AS key_name, a.person, a.action AS kind, a.reason
FROM actions a LEFT JOIN keys k ON k.id = a.actor WHERE a.delivery_id = $1 ORDER BY a.id`, id)
	})
	if err != nil {
		return switchboard.DeliveryDetail{}, err
	}
	return detail, nil
}

// Find returns those of the deliveries that exist, in any order, whosever they
// are.
func (s *Store) Find(ctx context.Context, ids []string) ([]switchboard.Delivery, error) {
	found := []switchboard.Delivery{}
	query := "SELECT " + fields("deliveries", deliveryFields, "") + " FROM deliveries WHERE id = ANY($1)"
	err := s.list(ctx, &found, query, pq.Array(ids))
	return found, err
}

func lockDeliveriesQuery() string {
	return "SELECT " + fields("deliveries", deliveryFields+" response_awaited", "") + " FROM deliveries WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE"
}

// lockedInOrder is any of the deliveries $1, in an UPDATE that locks all of them first: in the
// order of their ids, and not in that of its plan.
const lockedInOrder = "ANY(ARRAY(SELECT id FROM deliveries WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE))"

// lockDeliveries reads the deliveries that exist and keeps others from changing
// them until the transaction ends.
func lockDeliveries(ctx context.Context, tx transaction, ids []string) (map[string]*row, error) {
	var rows []*row
	if err := tx.SelectContext(ctx, &rows, lockDeliveriesQuery(), pq.Array(ids)); err != nil {
		return nil, err
	}
	locked := make(map[string]*row, len(rows))
	for _, r := range rows {
		locked[r.ID] = r
	}
	return locked, nil
}

// rowColumns names the fields of row as encoding/json writes them, with the types
// that Postgres is to read them as.
const rowColumns = `("ID" text, "Tenant" text, "EventID" text, "EventType" text, "SubscriptionID" text, "Method" text, "Host" text,
	"State" text, "Reason" text, "AttemptsMade" int, "LastStatusCode" int, "LastFailure" text, "NextAttemptAt" timestamptz,
	"CreatedAt" timestamptz, "CompletedAt" timestamptz, "Permanent" boolean, "Generation" int, "PriorAttempts" int, "TemporalRunID" text, "DispatchAt" timestamptz, "ResponseAwaited" boolean)`

const saveDeliveriesQuery = `
UPDATE deliveries d SET state = n."State", reason = n."Reason", attempts_made = n."AttemptsMade",
	last_status_code = n."LastStatusCode", last_failure = n."LastFailure",
	next_attempt_at = nullif(n."NextAttemptAt", ` + zeroTime + `), completed_at = nullif(n."CompletedAt", ` + zeroTime + `),
	permanent = n."Permanent", generation = n."Generation", prior_attempts = n."PriorAttempts", temporal_run_id = n."TemporalRunID", dispatch_at = nullif(n."DispatchAt", ` + zeroTime + `)
FROM json_to_recordset($1) AS n` + rowColumns + ` WHERE d.id = n."ID" AND d.id = ANY($2)`

// saveDeliveries writes what can change of deliveries that are locked. The ids are
// given once more, because Postgres has no idea how few the rows are, and would
// read the whole table beside them.
func saveDeliveries(ctx context.Context, tx transaction, rows ...*row) error {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return execJSON(ctx, tx, saveDeliveriesQuery, rows, pq.Array(ids))
}

// execJSON runs a statement for many rows at once: they travel as one JSON array,
// which the statement reads with json_to_recordset under the names of our fields;
// more are its further arguments.
func execJSON(ctx context.Context, tx transaction, statement string, rows any, more ...any) error {
	text, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, statement, append([]any{string(text)}, more...)...)
	return err
}
