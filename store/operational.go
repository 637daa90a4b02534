package store

import (
	"cmp"
	"context"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// subjectsQuery reads the subscriptions among $1 that are not deleted and that another subscription
// takes operational events about: one of the same tenant, or of the operators.
const subjectsQuery = `
SELECT s.id, s.tenant, s.name, s.url FROM subscriptions s WHERE s.id = ANY($1) AND s.deleted_at IS NULL AND EXISTS (
	SELECT FROM subscriptions o WHERE o.tenant IN (s.tenant, '` + switchboard.OperatorTenant + `') AND o.operational AND o.deleted_at IS NULL AND o.id <> s.id)`

// announce accepts operational events in the transaction of the change that they are about: for the
// tenant of the subscription, and for the operators. The relay starts their deliveries after the
// commit. It does not store an event that no subscription takes, or whose id is already stored.
//
// There are no loops. A subscription gets no events about itself, and [Store.announceFailed] leaves
// out the deliveries of such events. A breaker that opens because of them causes at most one event
// with each of its probes.
func (s *Store) announce(ctx context.Context, tx transaction, events ...switchboard.OperationalEvent) error {
	pending, err := s.announced(ctx, tx, events)
	if err != nil || len(pending) == 0 {
		return err
	}
	if err := s.matchSubscriptions(ctx, tx, pending); err != nil {
		return err
	}
	first := distinct(pending)
	for key, p := range first {
		if len(p.matched) == 0 {
			delete(first, key)
		}
	}
	if err := s.storeEvents(ctx, tx, announceQuery, first); err != nil {
		return err
	}
	for _, p := range first {
		if len(p.acceptance.Deliveries) > 0 {
			return notify(ctx, tx, dispatchChannel, "")
		}
	}
	return nil
}

// announced makes the events that a subscription may take, for each tenant that gets them.
func (s *Store) announced(ctx context.Context, tx transaction, events []switchboard.OperationalEvent) ([]*pendingEvent, error) {
	if len(events) == 0 {
		return nil, nil
	}
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.Data.Subscription.ID
	}
	var subjects []struct{ ID, Tenant, Name, URL string }
	if err := tx.SelectContext(ctx, &subjects, subjectsQuery, pq.Array(unique(ids))); err != nil {
		return nil, err
	}
	var pending []*pendingEvent
	for _, e := range events {
		if e.Data.Operation == nil {
			continue
		}
		var err error
		if pending, err = s.announceTo(pending, e, e.Data.Operation.ID); err != nil {
			return nil, err
		}
	}
	for _, subject := range subjects {
		for _, e := range events {
			if e.Data.Subscription.ID != subject.ID {
				continue
			}
			e.Data.Tenant, e.Data.Subscription.Name, e.Data.Subscription.Host = subject.Tenant, subject.Name, hostOf(subject.URL)
			var err error
			if pending, err = s.announceTo(pending, e, subject.ID); err != nil {
				return nil, err
			}
		}
	}
	return pending, nil
}

// announceTo adds the event about that subscription or operation for its tenant, if it has one, and
// for the operators.
func (s *Store) announceTo(pending []*pendingEvent, e switchboard.OperationalEvent, about string) ([]*pendingEvent, error) {
	data, err := switchboard.EncodeJSON(e.Data)
	if err != nil {
		return nil, err
	}
	for _, tenant := range unique([]string{cmp.Or(e.Data.Tenant, switchboard.OperatorTenant), switchboard.OperatorTenant}) {
		p := s.pending(switchboard.Caller{}, switchboard.Event{ID: e.ID, Tenant: tenant, Type: e.Type, Key: about, Data: data, OccurredAt: e.Data.At})
		p.except, p.leftToRelay = about, true
		pending = append(pending, p)
	}
	return pending, nil
}

// announceFailed announces the failed deliveries, except those of operational events and tests.
func (s *Store) announceFailed(ctx context.Context, tx transaction, rows []*row) error {
	var events []switchboard.OperationalEvent
	for _, r := range rows {
		if r.State == switchboard.StateFailed && !switchboard.IsOperational(r.EventType) {
			events = append(events, switchboard.NewDeliveryFailed(&r.Delivery))
		}
	}
	return s.announce(ctx, tx, events...)
}
