package store

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/filter"
	"github.com/seed-49a43567/switchboard/signing"
)

const subscriptionFields = "id tenant name state state_reason state_since state_by events filter method url max_in_flight document version created_at updated_at deleted_at? " +
	"headers_key_id headers_ciphertext private_key_id private_ciphertext"

// subscriptionRow is a subscription as its table stores it: the given document, without the
// encrypted parts, and the columns that SQL reads.
type subscriptionRow struct {
	ID, Tenant, Name, StateReason, StateBy, Filter string

	State             switchboard.SubscriptionState
	StateSince        time.Time
	Events            pq.StringArray
	Patterns          pq.StringArray // written only: events are looked up by them
	Method            string         // written only, as are max_in_flight and the url, which has no query
	URL               string
	MaxInFlight       int
	Ordered           bool // written only, as are the four after it
	Supersede         bool
	DeliverWithinUS   int64
	HoldForUS         int64
	Operational       bool // it takes Switchboard's own events
	Document          jsonText
	Version           int
	CreatedAt         time.Time
	UpdatedAt         time.Time
	DeletedAt         time.Time // read only; zero: it is not deleted
	HeadersKeyID      string
	HeadersCiphertext []byte
	PrivateKeyID      string // empty: no private parts
	PrivateCiphertext []byte
}

// jsonText is a JSON column, written as text: Postgres would take bytes for its binary form of
// JSON.
type jsonText string

// private has the parts of a subscription that may have credentials, in addition to its headers.
// Auth is a [switchboard.RevealedAuth] when it is written, and a pointer to a [switchboard.Auth]
// when it is read.
type private struct {
	Query  string            `json:"query,omitempty"` // of the request's URL, with its question mark
	Params json.RawMessage   `json:"params,omitempty"`
	SOAP   *switchboard.SOAP `json:"soap,omitempty"`
	Auth   any               `json:"auth,omitempty"`
}

func headersData(id string) string { return "subscriptions/" + id + "/headers" }

func privateData(id string) string { return "subscriptions/" + id + "/private" }

// subscriptionRow makes the row of a subscription as it was given.
func (k *Keyring) subscriptionRow(given switchboard.Subscription) (subscriptionRow, error) {
	given.Name = clean(given.Name)
	effective := withDefaults(given)
	address, query := switchboard.SplitQuery(given.Request.URL)
	r := subscriptionRow{
		ID: given.ID, Tenant: given.Tenant, Name: given.Name, State: effective.State, StateReason: clean(given.StateReason),
		StateSince: given.StateSince, StateBy: clean(given.StateBy), Ordered: effective.Ordering == switchboard.OrderingKey, Supersede: effective.Supersede,
		DeliverWithinUS: time.Duration(effective.DeliverWithin).Microseconds(), HoldForUS: time.Duration(effective.HoldFor).Microseconds(),
		Operational: slices.ContainsFunc(given.Events, switchboard.IsOperational),
		Events:      given.Events, Patterns: lower(given.Events), Filter: string(given.Filter),
		Method: effective.Request.Method, URL: address, MaxInFlight: effective.MaxInFlight,
		Version: given.Version, CreatedAt: given.CreatedAt, UpdatedAt: given.UpdatedAt,
	}
	hidden := private{Query: query, Params: given.Request.Params, SOAP: given.Request.SOAP}
	if given.Auth.Type != switchboard.AuthNone {
		hidden.Auth = given.Auth.Reveal()
	}
	if err := k.sealParts(&r, given.Request.Headers, hidden); err != nil {
		return r, err
	}
	given.Filter, given.Request.URL, given.Request.Headers, given.Request.Params, given.Request.SOAP, given.Auth = nil, address, nil, nil, nil, switchboard.Auth{}
	document, err := given.Document()
	r.Document = jsonText(document)
	return r, err
}

// sealParts encrypts the parts that may have credentials.
func (k *Keyring) sealParts(r *subscriptionRow, headers map[string]string, hidden private) error {
	text, err := json.Marshal(headers)
	if err != nil {
		return err
	}
	if r.HeadersKeyID, r.HeadersCiphertext, err = k.seal(text, headersData(r.ID)); err != nil {
		return err
	}
	r.PrivateCiphertext = []byte{}
	if hidden.Query == "" && hidden.Params == nil && hidden.SOAP == nil && hidden.Auth == nil {
		return nil
	}
	if text, err = switchboard.EncodeJSON(hidden); err != nil {
		return err
	}
	r.PrivateKeyID, r.PrivateCiphertext, err = k.seal(text, privateData(r.ID))
	return err
}

// withDefaults fills in defaults.
func withDefaults(given switchboard.Subscription) switchboard.Subscription {
	given.SetDefaults()
	signing.SetDefaults(&given.Signature)
	return given
}

// withDefaults is [withDefaults], with the configured thresholds of a breaker.
func (s *Store) withDefaults(given switchboard.Subscription) switchboard.Subscription {
	given.Breaker = given.Breaker.Or(s.breaker)
	return withDefaults(given)
}

// subscription reads a row, and fills in defaults. Unreadable names the parts that cannot be read,
// so that such a row hides neither others nor itself; why is the error, which is not for callers.
func (s *Store) subscription(r subscriptionRow) (sub switchboard.Subscription, why error) {
	given, why := s.keys.given(r)
	return s.withDefaults(given), why
}

// given reads a row as it was given.
func (k *Keyring) given(r subscriptionRow) (sub switchboard.Subscription, why error) {
	unreadable := func(err error, fields ...string) {
		if err != nil {
			sub.Unreadable = append(sub.Unreadable, fields...)
			why = errors.Join(why, err)
		}
	}
	damaged, err := readDocument(&sub, []byte(r.Document))
	unreadable(err, damaged...)
	sub.ID, sub.Tenant, sub.Name, sub.Events = r.ID, r.Tenant, r.Name, r.Events
	sub.State, sub.StateReason, sub.StateSince, sub.StateBy, sub.Version = r.State, r.StateReason, r.StateSince.UTC(), r.StateBy, r.Version
	sub.CreatedAt, sub.UpdatedAt, sub.DeletedAt = r.CreatedAt, r.UpdatedAt, r.DeletedAt.UTC()
	parsed, err := filter.Parse([]byte(r.Filter))
	sub.Filter = parsed.Document()
	unreadable(err, "filter")
	sub.Request.Headers, err = k.openHeaders(r)
	unreadable(err, "request.headers")
	hidden, auth, err := k.openPrivate(r)
	unreadable(err, privateFields(&sub.Request)...)
	sub.Request.URL = r.URL + hidden.Query
	sub.Request.Params, sub.Request.SOAP, sub.Auth = hidden.Params, hidden.SOAP, auth
	return sub, why
}

// readDocument reads a document that cannot be read as a whole member by member, and returns the
// names of the damaged members.
func readDocument(into *switchboard.Subscription, document []byte) (damaged []string, err error) {
	if json.Unmarshal(document, into) == nil {
		return nil, nil
	}
	*into = switchboard.Subscription{}
	var members map[string]json.RawMessage
	err = json.Unmarshal(document, &members)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		member, read := append(append([]byte(`{"`+name+`":`), members[name]...), '}'), *into
		if wrong := json.Unmarshal(member, &read); wrong != nil {
			damaged, err = append(damaged, name), cmp.Or(err, wrong)
			continue
		}
		*into = read
	}
	return damaged, err
}

// privateFields returns the names of the encrypted parts that the subscription may have.
func privateFields(r *switchboard.Request) []string {
	fields := []string{"request.url", "auth"}
	if r.Body == switchboard.BodyParams {
		fields = append(fields, "request.params")
		if strings.Contains(r.ContentType, "xml") {
			fields = append(fields, "request.soap")
		}
	}
	return fields
}

func (k *Keyring) openHeaders(r subscriptionRow) (headers map[string]string, err error) {
	text, err := k.open(r.HeadersKeyID, r.HeadersCiphertext, headersData(r.ID))
	if err == nil {
		err = json.Unmarshal(text, &headers)
	}
	return headers, err
}

func (k *Keyring) openPrivate(r subscriptionRow) (private, switchboard.Auth, error) {
	if r.PrivateKeyID == "" {
		return private{}, switchboard.Auth{}, nil
	}
	text, err := k.open(r.PrivateKeyID, r.PrivateCiphertext, privateData(r.ID))
	var auth switchboard.Auth
	hidden := private{Auth: &auth}
	if err == nil {
		err = json.Unmarshal(text, &hidden)
	}
	if err != nil {
		return private{}, switchboard.Auth{}, err
	}
	return hidden, auth, nil
}

func lower(patterns []string) []string {
	lowered := make([]string, len(patterns))
	for i, pattern := range patterns {
		lowered[i] = strings.ToLower(pattern)
	}
	return lowered
}
