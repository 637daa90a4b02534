package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// attemptNames are the columns of attemptColumns.
const attemptNames = `id, delivery_id, number, generation, at, status_code, failure, permanent, detail, latency_us, timeout_us, retry_after_us, requests,
	method, url, request_headers, request_bytes, response_headers, response_truncated, response_body, load, max_attempts, interval_factor, late,
	request_sha256, subscription_version, remote_ip`

// insertAttemptsQuery stores a JSON array of attemptColumns.
const insertAttemptsQuery = "INSERT INTO attempts (" + attemptNames + ")\nSELECT " + attemptNames + " FROM json_populate_recordset(NULL::attempts, $1)"

// attemptColumns is an attempt as its table stores it. sqlx reads it, and json_populate_recordset
// writes it.
type attemptColumns struct {
	ID                string              `json:"id"`
	DeliveryID        string              `json:"delivery_id"`
	Number            int                 `json:"number"`
	Generation        int                 `json:"generation"`
	At                time.Time           `json:"at"`
	StatusCode        int                 `json:"status_code"`
	Failure           switchboard.Failure `json:"failure"`
	Permanent         bool                `json:"permanent"`
	Detail            string              `json:"detail"`
	LatencyUS         int64               `json:"latency_us"`
	TimeoutUS         int64               `json:"timeout_us"`
	RetryAfterUS      int64               `json:"retry_after_us"`
	Requests          int                 `json:"requests"`
	Method            string              `json:"method"`
	URL               string              `json:"url"`
	RequestHeaders    headers             `json:"request_headers"`
	RequestBytes      int                 `json:"request_bytes"`
	ResponseHeaders   headers             `json:"response_headers"`
	ResponseTruncated bool                `json:"response_truncated"`
	ResponseBody      octets              `json:"response_body"`
	Load              float64             `json:"load"`
	MaxAttempts       int                 `json:"max_attempts"`
	IntervalFactor    float64             `json:"interval_factor"`
	Late              bool                `json:"late"`

	RequestSHA256       octets `json:"request_sha256"`
	SubscriptionVersion int    `json:"subscription_version"`
	RemoteIP            string `json:"remote_ip"`
}

// columnsOf makes an attempt one that Postgres can store and returns unchanged: a receiver may have
// sent bytes that are not allowed in text.
func columnsOf(a switchboard.Attempt, generation int) attemptColumns {
	o := a.Outcome
	return attemptColumns{
		ID: a.ID, DeliveryID: a.DeliveryID, Number: a.Number, Generation: generation, At: a.At.UTC().Truncate(time.Microsecond),
		StatusCode: o.StatusCode, Failure: o.Failure, Permanent: o.Permanent, Detail: clean(o.Detail),
		LatencyUS: o.Latency.Microseconds(), TimeoutUS: a.Timeout.Microseconds(), RetryAfterUS: o.RetryAfter.Microseconds(), Requests: o.Requests,
		Method: a.Request.Method, URL: clean(a.Request.URL), RequestHeaders: cleanHeaders(a.Request.Headers), RequestBytes: a.Request.Bytes,
		ResponseHeaders: cleanHeaders(o.Response.Headers), ResponseTruncated: o.Response.Truncated, ResponseBody: o.Response.Body,
		Load: a.Load, MaxAttempts: a.MaxAttempts, IntervalFactor: a.IntervalFactor, Late: isLate(a),
		RequestSHA256: a.Request.SHA256, SubscriptionVersion: a.SubscriptionVersion, RemoteIP: o.RemoteIP,
	}
}

var shownOfURLPattern = regexp.MustCompile(shownOfURL)

// erasePayload removes what an erasure of the event removes.
func (c *attemptColumns) erasePayload() {
	c.Detail, c.URL, c.RequestHeaders, c.ResponseHeaders, c.ResponseBody, c.RequestSHA256 = "", shownOfURLPattern.FindString(c.URL), headers{}, headers{}, nil, nil
}

// attempt returns the attempt of the columns.
func (c attemptColumns) attempt() switchboard.Attempt {
	micro := func(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
	return switchboard.Attempt{
		ID: c.ID, DeliveryID: c.DeliveryID, Number: c.Number, At: c.At, Timeout: micro(c.TimeoutUS),
		Request: switchboard.SentRequest{Method: c.Method, URL: c.URL, Headers: c.RequestHeaders, Bytes: c.RequestBytes, SHA256: c.RequestSHA256},
		Outcome: switchboard.Outcome{
			StatusCode: c.StatusCode, Failure: c.Failure, Permanent: c.Permanent, Detail: c.Detail,
			Latency: micro(c.LatencyUS), RetryAfter: micro(c.RetryAfterUS), Requests: c.Requests, RemoteIP: c.RemoteIP,
			Response: switchboard.Response{Headers: c.ResponseHeaders, Truncated: c.ResponseTruncated, Body: c.ResponseBody},
		},
		Load: c.Load, MaxAttempts: c.MaxAttempts, IntervalFactor: c.IntervalFactor, SubscriptionVersion: c.SubscriptionVersion,
	}
}

// octets is a bytea column. Its JSON is the form in which Postgres writes bytes.
type octets []byte

// MarshalText returns the form for Postgres.
func (o octets) MarshalText() ([]byte, error) { return hex.AppendEncode([]byte(`\x`), o), nil }

// clean drops what UTF-8 or Postgres does not allow in text.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func cleanHeaders(headers map[string]string) map[string]string {
	cleaned := make(map[string]string, len(headers))
	for name, value := range headers {
		cleaned[clean(name)] = clean(value)
	}
	return cleaned
}

// headers is a JSON column. A value that is not text is shown as its JSON, and a column that is not
// an object as one header without a name. So it hides neither the other headers nor other attempts.
type headers map[string]string

func (h *headers) Scan(value any) error {
	text, ok := value.([]byte)
	if !ok {
		return fmt.Errorf("headers of type %T", value)
	}
	if json.Unmarshal(text, h) == nil {
		return nil
	}
	*h = headers{}
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		members = map[string]json.RawMessage{"": text}
	}
	for name, member := range members {
		var plain string
		if json.Unmarshal(member, &plain) != nil {
			plain = string(member)
		}
		(*h)[name] = plain
	}
	return nil
}

// selectAttempts reads the attempts of a delivery in the order of their numbers.
func selectAttempts(ctx context.Context, tx transaction, dest *[]switchboard.Attempt, deliveryID string) error {
	var rows []attemptColumns
	err := tx.SelectContext(ctx, &rows, "SELECT "+attemptNames+" FROM attempts WHERE delivery_id = $1 ORDER BY number", deliveryID)
	for _, r := range rows {
		*dest = append(*dest, r.attempt())
	}
	return err
}
