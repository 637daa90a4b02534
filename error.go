package switchboard

import (
	"errors"
	"fmt"
	"net/http"
)

// Code is the kind of an error, from a closed list. The API maps each code to one HTTP status and
// shows it as the problem's code.
type Code string

// The closed list of codes.
const (
	CodeInvalid         Code = "invalid"         // bad input in Field
	CodeTooLarge        Code = "too_large"       // Field exceeds a limit
	CodeUnauthenticated Code = "unauthenticated" // no key, or one that is unknown, expired or revoked
	CodeForbidden       Code = "forbidden"       // the key's role or tenant does not allow it
	CodeNotFound        Code = "not_found"       // it does not exist, or this caller may not see it
	CodeConflict        Code = "conflict"        // the state or version does not allow it
	CodeOverloaded      Code = "overloaded"      // Switchboard is busy: try again
	CodeUnavailable     Code = "unavailable"     // Postgres, Temporal or the egress proxy is unavailable: try again
	CodeNoAnswer        Code = "no_answer"       // the delivery that the caller waited for ended without a response
	CodeTimeout         Code = "timeout"         // the time to wait for a response is over; the delivery continues
	CodeInternal        Code = "internal"        // our own fault; the message is not shown

	CodeKeyReused   Code = "idempotency_key_reused" // an earlier, different request had this Idempotency-Key
	CodeRateLimited Code = "rate_limited"           // too many of these calls: try again later
)

// Error is an error that a caller may see. Message is written for the caller and has no
// internals; Err, if any, is for the log.
type Error struct {
	Code    Code
	Field   string // path of the wrong field, such as "request.url"; may be empty
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

// ErrUnreadable is in the chain of an error about stored data that cannot be read: no
// encryption key of the process decrypts them, or they are damaged.
var ErrUnreadable = errors.New("what is stored cannot be read")

// Errorf returns an error of that code without a field.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// InvalidField returns a [CodeInvalid] error for the field at that path.
func InvalidField(field, format string, args ...any) *Error {
	return &Error{Code: CodeInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Status returns the HTTP status of an error with the code. A code that is not in the list is our
// fault.
func (c Code) Status() int {
	switch c {
	case CodeInvalid, CodeKeyReused:
		return http.StatusUnprocessableEntity
	case CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case CodeUnauthenticated:
		return http.StatusUnauthorized
	case CodeForbidden:
		return http.StatusForbidden
	case CodeNotFound:
		return http.StatusNotFound
	case CodeConflict:
		return http.StatusConflict
	case CodeRateLimited:
		return http.StatusTooManyRequests
	case CodeUnavailable, CodeOverloaded:
		return http.StatusServiceUnavailable
	case CodeNoAnswer:
		return http.StatusBadGateway
	case CodeTimeout:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// CodeOf returns the code of the first [Error] in err's chain, [CodeInternal] for any other
// error, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
