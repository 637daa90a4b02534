package api

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/ingest"
)

// receiverResponse is what the receiver answered to a triggered delivery.
type receiverResponse struct {
	DeliveryID   string            `json:"delivery_id" example:"dlv_01k0000000000000000000000"`
	EventID      string            `json:"event_id" example:"evt_01k0000000000000000000000"`
	Duplicate    bool              `json:"duplicate" doc:"The same id was accepted before; nothing new was sent"`
	State        switchboard.State `json:"state" enum:"pending,retrying,held,blocked,delivered,failed,cancelled" doc:"State of the delivery" example:"delivered"`
	StatusCode   int               `json:"status_code" doc:"The receiver's status, whatever it is" example:"200"`
	Headers      map[string]string `json:"headers" doc:"Headers of the response that scripts may need, with names in lower case" example:"{\"content-type\":\"application/json\"}"`
	Body         json.RawMessage   `json:"body" doc:"The body: parsed if it is JSON, else a string; null: there is none" example:"{\"found\":true}"`
	BodyEncoding string            `json:"body_encoding,omitempty" enum:"base64" doc:"base64 if the body is neither JSON nor text; else left out"`
	Redacted     *redacted         `json:"body_redacted,omitempty" doc:"For keys without read_payload: a description of the body instead of the body"`
	Truncated    bool              `json:"truncated" doc:"The body was longer than its stored part, and is a string; or it is null, because nothing is stored of a response that came while Postgres was unavailable"`
	DurationMS   int64             `json:"duration_ms" doc:"Duration of the attempt with this response" example:"12"`
	Warnings     []string          `json:"warnings,omitempty" nullable:"false" doc:"Warnings about the accepted event, as without wait"`
}

// scriptHeaders are the response headers that a script sees. The script may run in a customer's
// browser, which need not see cookies and the like.
var scriptHeaders = []string{
	"content-type", "content-language", "date", "etag", "expires", "last-modified", "location",
	"retry-after", "x-correlation-id", "x-request-id",
}

// responseTo shows an answer of a delivery. For a new trigger it is the first, and for a repeated
// trigger the one that determined the delivery's state.
func responseTo(caller switchboard.Caller, accepted *ingest.Result, found *switchboard.DeliveryDetail) (*receiverResponse, error) {
	d := &found.Delivery
	for _, a := range slices.Backward(found.Attempts) {
		o := &a.Outcome
		if o.StatusCode == 0 {
			continue
		}
		out := &receiverResponse{
			DeliveryID: d.ID, EventID: accepted.Event.ID, Duplicate: accepted.Duplicate, State: d.State,
			StatusCode: o.StatusCode, Headers: forScripts(shownHeaders(caller, o.Response.Headers)), Truncated: o.Response.Truncated,
			DurationMS: o.Latency.Milliseconds(), Warnings: accepted.Warnings,
		}
		if caller.ReadPayload {
			out.Body, out.BodyEncoding = scriptBody(&o.Response)
		} else {
			out.Body, out.Redacted = json.RawMessage("null"), redact(o.Response.Body, o.Response.Headers["Content-Type"], nil)
		}
		return out, nil
	}
	return nil, &waitError{err: noResponse(found), event: accepted.Event.ID, delivery: d.ID, reason: d.Reason}
}

// noResponse is the error about a delivery that has no answer and does not wait for one.
func noResponse(found *switchboard.DeliveryDetail) error {
	switch d := &found.Delivery; d.State {
	case switchboard.StateHeld:
		return switchboard.Errorf(switchboard.CodeConflict, "the delivery is held (%s) and is sent once it is released", d.Reason)
	case switchboard.StateBlocked:
		return switchboard.Errorf(switchboard.CodeConflict, "the delivery waits for an earlier one with the same key")
	}
	why := "it was not attempted"
	if n := len(found.Attempts); n > 0 {
		why = found.Attempts[n-1].Outcome.Detail
	}
	return switchboard.Errorf(switchboard.CodeNoAnswer, "the delivery has ended without a response from the receiver: %s", why)
}

func forScripts(headers map[string]string) map[string]string {
	out := map[string]string{}
	for name, value := range headers {
		if name = strings.ToLower(name); slices.Contains(scriptHeaders, name) {
			out[name] = value
		}
	}
	return out
}

// scriptBody returns the body as JSON. encoding is base64 if the body is not text.
func scriptBody(r *switchboard.Response) (body json.RawMessage, encoding string) {
	text := r.Body
	switch {
	case len(text) == 0:
		return json.RawMessage("null"), ""
	case isJSON(r):
		return text, ""
	case r.Truncated:
		text = wholeRunes(text)
	}
	if utf8.Valid(text) {
		return asJSON(string(text)), ""
	}
	return asJSON(base64.StdEncoding.EncodeToString(r.Body)), "base64"
}

// isJSON reports whether the body is JSON. Many receivers send every answer as text/html, so an
// object or a list counts as JSON whatever its Content-Type is.
func isJSON(r *switchboard.Response) bool {
	if r.Truncated || !utf8.Valid(r.Body) || !json.Valid(r.Body) {
		return false
	}
	for name, value := range r.Headers {
		media, _, err := mime.ParseMediaType(value)
		if err == nil && http.CanonicalHeaderKey(name) == "Content-Type" && (media == "application/json" || strings.HasSuffix(media, "+json")) {
			return true
		}
	}
	first := strings.TrimLeft(string(r.Body), " \t\r\n")[0]
	return first == '{' || first == '['
}
