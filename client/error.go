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

// Error is an answer that is no success: the problem that the API describes
// (RFC 9457), or what a proxy before it answered, which has no Code.
type Error struct {
	Status    int              `json:"status"`
	Code      switchboard.Code `json:"code"`       // what kind of problem it is, out of a closed list
	Detail    string           `json:"detail"`     // what is wrong, for people
	Field     string           `json:"field"`      // the field or parameter at fault; empty: none is
	RequestID string           `json:"request_id"` // finds the call in the server's log
	Errors    []FieldError     `json:"errors"`     // every fault that was found, where there are several

	// Of a trigger that was accepted all the same.
	EventID    string `json:"event_id"`
	DeliveryID string `json:"delivery_id"`
	Reason     string `json:"reason"` // why that delivery stands where it stands

	Current *switchboard.Standing `json:"current"` // how the delivery stands, of an action that this does not allow

	Results []BatchResult `json:"results"` // of a batch of which no event was accepted

	RetryAfter time.Duration `json:"-"` // after which to try again; 0: the answer does not say

	body []byte
}

// FieldError is one fault of the input.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error says what the API says.
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

// Unwrap returns the error as the other packages know it, so that
// [switchboard.CodeOf] returns its code.
func (e *Error) Unwrap() error {
	if e.Code == "" {
		return nil
	}
	return &switchboard.Error{Code: e.Code, Field: e.Field, Message: e.Detail}
}

// lost says that no answer came, or not all of one.
type lost struct{ err error }

func (l lost) Error() string { return "client: " + l.err.Error() }
func (l lost) Unwrap() error { return l.err }

// noAnswer is the error of a request without a whole answer. That the caller's context has
// ended is no reason to repeat it.
func noAnswer(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("client: %w", err)
	}
	return lost{err}
}

// pauseAfter says how long to wait before the same call is made again, after so many
// repetitions; false: it would not succeed, or not soon enough.
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

// maxForeign is how much is shown of an answer that is not the API's.
const maxForeign = 200

// errorOf reads an answer that is no success.
func errorOf(answer *http.Response, text []byte) *Error {
	e := &Error{}
	if json.Unmarshal(text, e) != nil || e.Code == "" {
		e = &Error{Detail: strings.ToValidUTF8(string(text[:min(len(text), maxForeign)]), "")}
	}
	e.Status, e.body = answer.StatusCode, text
	e.RetryAfter = retryAfter(answer.Header.Get("Retry-After"))
	return e
}

// retryAfter reads the header Retry-After: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
