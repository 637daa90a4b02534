package store

import (
	"context"
	"slices"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

const insertSubscriptionQuery = `
INSERT INTO subscriptions (id, tenant, name, state, state_reason, state_since, state_by, events, patterns, filter, method, url, max_in_flight,
	ordered, supersede, deliver_within_us, hold_for_us, operational, document, version, created_at, updated_at,
	headers_key_id, headers_ciphertext, private_key_id, private_ciphertext)
VALUES (:id, :tenant, :name, :state, :state_reason, :state_since, :state_by, :events, :patterns, :filter, :method, :url, :max_in_flight,
	:ordered, :supersede, :deliver_within_us, :hold_for_us, :operational, :document, :version, :created_at, :updated_at,
	:headers_key_id, :headers_ciphertext, :private_key_id, :private_ciphertext)`

// CreateSubscription stores a new subscription as it was given, with its signing secrets, and fills
// in id, version, times and defaults. If another subscription of the tenant has the name, it is a
// Conflict for the field "name".
func (s *Store) CreateSubscription(ctx context.Context, caller switchboard.Caller, sub *switchboard.Subscription) error {
	if err := caller.CheckTenant(sub.Tenant); err != nil {
		return err
	}
	made := *sub
	made.CreatedAt = s.now()
	made.UpdatedAt, made.StateSince = made.CreatedAt, made.CreatedAt
	made.StateBy = stateBy(caller)
	made.ID = switchboard.NewID(switchboard.SubscriptionPrefix, made.CreatedAt)
	made.Version = 1
	made.Secrets = slices.Clone(made.Secrets)
	for i := range made.Secrets {
		made.Secrets[i].CreatedAt = made.CreatedAt
	}
	r, err := s.keys.subscriptionRow(made)
	if err != nil {
		return err
	}
	err = s.tx(ctx, "create subscription", func(ctx context.Context, tx transaction) error {
		_, err := tx.NamedExecContext(ctx, insertSubscriptionQuery, r)
		if err != nil {
			return nameTaken(err, made.Name)
		}
		for _, secret := range made.Secrets {
			if err := s.insertSecret(ctx, tx, made.ID, made.CreatedAt, secret); err != nil {
				return err
			}
		}
		changes, err := switchboard.SubscriptionChanges(&switchboard.Subscription{}, &made)
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, caller, subscriptionEntry(&made, switchboard.AuditCreate, "", changes))
	})
	if err == nil {
		*sub = s.withDefaults(made)
	}
	return err
}

func nameTaken(err error, name string) error {
	if violates(err, "subscriptions_name") {
		return &switchboard.Error{Code: switchboard.CodeConflict, Field: "name", Message: "another subscription of the tenant is named " + name}
	}
	return err
}

// Subscription returns a subscription without its signing secrets. Its Unreadable names the parts
// that cannot be read.
func (s *Store) Subscription(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error) {
	sub, err := s.SubscriptionWithSecrets(ctx, caller, id)
	sub.Secrets = nil
	return sub, err
}

// GivenSubscription returns a subscription as it was given, without defaults and with its signing
// secrets, so that it can be changed.
func (s *Store) GivenSubscription(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error) {
	var r subscriptionRow
	query := "SELECT " + fields("subscriptions", subscriptionFields, "") + " FROM subscriptions WHERE id = $1 AND deleted_at IS NULL"
	if err := s.get(ctx, "read subscription", &r, noSubscription(id), query, id); err != nil {
		return switchboard.Subscription{}, err
	}
	if !caller.Sees(r.Tenant) {
		return switchboard.Subscription{}, noSubscription(id)
	}
	given, _ := s.keys.given(r)
	var text []byte
	if err := s.get(ctx, "read secrets", &text, noSubscription(id), "SELECT "+secretsColumn+" FROM subscriptions s WHERE s.id = $1", id); err != nil {
		return given, err
	}
	_ = addSecrets(s.keys, &given, text)
	return given, nil
}

// SubscriptionWithSecrets returns a subscription with its signing secrets, the current one first,
// including expired ones. Its Unreadable names the parts that cannot be read.
func (s *Store) SubscriptionWithSecrets(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error) {
	given, err := s.GivenSubscription(ctx, caller, id)
	if err != nil {
		return given, err
	}
	return s.withDefaults(given), nil
}

// Subscriptions lists subscriptions without their signing secrets, newest first.
func (s *Store) Subscriptions(ctx context.Context, caller switchboard.Caller, f switchboard.SubscriptionFilter, p switchboard.PageRequest) (switchboard.Page[switchboard.Subscription], error) {
	q := s.subscriptionsQuery(caller, f)
	rows, err := list(ctx, s, q, p, func(r subscriptionRow) position { return position{ID: r.ID} })
	if err != nil {
		return switchboard.Page[switchboard.Subscription]{}, err
	}
	page := switchboard.Page[switchboard.Subscription]{Items: make([]switchboard.Subscription, len(rows.Items)), NextCursor: rows.NextCursor}
	for i, r := range rows.Items {
		page.Items[i], _ = s.subscription(r)
	}
	return page, s.markSecrets(ctx, page.Items)
}

// failingEndpoints are the subscriptions that fail: the breaker is not closed, or that many
// attempts have failed in a row. A healthy one has no row in subscription_health.
const failingEndpoints = "(ARRAY(SELECT subscription_id FROM subscription_health WHERE breaker <> 'closed' OR failures_in_a_row >= ?))"

// subscriptionsQuery makes the list of the subscriptions that the filter matches.
func (s *Store) subscriptionsQuery(caller switchboard.Caller, f switchboard.SubscriptionFilter) pageQuery {
	q := pageQuery{
		cursors: cursors{s.keys, "subscriptions", caller, f}, columns: fields("subscriptions", subscriptionFields, ""), table: "subscriptions", order: "id DESC",
		where: &conditions{terms: []string{"deleted_at IS NULL"}}, after: afterID,
	}
	q.where.scope(caller, f.Tenant)
	q.where.equal("state", string(f.State))
	if f.EventType != "" {
		q.where.add("patterns && ?", pq.Array(patternsOf(f.EventType)))
	}
	switch {
	case f.Failing != nil && *f.Failing:
		q.where.add("id = ANY "+failingEndpoints, switchboard.FailingAfter)
	case f.Failing != nil:
		q.where.add("id <> ALL "+failingEndpoints, switchboard.FailingAfter)
		fallthrough
	default: // in the order of ids, until the page is full
		q.settings = filterSettings
	}
	if f.Text != "" {
		q.where.add("position(lower(?) IN lower(concat_ws(' ', id, name, tenant, "+hostColumn+"))) > 0", f.Text)
	}
	return q
}

// markSecrets marks the subscriptions whose current signing secret cannot be read.
func (s *Store) markSecrets(ctx context.Context, subs []switchboard.Subscription) error {
	ids := make([]string, len(subs))
	for i, sub := range subs {
		ids[i] = sub.ID
	}
	var rows []struct {
		ID      string
		Secrets []byte
	}
	if err := s.search(ctx, "read secrets", &rows, "SELECT s.id, "+secretsColumn+" FROM subscriptions s WHERE s.id = ANY($1)", pq.Array(ids)); err != nil {
		return err
	}
	texts := make(map[string][]byte, len(rows))
	for _, r := range rows {
		texts[r.ID] = r.Secrets
	}
	for i := range subs {
		if text, there := texts[subs[i].ID]; there {
			_ = addSecrets(s.keys, &subs[i], text)
			subs[i].Secrets = nil
		}
	}
	return nil
}
