package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/seed-49a43567/switchboard"
)

// operation is one row of the routes table.
type operation struct {
	method, path         string
	id, tag              string
	summary, description string
	status               int                  // of success
	roles                roles                // who may call it, beside admin
	body                 bodyRule             // looked at only if the handler takes a body
	answers              map[int]reflect.Type // by status, if the handler's reply says which one it is
	cost                 int                  // taken from the key's bucket; 0: it is not limited
	acts                 bool                 // whether it leaves an action, and so may name the person
	repeatable           []string             // query parameters; handle reads them off the input
}

type roles = []switchboard.Role

// bodyRule says which bodies an operation takes.
type bodyRule struct {
	limit    int64  // of the whole body in bytes; 0: smallBody
	field    string // what makes a body too large; may be empty
	optional bool
	budget   *bodyBudget // shared by bodies that may be long; nil: none
}

const (
	smallBody = 64 << 10
	// subscriptionBody has room for params and certificates at their longest.
	subscriptionBody = 256 << 10
	// eventOverhead is the room that an event has beside its data.
	eventOverhead = 16 << 10
	// bodyTimeout bounds how long a client may take to send a body.
	bodyTimeout = 30 * time.Second
	// firstBuffer bounds what is set aside on a client's word about its length.
	firstBuffer = 1 << 20
)

// payload is the body of a request; an operation's input embeds it.
type payload[T any] struct{ JSON T }

// bodied is what handle knows of an input with a payload.
type bodied interface {
	bodyType() reflect.Type
	decode(s *shape, body []byte) error
}

func (p *payload[T]) bodyType() reflect.Type { return reflect.TypeFor[T]() }

func (p *payload[T]) decode(s *shape, body []byte) error {
	return decodeBody(s, body, reflect.ValueOf(&p.JSON).Elem())
}

// reply is an answer with a body.
type reply[T any] struct{ Body T }

// empty is an answer without a body.
type empty struct{}

// handle puts an operation into the API. Its handler is called with a caller whose
// role may call it, and with parameters and body that have the right types; what
// their values mean is the handler's to check.
func handle[In, Out any](s *server, h huma.API, op operation, serve func(context.Context, switchboard.Caller, *In) (*Out, error)) {
	var body *shape
	if b, ok := any(new(In)).(bodied); ok {
		body = shapeOf(b.bodyType())
	}
	op.repeatable = repeatable(reflect.TypeFor[In]())
	huma.Register(h, s.describe(h, op, body != nil), func(ctx context.Context, in *In) (*Out, error) {
		x := exchangeOf(ctx)
		if b, ok := any(in).(bodied); ok && (len(x.body) > 0 || !op.body.optional) {
			if err := b.decode(body, x.body); err != nil {
				return nil, s.problem(ctx, err)
			}
		}
		out, err := serve(ctx, x.caller, in)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return out, nil
	})
	if body != nil {
		documentBody(h, op, any(new(In)).(bodied).bodyType())
	}
	documentReplay(h, op)
}

// describe is the operation in huma's words.
func (s *server) describe(h huma.API, op operation, hasBody bool) huma.Operation {
	problems := &huma.Response{
		Description: "The request was refused, or could not be served",
		Content: map[string]*huma.MediaType{
			problemType: {Schema: h.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[problem](), true, "")},
		},
	}
	responses := map[string]*huma.Response{"default": problems}
	s.documentProblems(h, op, hasBody, responses)
	for status, body := range op.answers {
		responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/json": {Schema: h.OpenAPI().Components.Schemas.Schema(body, true, "")}},
		}
	}
	admit := func(ctx huma.Context, next func(huma.Context)) {
		reserved, err := s.admit(ctx, op, hasBody)
		defer reserved.release()
		if err == nil {
			err = s.once(ctx, next)
		}
		if err != nil {
			s.refuse(humagin.Unwrap(ctx), err)
		}
	}
	return huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Tags: []string{op.tag},
		Summary: op.summary, Description: op.description + "\n\nRoles: " + roleList(op.roles) + ".",
		DefaultStatus: op.status, Responses: responses,
		Middlewares: huma.Middlewares{admit}, Parameters: headerParameters(op),
	}
}

func roleList(beside roles) string {
	names := []string{string(switchboard.RoleAdmin)}
	for _, r := range beside {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// documentBody adds the body to the OpenAPI document after huma has set the
// operation up: an operation that is born with one has its body read by huma.
func documentBody(h huma.API, op operation, t reflect.Type) {
	schema := h.OpenAPI().Components.Schemas.Schema(t, true, "")
	item := h.OpenAPI().Paths[op.path]
	for _, o := range []*huma.Operation{item.Post, item.Put, item.Patch, item.Delete} {
		if o != nil && o.OperationID == op.id {
			o.RequestBody = &huma.RequestBody{
				Required: !op.body.optional,
				Content:  map[string]*huma.MediaType{"application/json": {Schema: schema}},
			}
		}
	}
}

// admit finds the caller, checks the role, and reads the body: in that order, so
// that a stranger can neither learn about parameters nor make us take in bytes. Release
// what is reserved for the body when the request is answered.
func (s *server) admit(ctx huma.Context, op operation, hasBody bool) (reserved *reservation, err error) {
	x := exchangeOf(ctx.Context())
	caller, err := s.authenticate(ctx)
	if err != nil {
		return reserved, err
	}
	x.caller = caller
	if caller.Role != switchboard.RoleAdmin && !slices.Contains(op.roles, caller.Role) {
		return reserved, switchboard.Errorf(switchboard.CodeForbidden, "a key with the role %s may not do this; needed: %s", caller.Role, roleList(op.roles))
	}
	c := humagin.Unwrap(ctx)
	if x.caller.Person, err = personOf(c.Request.Header.Values(actorHeader)); err != nil {
		return reserved, err
	}
	if err := checkQuery(ctx.URL(), op.repeatable); err != nil {
		return reserved, err
	}
	if err := s.spend(caller, op.cost); err != nil {
		return reserved, err
	}
	if !hasBody {
		if c.Request.ContentLength != 0 {
			leaveUnread(c) // nobody reads it
		}
		return reserved, nil
	}
	if op.body.budget != nil {
		if reserved, err = op.body.budget.acquire(ctx.Context(), lengthOf(c.Request), op.body.limit); err != nil {
			return reserved, err
		}
	}
	x.body, err = readBody(ctx, op.body)
	x.read = err == nil
	reserved.shrink(cap(x.body)) // which is what is held
	return reserved, err
}

// authenticate finds the caller behind the request's key.
func (s *server) authenticate(ctx huma.Context) (switchboard.Caller, error) {
	scheme, key, _ := strings.Cut(ctx.Header("Authorization"), " ")
	key = strings.TrimSpace(key)
	const longest = 256 // nobody needs us to hash more than that
	if !strings.EqualFold(scheme, "Bearer") || key == "" || len(key) > longest {
		s.gate.count(ctx.Context(), "missing")
		return switchboard.Caller{}, switchboard.Errorf(switchboard.CodeUnauthenticated, "an API key is needed: send it as Authorization: Bearer sbk_…")
	}
	return s.gate.pass(ctx.Context(), s.Store, ctx.RemoteAddr(), switchboard.Secret(key))
}

// readBody reads the whole body. The bytes are the request's own: decoding may
// keep parts of them without a copy.
func readBody(ctx huma.Context, rule bodyRule) ([]byte, error) {
	if media := ctx.Header("Content-Type"); media != "" {
		name, parameters, err := mime.ParseMediaType(media)
		if err != nil || name != "application/json" && !strings.HasSuffix(name, "+json") {
			return nil, &refusal{http.StatusUnsupportedMediaType, switchboard.Errorf(switchboard.CodeInvalid, "the Content-Type must be application/json")}
		}
		if !switchboard.IsUTF8(parameters["charset"]) {
			return nil, &refusal{http.StatusUnsupportedMediaType, switchboard.Errorf(switchboard.CodeInvalid, "the charset of the Content-Type must be utf-8, in which JSON is written (RFC 8259 8.1)")}
		}
	}
	limit := rule.limit
	if limit == 0 {
		limit = smallBody
	}
	compressed, err := isCompressed(ctx)
	if err != nil {
		return nil, err
	}
	request := humagin.Unwrap(ctx).Request
	if request.ContentLength > limit {
		return nil, tooLarge(rule, limit)
	}
	_ = ctx.SetReadDeadline(time.Now().Add(bodyTimeout)) // not every writer can, as in tests
	body := bytes.NewBuffer(make([]byte, 0, min(max(request.ContentLength, 0), firstBuffer)+bytes.MinRead))
	source := io.Reader(request.Body)
	if compressed {
		source = newGunzip(request.Body, limit)
	}
	_, err = body.ReadFrom(io.LimitReader(source, limit+1))
	if err == nil {
		// The deadline would otherwise also end the wait for the store.
		_ = ctx.SetReadDeadline(time.Time{})
	}
	if errors.Is(err, errNotGzip) {
		return nil, &refusal{http.StatusBadRequest, switchboard.Errorf(switchboard.CodeInvalid, "the body is not the gzip that its Content-Encoding says, or not all of it")}
	}
	timeout, _ := errors.AsType[net.Error](err)
	switch {
	case err == nil && int64(body.Len()) > limit, errors.Is(err, errLongGzip):
		return nil, tooLarge(rule, limit)
	case err == nil:
		return bytes.Trim(body.Bytes(), " \t\r\n"), nil // the white space of JSON
	case timeout != nil && timeout.Timeout():
		return nil, &refusal{http.StatusRequestTimeout, switchboard.Errorf(switchboard.CodeInvalid, "the body did not arrive within %s", bodyTimeout)}
	}
	return nil, &refusal{http.StatusBadRequest, switchboard.Errorf(switchboard.CodeInvalid, "the body broke off or is badly framed")}
}

func tooLarge(rule bodyRule, limit int64) error {
	return &switchboard.Error{Code: switchboard.CodeTooLarge, Field: rule.field, Message: fmt.Sprintf("makes the body longer than %d bytes", limit)}
}
