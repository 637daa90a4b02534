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
	State        switchboard.State `json:"state" enum:"pending,retrying,held,blocked,delivered,failed,cancelled" doc:"Of the delivery" example:"delivered"`
	StatusCode   int               `json:"status_code" doc:"What the receiver answered, whatever it is" example:"200"`
	Headers      map[string]string `json:"headers" doc:"Those of the answer that scripts may want, their names in lower case" example:"{\"content-type\":\"application/json\"}"`
	Body         json.RawMessage   `json:"body" doc:"Parsed, if it is JSON; else a string. null: there is none" example:"{\"found\":true}"`
	BodyEncoding string            `json:"body_encoding,omitempty" enum:"base64" doc:"base64 where the body is neither JSON nor text; else left out"`
	Truncated    bool              `json:"truncated" doc:"The body was longer than what is kept of it, and is a string then; or null: nothing is kept of an answer that came while Postgres was away"`
	DurationMS   int64             `json:"duration_ms" doc:"Of the attempt that was answered" example:"12"`
	Warnings     []string          `json:"warnings,omitempty" nullable:"false" doc:"What was accepted all the same, as without a wait"`
}

// scriptHeaders are the headers of an answer that a script is shown. It may run in
// a customer's browser, and need not see cookies and the like.
var scriptHeaders = []string{
	"content-type", "content-language", "date", "etag", "expires", "last-modified", "location",
	"retry-after", "x-correlation-id", "x-request-id",
}

// answerOf shows the latest answer of a delivery: of one that is triggered anew that
// is the first, of a repeat it is the one that its state came of.
func answerOf(accepted *ingest.Result, found *switchboard.DeliveryDetail) (*receiverResponse, error) {
	d := &found.Delivery
	for _, a := range slices.Backward(found.Attempts) {
		o := &a.Outcome
		if o.StatusCode == 0 {
			continue
		}
		out := &receiverResponse{
			DeliveryID: d.ID, EventID: accepted.Event.ID, Duplicate: accepted.Duplicate, State: d.State,
			StatusCode: o.StatusCode, Headers: forScripts(o.Response.Headers), Truncated: o.Response.Truncated,
			DurationMS: o.Latency.Milliseconds(), Warnings: accepted.Warnings,
		}
		out.Body, out.BodyEncoding = scriptBody(&o.Response)
		return out, nil
	}
	return nil, &waitError{err: whyNone(found), event: accepted.Event.ID, delivery: d.ID, reason: d.Reason}
}

// whyNone says why a delivery has no answer and waits for none.
func whyNone(found *switchboard.DeliveryDetail) error {
	switch d := &found.Delivery; d.State {
	case switchboard.StateHeld:
		return switchboard.Errorf(switchboard.CodeConflict, "the delivery is held (%s) and goes on once it is released", d.Reason)
	case switchboard.StateBlocked:
		return switchboard.Errorf(switchboard.CodeConflict, "the delivery waits for an earlier one with the same key")
	}
	why := "it was not attempted"
	if n := len(found.Attempts); n > 0 {
		why = found.Attempts[n-1].Outcome.Detail
	}
	return switchboard.Errorf(switchboard.CodeNoAnswer, "the delivery has ended without an answer of the receiver: %s", why)
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

// scriptBody is the body as JSON, and the encoding of what is no text.
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

// isJSON reports whether the body is JSON: either it says so, or it is an object or
// a list, as of the many receivers that send every answer as text/html.
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
