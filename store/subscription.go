package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lib/pq"

	"switchboard"
)

// secretPrefix marks the id of a stored signing secret, which nobody outside sees.
const secretPrefix = "sec_"

const subscriptionFields = "id tenant name state state_reason events method url body content_type signature_scheme retry timeout " +
	"max_in_flight version created_at updated_at headers_key_id headers_ciphertext"

// subscriptionRow is a subscription as its table holds it.
type subscriptionRow struct {
	ID, Tenant, Name, StateReason, Method, URL, ContentType, Timeout string

	State             switchboard.SubscriptionState
	Events            pq.StringArray
	Body              switchboard.BodyKind
	SignatureScheme   switchboard.Scheme
	Retry             jsonText
	MaxInFlight       int
	Version           int
	CreatedAt         time.Time
	UpdatedAt         time.Time
	HeadersKeyID      string
	HeadersCiphertext []byte
}

// jsonText is a JSON column, as text on the way in: bytes would be taken for
// Postgres's binary form of JSON.
type jsonText string

// secretRow is a signing secret as its table holds it.
type secretRow struct {
	ID         string    `json:"id"`
	KeyID      string    `json:"key_id"`
	Ciphertext []byte    `json:"ciphertext"` // base64 in JSON
	ExpiresAt  time.Time `json:"expires_at"`
}

func headersPlace(id string) string { return "subscriptions/" + id + "/headers" }

func secretPlace(subscriptionID, id string) string {
	return "subscription_secrets/" + subscriptionID + "/" + id
}

func (k *Keyring) subscriptionRow(s switchboard.Subscription) (subscriptionRow, error) {
	headers, err := json.Marshal(s.Request.Headers)
	if err != nil {
		return subscriptionRow{}, err
	}
	keyID, ciphertext, err := k.seal(headers, headersPlace(s.ID))
	if err != nil {
		return subscriptionRow{}, err
	}
	retry, err := json.Marshal(s.Retry)
	return subscriptionRow{
		ID: s.ID, Tenant: s.Tenant, Name: clean(s.Name), State: s.State, StateReason: clean(s.StateReason), Events: s.Events,
		Method: s.Request.Method, URL: s.Request.URL, Body: s.Request.Body, ContentType: s.Request.ContentType,
		SignatureScheme: s.Signature.Scheme, Retry: jsonText(retry), Timeout: s.Timeout.String(), MaxInFlight: s.MaxInFlight,
		Version: s.Version, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, HeadersKeyID: keyID, HeadersCiphertext: ciphertext,
	}, err
}

func (k *Keyring) subscription(r subscriptionRow) (switchboard.Subscription, error) {
	s := switchboard.Subscription{
		ID: r.ID, Tenant: r.Tenant, Name: r.Name, Events: r.Events,
		Request:   switchboard.Request{Method: r.Method, URL: r.URL, Body: r.Body, ContentType: r.ContentType},
		Signature: switchboard.Signature{Scheme: r.SignatureScheme}, MaxInFlight: r.MaxInFlight,
		State: r.State, StateReason: r.StateReason, Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
	if err := s.Timeout.UnmarshalText([]byte(r.Timeout)); err != nil {
		return s, err
	}
	if err := json.Unmarshal([]byte(r.Retry), &s.Retry); err != nil {
		return s, err
	}
	headers, err := k.open(r.HeadersKeyID, r.HeadersCiphertext, headersPlace(r.ID))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(headers, &s.Request.Headers)
}

// CreateSubscription stores a new subscription with its signing secrets, and fills
// in id, version and times. A name that another one of the tenant has is a
// Conflict for the field "name".
func (s *Store) CreateSubscription(ctx context.Context, caller switchboard.Caller, sub *switchboard.Subscription) error {
	if !caller.Sees(sub.Tenant) {
		return &switchboard.Error{Code: switchboard.Forbidden, Field: "tenant", Message: "is not the tenant of this key"}
	}
	made := *sub
	made.CreatedAt = s.now()
	made.UpdatedAt = made.CreatedAt
	made.ID = switchboard.NewID(switchboard.SubscriptionPrefix, made.CreatedAt)
	made.Version = 1
	r, err := s.keys.subscriptionRow(made)
	if err != nil {
		return err
	}
	err = s.tx(ctx, func(ctx context.Context, tx transaction) error {
		_, err := tx.NamedExecContext(ctx, `
INSERT INTO subscriptions (id, tenant, name, state, state_reason, events, method, url, body, content_type, signature_scheme, retry, timeout,
	max_in_flight, version, created_at, updated_at, headers_key_id, headers_ciphertext)
VALUES (:id, :tenant, :name, :state, :state_reason, :events, :method, :url, :body, :content_type, :signature_scheme, :retry, :timeout,
	:max_in_flight, :version, :created_at, :updated_at, :headers_key_id, :headers_ciphertext)`, r)
		if err != nil {
			return nameTaken(err, made.Name)
		}
		for _, secret := range made.Secrets {
			if err := s.insertSecret(ctx, tx, made.ID, secret); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		*sub = made
	}
	return err
}

func nameTaken(err error, name string) error {
	if violates(err, "subscriptions_name") {
		return &switchboard.Error{Code: switchboard.Conflict, Field: "name", Message: "another subscription of the tenant is named " + name}
	}
	return err
}

func (s *Store) insertSecret(ctx context.Context, tx transaction, subscriptionID string, secret switchboard.SigningSecret) error {
	now := s.now()
	id := switchboard.NewID(secretPrefix, now)
	keyID, ciphertext, err := s.keys.seal([]byte(secret.Secret.Reveal()), secretPlace(subscriptionID, id))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
INSERT INTO subscription_secrets (id, subscription_id, created_at, expires_at, key_id, ciphertext)
VALUES ($1, $2, $3, nullif($4, `+zeroTime+`), $5, $6)`, id, subscriptionID, now, secret.ExpiresAt, keyID, ciphertext)
	return err
}

// Subscription returns a subscription without its signing secrets.
func (s *Store) Subscription(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error) {
	var r subscriptionRow
	query := "SELECT " + fields("subscriptions", subscriptionFields, "") + " FROM subscriptions WHERE id = $1 AND deleted_at IS NULL"
	if err := s.get(ctx, &r, noSubscription(id), query, id); err != nil {
		return switchboard.Subscription{}, err
	}
	if !caller.Sees(r.Tenant) {
		return switchboard.Subscription{}, noSubscription(id)
	}
	return s.keys.subscription(r)
}

// Subscriptions lists subscriptions without their signing secrets, newest first.
func (s *Store) Subscriptions(ctx context.Context, caller switchboard.Caller, f switchboard.SubscriptionFilter, p switchboard.PageRequest) (switchboard.Page[switchboard.Subscription], error) {
	var none switchboard.Page[switchboard.Subscription]
	l := listing{s.keys, "subscriptions", caller, f}
	limit, behind, err := l.open(p)
	if err != nil {
		return none, err
	}
	c := &conditions{terms: []string{"deleted_at IS NULL"}}
	c.scope(caller, f.Tenant)
	if f.State != "" {
		c.add("state = ?", string(f.State))
	}
	if behind != nil {
		c.add("id < ?", behind.ID)
	}
	c.args = append(c.args, limit+1)
	var rows []subscriptionRow
	query := "SELECT " + fields("subscriptions", subscriptionFields, "") + " FROM subscriptions" + c.where() + " ORDER BY id DESC LIMIT " + argument(len(c.args))
	if err := s.list(ctx, &rows, query, c.args...); err != nil {
		return none, err
	}
	items := make([]switchboard.Subscription, len(rows))
	for i, r := range rows {
		if items[i], err = s.keys.subscription(r); err != nil {
			return none, err
		}
	}
	return pageOf(l, items, limit, func(s switchboard.Subscription) position { return position{ID: s.ID} })
}
