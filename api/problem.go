package api

import (
	"context"
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

// problem is the body of every error answer (RFC 9457).
type problem struct {
	Type      string           `json:"type" doc:"Always about:blank: the code says what kind of problem it is" example:"about:blank"`
	Title     string           `json:"title" doc:"The status in words" example:"Unprocessable Entity"`
	Status    int              `json:"status" doc:"The HTTP status" example:"422"`
	Code      switchboard.Code `json:"code" doc:"What kind of problem it is" enum:"invalid,too_large,unauthenticated,forbidden,not_found,conflict,idempotency_key_reused,rate_limited,unavailable,overloaded,no_answer,timeout,internal" example:"invalid"`
	Detail    string           `json:"detail" doc:"What is wrong, for people" example:"request.url: must start with http:// or https://"`
	Field     string           `json:"field,omitempty" doc:"Path of the field or name of the parameter at fault" example:"request.url"`
	RequestID string           `json:"request_id,omitempty" doc:"Finds the request in the log" example:"req_01k0000000000000000000000"`
	Errors    []fieldError     `json:"errors,omitempty" nullable:"false" doc:"Every fault that was found, where there are several"`

	// Of what was accepted before the problem: a trigger that waits for its answer.
	EventID    string `json:"event_id,omitempty" doc:"Of a trigger that was accepted all the same: the id that waits for it again" example:"evt_01k0000000000000000000000"`
	DeliveryID string `json:"delivery_id,omitempty" doc:"Of a trigger that was accepted all the same" example:"dlv_01k0000000000000000000000"`
	Reason     string `json:"reason,omitempty" doc:"Why that delivery stands where it stands" example:"timeout"`

	Results []batchResult `json:"results,omitempty" nullable:"false" doc:"Of a batch of which no event was accepted: one for each event, as where some are"`

	headers http.Header
}

type fieldError struct {
	Field   string `json:"field" doc:"Path of the field or name of the parameter at fault"`
	Message string `json:"message" doc:"What is wrong with it"`
}

// The methods by which huma knows an error that is to be shown.

func (p *problem) Error() string             { return p.Detail }
func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) GetHeaders() http.Header   { return p.headers }
func (p *problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// clientGone is the status in logs and metrics of a request whose caller broke off.
// Nobody receives it, and it is nobody's fault.
const clientGone = 499

// refusal is an error for which HTTP has a status that is more telling than the
// one of its code.
type refusal struct {
	status int
	err    *switchboard.Error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// statusOf is the table from code to status. What it does not know is our fault.
func statusOf(code switchboard.Code) int {
	switch code {
	case switchboard.CodeInvalid:
		return http.StatusUnprocessableEntity
	case switchboard.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case switchboard.CodeUnauthenticated:
		return http.StatusUnauthorized
	case switchboard.CodeForbidden:
		return http.StatusForbidden
	case switchboard.CodeNotFound:
		return http.StatusNotFound
	case switchboard.CodeConflict:
		return http.StatusConflict
	case switchboard.CodeKeyReused:
		return http.StatusUnprocessableEntity
	case switchboard.CodeRateLimited:
		return http.StatusTooManyRequests
	case switchboard.CodeUnavailable, switchboard.CodeOverloaded:
		return http.StatusServiceUnavailable
	case switchboard.CodeNoAnswer:
		return http.StatusBadGateway
	case switchboard.CodeTimeout:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// problemOf turns an error into what the caller may see of it. The message of an
// internal error is not shown; the request id finds it in the log.
func problemOf(err error, requestID string) *problem {
	e, ok := errors.AsType[*switchboard.Error](err)
	if !ok || statusOf(e.Code) == http.StatusInternalServerError {
		e = switchboard.Errorf(switchboard.CodeInternal, "an internal error, which is ours; the log holds it under the request id")
	}
	p := &problem{Type: "about:blank", Status: statusOf(e.Code), Code: e.Code, Field: e.Field, Detail: e.Message, RequestID: requestID}
	if r, ok := errors.AsType[*refusal](err); ok {
		p.Status = r.status
	}
	if u, ok := errors.AsType[*unanswered](err); ok {
		p.EventID, p.DeliveryID, p.Reason = u.event, u.delivery, u.reason
	}
	if e.Field != "" {
		p.Detail = e.Field + ": " + e.Message
		p.Errors = []fieldError{{e.Field, e.Message}}
	}
	p.Title = http.StatusText(p.Status)
	p.headers = headersOf(p.Code)
	if l, ok := errors.AsType[*later](err); ok {
		p.headers = http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(l.after.Seconds())))}}
	}
	if a, ok := errors.AsType[*allRefused](err); ok {
		p.Results = a.results
	}
	return p
}

// headersOf returns the headers that belong to a code's answer.
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

// problem makes the answer to an error and notes for the log what the caller does
// not see.
func (s *server) problem(ctx context.Context, err error) *problem {
	x := exchangeOf(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = &refusal{clientGone, switchboard.Errorf(switchboard.CodeUnavailable, "the caller has gone before the answer")}
	}
	p := problemOf(err, x.id)
	x.code, x.accepted = p.Code, p.DeliveryID != ""
	if p.Status >= http.StatusInternalServerError {
		x.fault = err
	}
	return p
}

// refuse answers with the problem that err is, outside of huma. If the body has not been
// read, the connection ends with the answer: net/http would else wait for the rest of it,
// up to its read timeout, before it answers, and once more before it lets go.
func (s *server) refuse(c *gin.Context, err error) {
	p := s.problem(c.Request.Context(), err)
	if c.Request.ContentLength != 0 && !exchangeOf(c.Request.Context()).read {
		leaveUnread(c)
	}
	for name, values := range p.headers {
		c.Writer.Header()[name] = values
	}
	c.Header("Content-Type", problemType)
	c.Status(p.Status)
	_ = writeJSON(c.Writer, p) // fails only if the client has gone
	c.Abort()
}

// leaveUnread ends the connection behind the answer.
func leaveUnread(c *gin.Context) {
	c.Header("Connection", "close")
	_ = huma.SetReadDeadline(c.Writer, time.Now()) // not every writer can, as in tests
}

// ownProblem is the transformer that turns huma's own errors, those about
// parameters, into ours. Values are not repeated.
func ownProblem(ctx huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	x := exchangeOf(humagin.Unwrap(ctx).Request.Context())
	first := switchboard.Errorf(switchboard.CodeInvalid, "%s", model.Detail)
	var all []fieldError
	for _, e := range model.Errors {
		_, field, _ := strings.Cut(e.Location, ".")                                            // without "query."
		all = append(all, fieldError{field, strings.TrimPrefix(e.Message, "invalid value: ")}) // which huma puts before our own words
	}
	if len(all) > 0 {
		first.Field, first.Message = all[0].Field, all[0].Message
	}
	p := problemOf(&refusal{model.Status, first}, x.id)
	p.Errors = all
	x.code = p.Code
	return p, nil
}
