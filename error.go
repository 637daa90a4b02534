package switchboard

import (
	"errors"
	"fmt"
)

// Code says what kind of error it is, out of a closed list. The API maps each to
// one HTTP status and shows it as the problem's code.
type Code string

// The closed list of codes.
const (
	CodeInvalid         Code = "invalid"         // bad input; Field names the culprit
	CodeTooLarge        Code = "too_large"       // input over a limit; Field names the culprit
	CodeUnauthenticated Code = "unauthenticated" // no key, or one that is unknown, expired or revoked
	CodeForbidden       Code = "forbidden"       // the key's role or tenant does not allow it
	CodeNotFound        Code = "not_found"       // it does not exist, or not for this caller
	CodeConflict        Code = "conflict"        // the state or version does not allow it
	CodeOverloaded      Code = "overloaded"      // Switchboard has too much to do at this moment: try again
	CodeUnavailable     Code = "unavailable"     // Postgres, Temporal or the egress proxy is away: try again
	CodeNoAnswer        Code = "no_answer"       // a delivery that was waited for ended without an answer of the receiver
	CodeTimeout         Code = "timeout"         // the time to wait for an answer is up; the delivery goes on
	CodeInternal        Code = "internal"        // our own fault; the message is not shown

	CodeKeyReused   Code = "idempotency_key_reused" // the Idempotency-Key came with another request before
	CodeRateLimited Code = "rate_limited"           // too many of these: try again later
)

// Error is an error that a caller may see. Message is written for them and holds
// no internals; Err, if there is one, is for the log.
type Error struct {
	Code    Code
	Field   string // path of the field at fault, as "request.url"; empty where none is
	Message string
	Err     error
}

func (e *Error) Error() string {
	s := string(e.Code)
	if e.Field != "" {
		s += ": " + e.Field
	}
	s += ": " + e.Message
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// ErrUnreadable is in the chain of an error about something stored that cannot be read:
// no encryption key of the process decrypts it, or it is damaged.
var ErrUnreadable = errors.New("what is stored cannot be read")

// Errorf makes an error of that code without a field.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// InvalidField makes an [Invalid] error for the field at that path.
func InvalidField(field, format string, args ...any) *Error {
	return &Error{Code: CodeInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of the first [Error] in err's chain; any other error is
// [Internal]. It returns "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
