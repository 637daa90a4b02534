package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// insertAttemptsQuery reads a JSON array of attempts under the names of their fields.
const insertAttemptsQuery = insertAttempts + "\nFROM json_to_recordset($1) AS a" + attemptColumns

// attemptColumns names the fields of attempt as encoding/json writes them.
const (
	attemptColumns = "(" + attemptFields + ")"
	attemptFields  = `"ID" text, "DeliveryID" text, "Number" int, "Generation" int, "At" timestamptz, "Timeout" bigint, "Outcome" jsonb, "Request" jsonb,
	"Load" real, "MaxAttempts" int, "IntervalFactor" real`
)

// insertAttempts stores attempts of a relation a with attemptColumns.
const insertAttempts = `
INSERT INTO attempts (id, delivery_id, number, generation, at, status_code, failure, detail, latency_us, timeout_us, retry_after_us,
	method, url, request_headers, request_bytes, response_headers, response_truncated, response_body, load, max_attempts, interval_factor, permanent, requests)
SELECT a."ID", a."DeliveryID", a."Number", a."Generation", a."At", (a."Outcome"->>'StatusCode')::int, a."Outcome"->>'Failure', a."Outcome"->>'Detail',
	(a."Outcome"->>'Latency')::bigint / 1000, a."Timeout" / 1000, (a."Outcome"->>'RetryAfter')::bigint / 1000,
	a."Request"->>'Method', a."Request"->>'URL', coalesce(nullif(a."Request"->'Headers', 'null'), '{}'), (a."Request"->>'Bytes')::int,
	coalesce(nullif(a."Outcome"->'Response'->'Headers', 'null'), '{}'), (a."Outcome"->'Response'->>'Truncated')::boolean,
	coalesce(decode(a."Outcome"->'Response'->>'Body', 'base64'), ''), a."Load", a."MaxAttempts", a."IntervalFactor",
	(a."Outcome"->>'Permanent')::boolean, (a."Outcome"->>'Requests')::smallint`

// storable makes an attempt that Postgres can hold and gives back unchanged: what
// a receiver sent may hold bytes that no text may.
func storable(a switchboard.Attempt) switchboard.Attempt {
	a.At = a.At.UTC().Truncate(time.Microsecond)
	a.Outcome.Detail = clean(a.Outcome.Detail)
	a.Request.URL = clean(a.Request.URL)
	a.Request.Headers = cleanHeaders(a.Request.Headers)
	a.Outcome.Response.Headers = cleanHeaders(a.Outcome.Response.Headers)
	return a
}

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

// headers reads a JSON column. A value that is no text is shown as it stands there, and
// what is no object as a header without a name: it hides neither the rest nor other attempts.
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

// selectAttempts reads the attempts of a delivery in order of their numbers.
func selectAttempts(ctx context.Context, tx transaction, dest *[]switchboard.Attempt, deliveryID string) error {
	var rows []struct {
		switchboard.Attempt
		RequestHeaders  headers
		ResponseHeaders headers
	}
	err := tx.SelectContext(ctx, &rows, `
SELECT id, delivery_id, number, at, timeout_us * 1000 AS timeout, load::float8 AS load, max_attempts, interval_factor::float8 AS interval_factor,
	method AS "request.method", url AS "request.url", request_headers, request_bytes AS "request.bytes",
	status_code AS "outcome.status_code", failure AS "outcome.failure", detail AS "outcome.detail",
	latency_us * 1000 AS "outcome.latency", retry_after_us * 1000 AS "outcome.retry_after", permanent AS "outcome.permanent", requests AS "outcome.requests",
	response_headers, response_body AS "outcome.response.body", response_truncated AS "outcome.response.truncated"
FROM attempts WHERE delivery_id = $1 ORDER BY number`, deliveryID)
	for _, r := range rows {
		r.Request.Headers, r.Outcome.Response.Headers = r.RequestHeaders, r.ResponseHeaders
		*dest = append(*dest, r.Attempt)
	}
	return err
}
