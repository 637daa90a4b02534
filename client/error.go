package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Error is an answer without success: the API's problem (RFC 9457), or the answer of a proxy in
// front of it, which has no Code.
type Error struct {
	Status    int              `json:"status"`
	Code      switchboard.Code `json:"code"`       // the kind of problem, from a closed list
	Detail    string           `json:"detail"`     // what is wrong, for people
	Field     string           `json:"field"`      // the field or parameter at fault; empty: none
	RequestID string           `json:"request_id"` // finds the call in the server's log
	Errors    []FieldError     `json:"errors"`     // every fault, if there are several

	// For a trigger that was accepted despite the error.
	EventID    string `json:"event_id"`
	DeliveryID string `json:"delivery_id"`
	Reason     string `json:"reason"` // why the delivery has that state

	Current *switchboard.Standing `json:"current"` // the delivery's state, which does not allow the action

	Results []BatchResult `json:"results"` // for a batch in which no event was accepted

	RetryAfter time.Duration `json:"-"` // when to try again; 0: the answer does not say

	body []byte
}

// FieldError is one fault of the input.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error returns the API's text.
func (e *Error) Error() string {
	text := fmt.Sprintf("switchboard answered %d", e.Status)
	if e.Code != "" {
		text += " (" + string(e.Code) + ")"
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.RequestID != "" {
		text += " [" + e.RequestID + "]"
	}
	return text
}

// Unwrap returns the error in the form of the other packages, so that [switchboard.CodeOf] returns
// its code.
func (e *Error) Unwrap() error {
	if e.Code == "" {
		return nil
	}
	return &switchboard.Error{Code: e.Code, Field: e.Field, Message: e.Detail}
}

// lost says that no answer came, or only a part of it.
type lost struct{ err error }

func (l lost) Error() string { return "client: " + l.err.Error() }
func (l lost) Unwrap() error { return l.err }

// noAnswer is the error of a request without a complete answer. If the caller's context has ended,
// the request must not be repeated.
func noAnswer(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("client: %w", err)
	}
	return lost{err}
}

// pauseAfter returns how long to wait before the call is repeated, after that many repetitions.
// false: it would not succeed, or not soon enough.
func pauseAfter(err error, repeated int) (time.Duration, bool) {
	if problem, ok := errors.AsType[*Error](err); ok {
		if problem.Status != http.StatusTooManyRequests && problem.Status != http.StatusServiceUnavailable {
			return 0, false
		}
		if problem.RetryAfter > 0 {
			return problem.RetryAfter, problem.RetryAfter <= maxRetryAfter
		}
	} else if _, none := errors.AsType[lost](err); !none {
		return 0, false
	}
	pause := min(firstPause<<min(repeated, 10), longestPause)
	return pause/2 + rand.N(pause/2), true //nolint:gosec // a spread, not a secret: clients that failed together do not come back together
}

// maxForeign limits how much is shown of an answer that does not come from the API.
const maxForeign = 200

// errorOf decodes an answer without success.
func errorOf(answer *http.Response, text []byte) *Error {
	e := &Error{}
	if json.Unmarshal(text, e) != nil || e.Code == "" {
		e = &Error{Detail: strings.ToValidUTF8(string(text[:min(len(text), maxForeign)]), "")}
	}
	e.Status, e.body = answer.StatusCode, text
	e.RetryAfter = retryAfter(answer.Header.Get("Retry-After"))
	return e
}

// retryAfter parses the header Retry-After: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
