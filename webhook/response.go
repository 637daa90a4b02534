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

// Bounds of what is read and kept of an answer. A receiver may be hostile, and
// what is kept is stored with every attempt.
const (
	maxBody        = 16 << 10  // kept of the body
	maxDrain       = 256 << 10 // read of the body in all, so that the connection can be kept
	drainTime      = time.Second
	maxHeaderRead  = 64 << 10 // read of the header, with all 1xx answers before it
	maxHeaders     = 64       // kept
	maxHeaderBytes = 8 << 10  // kept of names and values together
)

// outcomeOf reads what a receiver answered. cancel ends the request.
//
// The status alone decides, once it has come: a receiver that says 200 has taken
// the delivery, and a body that then never ends, breaks off or is garbage does not
// take that back. Such a body is cut at the time limit and marked as truncated.
func outcomeOf(resp *http.Response, cancel context.CancelFunc) switchboard.Outcome {
	defer func() { _ = resp.Body.Close() }()
	o := switchboard.Outcome{
		StatusCode: resp.StatusCode,
		Failure:    switchboard.FailureOfStatus(resp.StatusCode),
		Response:   switchboard.Response{Headers: keepHeaders(resp.Header)},
	}
	if o.Failure != "" {
		o.Detail = detailOf(resp.StatusCode, o.Failure)
		o.RetryAfter = switchboard.ParseRetryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	// After 101 the body is the raw connection, which may stay silent for ever.
	if resp.StatusCode != http.StatusSwitchingProtocols {
		o.Response.Body, o.Response.Truncated = keepBody(resp, cancel)
	}
	return o
}

// invalidResponse is the outcome of an answer of which no more than the status is HTTP.
func invalidResponse(status int) switchboard.Outcome {
	const rest = "what follows the status is not valid HTTP, or too long, and was not read"
	o := switchboard.Outcome{
		StatusCode: status, Failure: switchboard.FailureOfStatus(status), Detail: rest,
		Response: switchboard.Response{Headers: map[string]string{}, Truncated: true},
	}
	if o.Failure != "" {
		o.Detail = detailOf(status, o.Failure) + "; " + rest
	}
	return o
}

func detailOf(status int, failure switchboard.Failure) string {
	said := strings.TrimSpace(http.StatusText(status)) // not the receiver's own words
	switch {
	case failure == switchboard.FailureRedirect:
		return strings.TrimSpace("the receiver answered with a redirect, which is not followed: " + said)
	case failure == switchboard.FailureBadResponse:
		return "the receiver answered with a status that ends no request"
	case said == "":
		return "the receiver answered with an unusual status"
	}
	return "the receiver answered: " + said
}

// keepBody returns the head of the body, and whether there was more or the rest
// did not come. It reads a moderate rest too, because HTTP/1.1 can use the
// connection again only then; HTTP/2 resets the stream alone.
func keepBody(resp *http.Response, cancel context.CancelFunc) (head []byte, truncated bool) {
	head, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return head[:min(len(head), maxBody)], true
	}
	if len(head) <= maxBody {
		return head, false
	}
	if resp.ProtoMajor == 1 {
		// A new connection costs less than waiting for a slow rest.
		timer := time.AfterFunc(drainTime, cancel)
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain-maxBody)
		timer.Stop()
	}
	return head[:maxBody:maxBody], true
}

// keepHeaders returns the headers as they may be stored: bounded, in plain text,
// sensitive values masked. One that does not fit is left out, the rest stays. A redirect
// mostly names the URL that was asked for with its query, which is masked as there.
func keepHeaders(header http.Header) map[string]string {
	kept := make(map[string]string, min(len(header), maxHeaders))
	left := maxHeaderBytes
	for _, name := range slices.Sorted(maps.Keys(header)) {
		value := plain(strings.Join(header[name], ", "))
		if name == "Location" || name == "Content-Location" {
			value = switchboard.MaskQuery(value)
		}
		if len(kept) == maxHeaders {
			break
		}
		if len(name)+len(value) > left {
			continue
		}
		left -= len(name) + len(value)
		kept[plain(name)] = value
	}
	return switchboard.MaskHeaders(kept)
}

// plain makes text of what a receiver sent that Postgres stores and JSON shows:
// valid UTF-8 without control characters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
