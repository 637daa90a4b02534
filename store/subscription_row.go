package store

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/filter"
)

const subscriptionFields = "id tenant name profile use_case state state_reason events filter method url body shape content_type " +
	"signature_scheme signature_header signature_prefix verification retry timeout adaptive max_in_flight version created_at updated_at deleted_at? " +
	"headers_key_id headers_ciphertext private_key_id private_ciphertext"

// subscriptionRow is a subscription as its table holds it.
type subscriptionRow struct {
	ID, Tenant, Name, Profile, UseCase, StateReason, Filter, Method, URL, ContentType string

	State             switchboard.SubscriptionState
	Events            pq.StringArray
	Patterns          pq.StringArray // written only: what events are looked up by
	Body              switchboard.BodyKind
	Shape             string
	SignatureScheme   switchboard.Scheme
	SignatureHeader   string
	SignaturePrefix   string
	Verification      switchboard.Verification
	Retry             jsonText
	Timeout           string
	Adaptive          string
	MaxInFlight       int
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

// shape is what of a request has no column of its own.
type shape struct {
	Envelope *switchboard.EnvelopeFields `json:"envelope,omitempty"`
	Missing  switchboard.Missing         `json:"missing,omitempty"`
	XML      *switchboard.XMLStyle       `json:"xml,omitempty"`

	HTTPVersion switchboard.HTTPVersion `json:"http_version,omitempty"`
}

// private is what of a subscription may hold credentials, beside its headers.
type private struct {
	Query  string            `json:"query,omitempty"` // of the request's URL, with its question mark; the column url holds the rest
	Params json.RawMessage   `json:"params,omitempty"`
	SOAP   *switchboard.SOAP `json:"soap,omitempty"`
	Auth   *credentials      `json:"auth,omitempty"`
}

func (p private) empty() bool {
	return p.Query == "" && p.Params == nil && p.SOAP == nil && p.Auth == nil
}

// credentials are a [switchboard.Auth] whose secrets can be written.
type credentials struct {
	switchboard.Auth
	Password, Token, Value, ClientSecret, PrivateKey string
	Parameters                                       map[string]string `json:",omitempty"`
}

func credentialsOf(a switchboard.Auth) *credentials {
	if a.Type == switchboard.AuthNone {
		return nil
	}
	c := &credentials{Auth: a, Password: a.Password.Reveal(), Token: a.Token.Reveal(), Value: a.Value.Reveal(),
		ClientSecret: a.ClientSecret.Reveal(), PrivateKey: a.PrivateKey.Reveal()}
	for name, value := range a.Parameters {
		if c.Parameters == nil {
			c.Parameters = map[string]string{}
		}
		c.Parameters[name] = value.Reveal()
	}
	return c
}

func (c *credentials) auth() switchboard.Auth {
	if c == nil {
		return switchboard.Auth{}
	}
	a := c.Auth
	a.Password, a.Token, a.Value = switchboard.Secret(c.Password), switchboard.Secret(c.Token), switchboard.Secret(c.Value)
	a.ClientSecret, a.PrivateKey = switchboard.Secret(c.ClientSecret), switchboard.Secret(c.PrivateKey)
	for name, value := range c.Parameters {
		if a.Parameters == nil {
			a.Parameters = map[string]switchboard.Secret{}
		}
		a.Parameters[name] = switchboard.Secret(value)
	}
	return a
}

func headersPlace(id string) string { return "subscriptions/" + id + "/headers" }

func privatePlace(id string) string { return "subscriptions/" + id + "/private" }

func (k *Keyring) subscriptionRow(s switchboard.Subscription) (subscriptionRow, error) {
	address, _ := switchboard.SplitQuery(s.Request.URL)
	r := subscriptionRow{
		ID: s.ID, Tenant: s.Tenant, Name: clean(s.Name), Profile: s.Profile, UseCase: s.UseCase,
		State: s.State, StateReason: clean(s.StateReason), Events: s.Events, Patterns: lower(s.Events),
		Method: s.Request.Method, URL: address, Body: s.Request.Body, ContentType: s.Request.ContentType,
		SignatureScheme: s.Signature.Scheme, SignatureHeader: s.Signature.Header, SignaturePrefix: s.Signature.Prefix,
		Verification: s.Verification, Timeout: s.Timeout.String(), MaxInFlight: s.MaxInFlight,
		Version: s.Version, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, Filter: string(s.Filter),
	}
	for _, part := range []struct {
		column *string
		value  any
	}{
		{&r.Shape, shape{s.Request.Envelope, s.Request.Missing, s.Request.XML, s.Request.HTTPVersion}},
		{&r.Adaptive, s.Adaptive},
		{(*string)(&r.Retry), s.Retry},
	} {
		text, err := json.Marshal(part.value)
		if err != nil {
			return r, err
		}
		*part.column = string(text)
	}
	return r, k.sealParts(&r, s)
}

// sealParts encrypts what may hold credentials.
func (k *Keyring) sealParts(r *subscriptionRow, s switchboard.Subscription) error {
	headers, err := json.Marshal(s.Request.Headers)
	if err != nil {
		return err
	}
	if r.HeadersKeyID, r.HeadersCiphertext, err = k.seal(headers, headersPlace(s.ID)); err != nil {
		return err
	}
	_, query := switchboard.SplitQuery(s.Request.URL)
	hidden := private{query, s.Request.Params, s.Request.SOAP, credentialsOf(s.Auth)}
	r.PrivateCiphertext = []byte{}
	if hidden.empty() {
		return nil
	}
	text, err := switchboard.EncodeJSON(hidden)
	if err != nil {
		return err
	}
	r.PrivateKeyID, r.PrivateCiphertext, err = k.seal(text, privatePlace(s.ID))
	return err
}

// subscription reads a row. What of it cannot be read is named in Unreadable, so that one
// such row neither hides others nor itself; why is the error that is not for callers.
func (k *Keyring) subscription(r subscriptionRow) (sub switchboard.Subscription, why error) {
	s := switchboard.Subscription{
		ID: r.ID, Tenant: r.Tenant, Name: r.Name, Profile: r.Profile, UseCase: r.UseCase, Events: r.Events,
		Request:      switchboard.Request{Method: r.Method, URL: r.URL, Body: r.Body, ContentType: r.ContentType},
		Signature:    switchboard.Signature{Scheme: r.SignatureScheme, Header: r.SignatureHeader, Prefix: r.SignaturePrefix},
		Verification: r.Verification, MaxInFlight: r.MaxInFlight,
		State: r.State, StateReason: r.StateReason, Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, DeletedAt: r.DeletedAt.UTC(),
	}
	var rest shape
	var headers map[string]string
	var hidden private
	for _, part := range []struct {
		fields []string // that are lost with it
		read   func() error
		reset  func()
	}{
		{[]string{"timeout"}, func() error { return s.Timeout.UnmarshalText([]byte(r.Timeout)) }, func() { s.Timeout = 0 }},
		{[]string{"filter"}, func() error { return readFilter(&s.Filter, r.Filter) }, func() { s.Filter = nil }},
		{[]string{"request.envelope"}, func() error { return json.Unmarshal([]byte(r.Shape), &rest) }, func() { rest = shape{} }},
		{[]string{"adaptive"}, func() error { return json.Unmarshal([]byte(r.Adaptive), &s.Adaptive) }, func() { s.Adaptive = switchboard.Adaptive{} }},
		{[]string{"retry"}, func() error { return json.Unmarshal([]byte(r.Retry), &s.Retry) }, func() { s.Retry = switchboard.RetryPolicy{} }},
		{[]string{"request.headers"}, func() error { return k.openHeaders(&headers, r) }, func() { headers = nil }},
		{privateFields(r), func() error { return k.openPrivate(&hidden, r) }, func() { hidden = private{} }},
	} {
		if err := part.read(); err != nil {
			part.reset()
			s.Unreadable = append(s.Unreadable, part.fields...)
			why = errors.Join(why, err)
		}
	}
	s.Request.Envelope, s.Request.Missing, s.Request.XML, s.Request.HTTPVersion = rest.Envelope, rest.Missing, rest.XML, rest.HTTPVersion
	s.Request.URL += hidden.Query
	s.Request.Headers, s.Request.Params, s.Request.SOAP, s.Auth = headers, hidden.Params, hidden.SOAP, hidden.Auth.auth()
	return s, why
}

func readFilter(into *json.RawMessage, text string) error {
	f, err := filter.Parse([]byte(text))
	*into = f.Document()
	return err
}

// privateFields names what is encrypted together, as far as the subscription may have it.
func privateFields(r subscriptionRow) []string {
	fields := []string{"request.url", "auth"}
	if r.Body == switchboard.BodyParams {
		fields = append(fields, "request.params")
		if strings.Contains(r.ContentType, "xml") {
			fields = append(fields, "request.soap")
		}
	}
	return fields
}

func (k *Keyring) openHeaders(headers *map[string]string, r subscriptionRow) error {
	text, err := k.open(r.HeadersKeyID, r.HeadersCiphertext, headersPlace(r.ID))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, headers)
}

func (k *Keyring) openPrivate(hidden *private, r subscriptionRow) error {
	if r.PrivateKeyID == "" {
		return nil
	}
	text, err := k.open(r.PrivateKeyID, r.PrivateCiphertext, privatePlace(r.ID))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, hidden)
}

func lower(patterns []string) []string {
	lowered := make([]string, len(patterns))
	for i, pattern := range patterns {
		lowered[i] = strings.ToLower(pattern)
	}
	return lowered
}
