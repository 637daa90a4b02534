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

// subscriptionRow is a subscription as its table holds it: the document that was given,
// without what is encrypted, beside the columns that SQL reads.
type subscriptionRow struct {
	ID, Tenant, Name, StateReason, StateBy, Filter string

	State             switchboard.SubscriptionState
	StateSince        time.Time
	Events            pq.StringArray
	Patterns          pq.StringArray // written only: what events are looked up by
	Method            string         // written only, as are the url, which has no query, and max_in_flight
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
	DeletedAt         time.Time // read only; zero: it is not
	HeadersKeyID      string
	HeadersCiphertext []byte
	PrivateKeyID      string // empty: there is nothing private
	PrivateCiphertext []byte
}

// jsonText is a JSON column, as text on the way in: bytes would be taken for
// Postgres's binary form of JSON.
type jsonText string

// private is what of a subscription may hold credentials, beside its headers. Auth is a
// [switchboard.RevealedAuth] on the way in, and a pointer to a [switchboard.Auth] on the way out.
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

// sealParts encrypts what may hold credentials.
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

// withDefaults returns the subscription with defaults where nothing was given.
func withDefaults(given switchboard.Subscription) switchboard.Subscription {
	given.SetDefaults()
	signing.SetDefaults(&given.Signature)
	return given
}

// withDefaults is [withDefaults], with the thresholds of a breaker as the configuration has them.
func (s *Store) withDefaults(given switchboard.Subscription) switchboard.Subscription {
	given.Breaker = given.Breaker.Or(s.breaker)
	return withDefaults(given)
}

// subscription reads a row, with defaults where nothing was given. What of it cannot be read
// is named in Unreadable, so that one such row hides neither others nor itself; why is the
// error that is not for callers.
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

// readDocument reads the document member by member where it cannot be read as a whole, and
// names the members that are damaged.
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

// privateFields names what is encrypted together, as far as the subscription may have it.
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
