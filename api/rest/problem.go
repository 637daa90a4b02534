package rest

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/seed-49a43567/switchboard"
)

// Problem is the body of every error answer (RFC 9457). Some errors add members to it.
type Problem struct {
	Type      string           `json:"type" doc:"Always about:blank; the code says which kind of problem it is" example:"about:blank"`
	Title     string           `json:"title" doc:"The status in words" example:"Unprocessable Entity"`
	Status    int              `json:"status" doc:"The HTTP status" example:"422"`
	Code      switchboard.Code `json:"code" doc:"The kind of problem" enum:"invalid,too_large,unauthenticated,forbidden,not_found,conflict,idempotency_key_reused,rate_limited,unavailable,overloaded,no_answer,timeout,internal" example:"invalid"`
	Detail    string           `json:"detail" doc:"What is wrong, for people" example:"request.url: must start with http:// or https://"`
	Field     string           `json:"field,omitempty" doc:"Path of the field or name of the parameter at fault" example:"request.url"`
	RequestID string           `json:"request_id,omitempty" doc:"Finds the request in the log" example:"req_01k0000000000000000000000"`
	Errors    []FieldError     `json:"errors,omitempty" nullable:"false" doc:"All faults, if there are several"`

	members any // from its error; nil: none
	headers http.Header
}

// FieldError is one of several faults.
type FieldError struct {
	Field   string `json:"field" doc:"Path of the field or name of the parameter at fault"`
	Message string `json:"message" doc:"What is wrong with it"`
}

// MembersError is an error that adds members to its problem (RFC 9457, 3.2).
type MembersError interface {
	error
	// ProblemMembers returns a struct. stored says that something was stored although the answer is
	// an error.
	ProblemMembers() (members any, stored bool)
}

// MarshalJSON writes the common members and then those of the error.
func (p *Problem) MarshalJSON() ([]byte, error) {
	type plain Problem
	base, err := json.Marshal((*plain)(p))
	if err != nil || p.members == nil {
		return base, err
	}
	members, err := json.Marshal(p.members)
	if err != nil || len(members) <= len("{}") {
		return base, err
	}
	return append(append(base[:len(base)-1], ','), members[1:]...), nil
}

// Error makes Problem an error, which huma shows unchanged.
func (p *Problem) Error() string { return p.Detail }

// GetStatus tells huma the status of the answer.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders tells huma the headers of the answer.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType tells huma the media type of the answer.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// StatusClientGone is the status, in logs and metrics, of a request whose caller disconnected.
// Nobody receives it, and it is nobody's fault.
const StatusClientGone = 499

// statusError is an error with a more specific HTTP status than that of its code.
type statusError struct {
	status int
	err    *switchboard.Error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// retryLaterError is an error after which the same call may be repeated, after that time.
type retryLaterError struct {
	err   error
	after time.Duration
}

func (e *retryLaterError) Error() string { return e.err.Error() }
func (e *retryLaterError) Unwrap() error { return e.err }

// ProblemOf returns the part of an error that the caller may see. It hides the message of an
// internal error; the request id leads to it in the log.
func ProblemOf(err error, requestID string) *Problem {
	e, ok := errors.AsType[*switchboard.Error](err)
	if !ok || e.Code.Status() == http.StatusInternalServerError {
		e = switchboard.Errorf(switchboard.CodeInternal, "an internal error; the log has it under the request id")
	}
	p := &Problem{Type: "about:blank", Status: e.Code.Status(), Code: e.Code, Field: e.Field, Detail: e.Message, RequestID: requestID}
	if s, ok := errors.AsType[*statusError](err); ok {
		p.Status = s.status
	}
	if m, ok := errors.AsType[MembersError](err); ok {
		p.members, _ = m.ProblemMembers()
	}
	if e.Field != "" {
		p.Detail = e.Field + ": " + e.Message
		p.Errors = []FieldError{{e.Field, e.Message}}
	}
	p.Title = http.StatusText(p.Status)
	p.headers = headersOf(p.Code)
	if l, ok := errors.AsType[*retryLaterError](err); ok {
		p.headers = http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(l.after.Seconds())))}}
	}
	return p
}

// headersOf returns the headers for answers with that code.
func headersOf(code switchboard.Code) http.Header {
	switch code {
	case switchboard.CodeUnauthenticated:
		return http.Header{"Www-Authenticate": {`Bearer realm="switchboard"`}}
	case switchboard.CodeRateLimited:
		return http.Header{"Retry-After": {"1"}}
	case switchboard.CodeUnavailable, switchboard.CodeOverloaded:
		return http.Header{"Retry-After": {"2"}}
	}
	return nil
}

// problem makes the answer to an error, and records for the log what the caller does not see.
func (s *Server) problem(ctx context.Context, err error) *Problem {
	log := logOf(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = &statusError{StatusClientGone, switchboard.Errorf(switchboard.CodeUnavailable, "the caller has gone before the answer")}
	}
	p := ProblemOf(err, log.id)
	log.code = p.Code
	if m, ok := errors.AsType[MembersError](err); ok {
		_, log.stored = m.ProblemMembers()
	}
	if p.Status >= http.StatusInternalServerError {
		log.cause = err
	}
	return p
}

// refuse answers with the problem of err, outside of huma. If the body has not been read, the
// connection ends with the answer.
func (s *Server) refuse(c *gin.Context, err error) {
	p := s.problem(c.Request.Context(), err)
	if c.Request.ContentLength != 0 && !logOf(c.Request.Context()).bodyRead {
		closeUnread(c)
	}
	for name, values := range p.headers {
		c.Writer.Header()[name] = values
	}
	c.Header("Content-Type", problemType)
	c.Status(p.Status)
	_ = WriteJSON(c.Writer, p) // fails only if the client has gone
	c.Abort()
}

// parameterProblem is the transformer that turns huma's own errors, which are about parameters,
// into problems. It does not repeat values.
func parameterProblem(ctx huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	log := logOf(humagin.Unwrap(ctx).Request.Context())
	first := switchboard.Errorf(switchboard.CodeInvalid, "%s", model.Detail)
	var all []FieldError
	for _, e := range model.Errors {
		_, field, _ := strings.Cut(e.Location, ".")                                            // without "query."
		all = append(all, FieldError{field, strings.TrimPrefix(e.Message, "invalid value: ")}) // huma's words before ours
	}
	if len(all) > 0 {
		first.Field, first.Message = all[0].Field, all[0].Message
	}
	p := ProblemOf(&statusError{model.Status, first}, log.id)
	p.Errors = all
	log.code = p.Code
	return p, nil
}
