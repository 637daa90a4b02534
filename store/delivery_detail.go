package store

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/seed-49a43567/switchboard"
)

// alikeTimeout bounds the count of deliveries that fail alike. An answer without the count is
// better than one that a person has to wait for.
const alikeTimeout = 300 * time.Millisecond

// Delivery returns a delivery with its attempts and actions, and with its explanation.
func (s *Store) Delivery(ctx context.Context, caller switchboard.Caller, id string) (switchboard.DeliveryDetail, error) {
	detail, err := s.deliveryWith(ctx, caller, id, s.addContext)
	if err == nil {
		detail.Alike = s.alike(ctx, caller, &detail.Delivery)
	}
	if caller.IsTenants() {
		for i := range detail.Actions {
			if a := &detail.Actions[i]; a.Actor != caller.KeyID {
				a.Person, a.KeyName = "", ""
			}
		}
		detail.Subscription.StateBy = ""
	}
	return detail, err
}

// deliveryWith reads a delivery with its attempts and actions. add reads more in the same
// transaction; nil: nothing.
func (s *Store) deliveryWith(ctx context.Context, caller switchboard.Caller, id string, add func(context.Context, transaction, *switchboard.DeliveryDetail) error) (switchboard.DeliveryDetail, error) {
	var detail switchboard.DeliveryDetail
	err := s.tx(ctx, "read delivery", func(ctx context.Context, tx transaction) error {
		detail = switchboard.DeliveryDetail{Attempts: []switchboard.Attempt{}, Actions: []switchboard.Action{}, ReadAt: s.now()}
		if _, err := tx.ExecContext(ctx, planForArguments); err != nil {
			return err
		}
		rows := []switchboard.Delivery{}
		if err := tx.SelectContext(ctx, &rows, "SELECT "+fields("deliveries", deliveryFields, "")+" FROM deliveries WHERE id = $1", id); err != nil {
			return err
		}
		if len(rows) == 0 || !caller.Sees(rows[0].Tenant) {
			return noDelivery(id)
		}
		detail.Delivery = shownAt(detail.ReadAt, rows)[0]
		if detail.Delivery.State == switchboard.StateHeld {
			var text []byte
			if err := tx.GetContext(ctx, &text, "SELECT "+healthColumn+" FROM (SELECT $1 AS id) s", detail.Delivery.SubscriptionID); err != nil {
				return err
			}
			var err error
			if detail.Health, err = parseHealth(text); err != nil {
				return err
			}
		}
		if err := selectAttempts(ctx, tx, &detail.Attempts, id); err != nil {
			return err
		}
		if err := tx.SelectContext(ctx, &detail.Actions, `
SELECT a.at, a.actor, coalesce(k.name, '') AS key_name, a.person, a.action AS kind, a.reason
FROM actions a LEFT JOIN keys k ON k.id = a.actor WHERE a.delivery_id = $1 ORDER BY a.id`, id); err != nil || add == nil {
			return err
		}
		return add(ctx, tx, &detail)
	})
	if err != nil {
		return switchboard.DeliveryDetail{}, err
	}
	return detail, nil
}

// addContext adds the current subscription, deleted or not, and the event without its data.
func (s *Store) addContext(ctx context.Context, tx transaction, detail *switchboard.DeliveryDetail) error {
	var subs []struct {
		subscriptionRow
		SecretMadeAt time.Time
	}
	if err := tx.SelectContext(ctx, &subs, "SELECT "+fields("s", subscriptionFields, "")+`,
	coalesce((SELECT x.created_at FROM subscription_secrets x WHERE x.subscription_id = s.id AND x.expires_at IS NULL), `+zeroTime+`) AS secret_made_at
FROM subscriptions s WHERE s.id = $1`, detail.Delivery.SubscriptionID); err != nil {
		return err
	}
	if len(subs) > 0 { // otherwise its tenant is being erased
		detail.Subscription, _ = s.subscription(subs[0].subscriptionRow)
		detail.SecretMadeAt = subs[0].SecretMadeAt
	}
	var eventAt time.Time
	if err := tx.GetContext(ctx, &eventAt, "SELECT coalesce(event_at, created_at) FROM deliveries WHERE id = $1", detail.Delivery.ID); err != nil {
		return err
	}
	var events []switchboard.Event
	err := tx.SelectContext(ctx, &events, "SELECT e.id, e.tenant, e.type, e.key, e.occurred_at, e.created_at, "+erasedColumn+" FROM events e WHERE e.created_at = $1 AND e.id = $2 AND e.tenant = $3",
		eventAt, detail.Delivery.EventID, detail.Delivery.Tenant)
	if len(events) > 0 {
		detail.Event = events[0]
	}
	if err != nil {
		return err
	}
	return addResends(ctx, tx, detail)
}

// alike counts the other deliveries to the delivery's host that are in the same state after the
// same failure. It returns nil if the delivery is pending, has not failed, or the count took too
// long. It looks at the newest deliveries of the host, or of the caller's tenant, because no tenant
// may learn of another.
func (s *Store) alike(ctx context.Context, caller switchboard.Caller, d *switchboard.Delivery) *switchboard.Alike {
	if d.LastFailure == "" || d.State == switchboard.StatePending || d.State == switchboard.StateDelivered {
		return nil
	}
	name := d.Host
	if _, port, err := net.SplitHostPort(d.Host); err == nil {
		name = strings.TrimSuffix(d.Host, ":"+port)
	}
	query, of := alikeQuery(hostWithoutPort), name
	if caller.Tenant != "" { // another index finds a tenant's own, which are all of one state
		query, of = alikeQuery("tenant"), caller.Tenant
	}
	var counted struct{ LookedAt, Alike int }
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	prepared, err := s.counts.prepare(bounded)
	if err != nil {
		return nil
	}
	err = withSettings(bounded, s.searches, fmt.Sprintf("%sSET LOCAL statement_timeout = %d", filterSettings, max(alikeTimeout, s.countTime).Milliseconds()), func(tx *sqlx.Tx) error {
		return transaction{tx, prepared}.GetContext(bounded, &counted, query, of, string(d.State), string(d.LastFailure), name, d.ID, caller.Sees(switchboard.OperatorTenant))
	})
	if err != nil {
		return nil // the rest of the answer does not depend on the count
	}
	return &switchboard.Alike{Count: counted.Alike, More: counted.LookedAt > switchboard.MaxAlike}
}

// alikeQuery counts the deliveries of state $2 that have $1 in the column and failed with $3 at the
// host $4, without $5, among the newest of the column and state. The operators' own count only if
// $6 is true.
func alikeQuery(column string) string {
	return `SELECT count(*) AS looked_at, count(*) FILTER (WHERE last_failure = $3 AND host = $4 AND id <> $5) AS alike FROM (
	SELECT id, last_failure, ` + hostWithoutPort + ` AS host FROM deliveries
	WHERE ` + column + ` = $1 AND state = $2 AND state NOT IN ('pending', 'delivered') AND ($6 OR tenant <> '` + switchboard.OperatorTenant + `') ORDER BY id DESC LIMIT ` + strconv.Itoa(switchboard.MaxAlike+1) + `) AS newest`
}
