package webhook

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Limits for what is read and stored of a response, in bytes. A receiver may be hostile, and every
// attempt stores its response.
const (
	maxBody        = 16 << 10  // of the body, stored
	maxDrain       = 256 << 10 // of the body, read in total so that the connection can be reused
	drainTime      = time.Second
	maxHeaderRead  = 64 << 10 // of the header, read, with all 1xx responses before it
	maxHeaders     = 64       // header fields that are stored
	maxHeaderBytes = 8 << 10  // of names and values together, stored
	maxStatus      = 999      // three digits (RFC 9110 15); net/http accepts any number over HTTP/2
)

// outcomeOf reads a response. cancel ends the request.
//
// The status alone decides: a receiver that answers 200 has accepted the delivery, even if
// the body then never ends, breaks off or is garbage. Such a body is cut at the time limit
// and marked as truncated.
func outcomeOf(resp *http.Response, cancel context.CancelFunc) switchboard.Outcome {
	defer func() { _ = resp.Body.Close() }()
	status := resp.StatusCode
	if status < 0 || status > maxStatus {
		status = 0
	}
	o := switchboard.Outcome{
		StatusCode: status,
		Failure:    switchboard.FailureOfStatus(status),
		Response:   switchboard.Response{Headers: storedHeaders(resp.Header)},
	}
	if o.Failure != "" {
		o.Detail = statusDetail(status, o.Failure)
		o.RetryAfter = switchboard.ParseRetryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	o.Wish = switchboard.ParseReceiverWish(resp.Header.Get(switchboard.DeliveryHeader))
	// After 101 the body is the raw connection, which may stay silent for ever.
	if resp.StatusCode != http.StatusSwitchingProtocols {
		o.Response.Body, o.Response.Truncated = readBody(resp, cancel)
	}
	return o
}

// invalidResponse is the outcome of a response in which only the status is valid HTTP.
func invalidResponse(status int) switchboard.Outcome {
	const rest = "what follows the status is not valid HTTP, or too long, and was not read"
	o := switchboard.Outcome{
		StatusCode: status, Failure: switchboard.FailureOfStatus(status), Detail: rest,
		Response: switchboard.Response{Headers: map[string]string{}, Truncated: true},
	}
	if o.Failure != "" {
		o.Detail = statusDetail(status, o.Failure) + "; " + rest
	}
	return o
}

// statusDetail describes a status that is a failure.
func statusDetail(status int, failure switchboard.Failure) string {
	text := strings.TrimSpace(http.StatusText(status)) // not the receiver's own words
	switch {
	case failure == switchboard.FailureRedirect:
		return strings.TrimSpace("the receiver answered with a redirect, which is not followed: " + text)
	case failure == switchboard.FailureBadResponse:
		return "the receiver answered with a status that ends no request"
	case text == "":
		return "the receiver answered with an unusual status"
	}
	return "the receiver answered: " + text
}

// readBody returns the beginning of the body, and whether the rest was longer or did not come. It
// also reads a moderate rest, because otherwise HTTP/1.1 cannot reuse the connection; HTTP/2 only
// resets the stream.
func readBody(resp *http.Response, cancel context.CancelFunc) (head []byte, truncated bool) {
	head, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return head[:min(len(head), maxBody)], true
	}
	if len(head) <= maxBody {
		return head, false
	}
	if resp.ProtoMajor == 1 {
		// A new connection is cheaper than waiting for a slow rest.
		timer := time.AfterFunc(drainTime, cancel)
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain-maxBody)
		timer.Stop()
	}
	return head[:maxBody:maxBody], true
}

// storedHeaders returns the headers in the form that is stored: limited in size, as valid text,
// with sensitive values masked. Headers that do not fit are omitted. A redirect often repeats the
// query of the request's URL, so the query is masked there too.
func storedHeaders(header http.Header) map[string]string {
	stored := make(map[string]string, min(len(header), maxHeaders))
	left := maxHeaderBytes
	for _, name := range slices.Sorted(maps.Keys(header)) {
		value := validText(strings.Join(header[name], ", "))
		if name == "Location" || name == "Content-Location" {
			value = switchboard.MaskQuery(value)
		}
		if len(stored) == maxHeaders {
			break
		}
		if len(name)+len(value) > left {
			continue
		}
		left -= len(name) + len(value)
		stored[validText(name)] = value
	}
	return switchboard.MaskHeaders(stored)
}

// validText turns text from a receiver into text that Postgres can store and JSON can show: valid
// UTF-8 without control characters.
func validText(s string) string {
	return strings.Map(func(r rune) rune {
		if switchboard.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
