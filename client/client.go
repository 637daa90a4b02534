// Package client calls the HTTP API of Switchboard.
//
//	c, err := client.New(client.Config{URL: "https://switchboard.example.com", Key: key})
//	accepted, err := c.PostEvent(ctx, client.NewEvent{Tenant: "acme", Type: "ticket.created", Data: data})
//
// Each operation of the API's OpenAPI document is a method of the same name. Every server
// has the document at /openapi.json and shows it at /docs. It explains the fields.
//
// An answer without success is an [*Error]. Lists come page by page, and as iterators that
// request further pages when they need them.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Config says how to connect to the API.
type Config struct {
	URL string             // of the server, such as https://switchboard.example.com; required
	Key switchboard.Secret // the API key; empty: only [Client.Health] and [Client.Ready] work

	// HTTP makes the requests. nil: our own client, which keeps up to idleConnections connections
	// and limits a call to defaultTimeout.
	HTTP *http.Client

	// Retries is how often a call is repeated if the answer is 429 or 503, or if there is no
	// answer. The call waits for the time in Retry-After, up to a minute, or otherwise for 0.2 to 5
	// seconds. Only calls that are safe to repeat are repeated: those that read, put or delete,
	// those with an [IdempotencyKey], and those that post events or triggers, to which the client
	// gives an id if they have none. 0: no call is repeated.
	Retries int
}

const (
	// idleConnections is how many connections the default client keeps. net/http keeps two, so
	// callers that post many events at once would constantly open new ones.
	idleConnections = 64
	// defaultTimeout is longer than the maximum wait of a trigger, 60 seconds.
	defaultTimeout = 90 * time.Second
	// maxRetryAfter is the maximum wait before a call is repeated.
	maxRetryAfter = time.Minute
	// firstPause and longestPause limit the wait if the answer gives no time. A replaced process is
	// back within seconds.
	firstPause   = 200 * time.Millisecond
	longestPause = 5 * time.Second
	// maxAnswer is the maximum length of an answer that is read, in bytes.
	maxAnswer = 64 << 20
)

// Client calls the API. Several goroutines may use it at the same time.
type Client struct {
	base    string
	key     switchboard.Secret
	http    *http.Client
	retries int
}

// New makes a client. It does not call the API.
func New(config Config) (*Client, error) {
	base, err := url.Parse(config.URL)
	switch {
	case err != nil:
		return nil, errors.New("client: Config.URL is not a URL")
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, errors.New("client: Config.URL must be an http or https URL")
	case base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("client: Config.URL may have neither query nor fragment")
	case config.Retries < 0:
		return nil, errors.New("client: Config.Retries is negative")
	}
	c := &Client{base: strings.TrimRight(config.URL, "/"), key: config.Key, http: config.HTTP, retries: config.Retries}
	if c.http == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = idleConnections
		c.http = &http.Client{Transport: transport, Timeout: defaultTimeout}
	}
	return c, nil
}

// Option is an addition to a call.
type Option func(http.Header)

// IdempotencyKey makes a call safe to repeat. For 24 hours, the same key with the same request gets
// the same answer, and nothing is executed again.
func IdempotencyKey(key string) Option {
	return func(h http.Header) { h.Set(idempotencyHeader, key) }
}

// Actor names the person who acts, for the audit.
func Actor(person string) Option {
	return func(h http.Header) { h.Set("Switchboard-Actor", person) }
}

// RequestID sets the id of the call in the server's log.
func RequestID(id string) Option {
	return func(h http.Header) { h.Set("X-Request-Id", id) }
}

const idempotencyHeader = "Idempotency-Key"

// request is one call of the API.
type request struct {
	method  string
	path    string
	query   url.Values
	body    any  // sent as JSON; nil: no body
	safe    bool // repeating it does no harm
	options []Option
}

// call makes a call and decodes its answer into a T.
func call[T any](ctx context.Context, c *Client, r request) (T, error) {
	var into T
	err := c.call(ctx, r, &into)
	return into, err
}

// call makes a call, repeats it if the config says so, and decodes its answer into what into points
// to. nil: the answer has no body.
func (c *Client) call(ctx context.Context, r request, into any) error {
	body, err := bodyOf(r.body)
	if err != nil {
		return fmt.Errorf("client: %s %s: %w", r.method, r.path, err)
	}
	for tries := 0; ; tries++ {
		safe, err := c.send(ctx, r, body, into)
		pause, temporary := pauseAfter(err, tries)
		if !safe || !temporary || tries == c.retries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// send makes one request. safe says that repeating it does no harm.
func (c *Client) send(ctx context.Context, r request, body []byte, into any) (safe bool, err error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	sent, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("client: %w", err)
	}
	if body != nil {
		sent.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		sent.Header.Set("Authorization", "Bearer "+c.key.Reveal())
	}
	for _, option := range r.options {
		option(sent.Header)
	}
	safe = r.safe || r.method == http.MethodGet || r.method == http.MethodPut || r.method == http.MethodDelete || sent.Header.Get(idempotencyHeader) != ""
	answer, err := c.http.Do(sent)
	if err != nil {
		return safe, noAnswer(ctx, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return safe, noAnswer(ctx, fmt.Errorf("%s %s: %w", r.method, r.path, err))
	case len(text) > maxAnswer:
		return false, fmt.Errorf("client: %s %s: the answer is longer than %d bytes", r.method, r.path, maxAnswer)
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		return safe, errorOf(answer, text)
	case into == nil:
		return false, nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return false, fmt.Errorf("client: %s %s: the answer is not the API's: %w", r.method, r.path, err)
	}
	return false, nil
}

// bodyOf encodes a body. It does not change the bytes of an event's data, except for white space
// between tokens.
func bodyOf(body any) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	return switchboard.EncodeJSON(body)
}

// path joins the escaped parts of a path.
func path(parts ...string) string {
	text := "/v1"
	for _, part := range parts {
		text += "/" + url.PathEscape(part)
	}
	return text
}

// query omits empty values.
func query(pairs ...string) url.Values {
	values := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		if name, value := pair[0], pair[len(pair)-1]; value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// instant writes a time in the API's format, or "" for the zero time.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// reason is an operator's reason for an action.
type reason struct {
	Reason string `json:"reason,omitempty"`
}
