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
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"switchboard"
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
}

type roles = []switchboard.Role

// bodyRule says which bodies an operation takes.
type bodyRule struct {
	limit    int64  // of the whole body in bytes; 0: smallBody
	field    string // what makes a body too large; may be empty
	optional bool
}

const (
	smallBody = 64 << 10
	batchBody = 32 << 20
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
	for status, body := range op.answers {
		responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/json": {Schema: h.OpenAPI().Components.Schemas.Schema(body, true, "")}},
		}
	}
	admit := func(ctx huma.Context, next func(huma.Context)) {
		if err := s.admit(ctx, op, hasBody); err != nil {
			s.refuse(humagin.Unwrap(ctx), err)
			return
		}
		next(ctx)
	}
	return huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Tags: []string{op.tag},
		Summary: op.summary, Description: op.description + "\n\nRoles: " + roleList(op.roles) + ".",
		DefaultStatus: op.status, Responses: responses,
		Middlewares: huma.Middlewares{admit},
	}
}

func roleList(beside roles) string {
	names := []string{string(switchboard.Admin)}
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
// that a stranger can neither learn about parameters nor make us take in bytes.
func (s *server) admit(ctx huma.Context, op operation, hasBody bool) error {
	x := exchangeOf(ctx.Context())
	caller, err := s.authenticate(ctx)
	if err != nil {
		return err
	}
	x.caller = caller
	if caller.Role != switchboard.Admin && !slices.Contains(op.roles, caller.Role) {
		return switchboard.Errorf(switchboard.Forbidden, "a key with the role %s may not do this; needed: %s", caller.Role, roleList(op.roles))
	}
	if err := checkQuery(ctx.URL()); err != nil || !hasBody {
		return err
	}
	x.body, err = readBody(ctx, op.body)
	return err
}

// authenticate finds the caller behind the request's key.
func (s *server) authenticate(ctx huma.Context) (switchboard.Caller, error) {
	scheme, key, _ := strings.Cut(ctx.Header("Authorization"), " ")
	key = strings.TrimSpace(key)
	const longest = 256 // nobody needs us to hash more than that
	if !strings.EqualFold(scheme, "Bearer") || key == "" || len(key) > longest {
		return switchboard.Caller{}, switchboard.Errorf(switchboard.Unauthenticated, "an API key is needed: send it as Authorization: Bearer sbk_…")
	}
	return s.Store.Authenticate(ctx.Context(), switchboard.Secret(key))
}

// checkQuery refuses text that Postgres could not store or compare, and a query
// string of which url.Query would silently drop a part.
func checkQuery(u url.URL) error {
	if strings.ContainsRune(u.Path, 0) || !utf8.ValidString(u.Path) {
		return switchboard.Errorf(switchboard.NotFound, "no id looks like this")
	}
	if u.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return &refusal{http.StatusBadRequest, switchboard.Errorf(switchboard.Invalid, "the query string is malformed")}
	}
	for name, values := range query {
		for _, v := range values {
			if strings.ContainsRune(v, 0) || !utf8.ValidString(v) {
				return switchboard.InvalidField(clip(name), "holds a NUL or is not valid UTF-8")
			}
		}
	}
	return nil
}

// readBody reads the whole body. The bytes are the request's own: decoding may
// keep parts of them without a copy.
func readBody(ctx huma.Context, rule bodyRule) ([]byte, error) {
	if media := ctx.Header("Content-Type"); media != "" {
		name, parameters, err := mime.ParseMediaType(media)
		if err != nil || name != "application/json" && !strings.HasSuffix(name, "+json") {
			return nil, &refusal{http.StatusUnsupportedMediaType, switchboard.Errorf(switchboard.Invalid, "the Content-Type must be application/json")}
		}
		if !switchboard.IsUTF8(parameters["charset"]) {
			return nil, &refusal{http.StatusUnsupportedMediaType, switchboard.Errorf(switchboard.Invalid, "the charset of the Content-Type must be utf-8, in which JSON is written (RFC 8259 8.1)")}
		}
	}
	limit := rule.limit
	if limit == 0 {
		limit = smallBody
	}
	request := humagin.Unwrap(ctx).Request
	if request.ContentLength > limit {
		return nil, tooLarge(rule, limit)
	}
	_ = ctx.SetReadDeadline(time.Now().Add(bodyTimeout)) // not every writer can, as in tests
	body := bytes.NewBuffer(make([]byte, 0, min(max(request.ContentLength, 0), firstBuffer)+bytes.MinRead))
	_, err := body.ReadFrom(io.LimitReader(request.Body, limit+1))
	if err == nil {
		// The deadline would otherwise also end the wait for the store.
		_ = ctx.SetReadDeadline(time.Time{})
	}
	timeout, _ := errors.AsType[net.Error](err)
	switch {
	case err == nil && int64(body.Len()) > limit:
		return nil, tooLarge(rule, limit)
	case err == nil:
		return bytes.Trim(body.Bytes(), " \t\r\n"), nil // the white space of JSON
	case timeout != nil && timeout.Timeout():
		return nil, &refusal{http.StatusRequestTimeout, switchboard.Errorf(switchboard.Invalid, "the body did not arrive within %s", bodyTimeout)}
	}
	return nil, &refusal{http.StatusBadRequest, switchboard.Errorf(switchboard.Invalid, "the body broke off or is badly framed")}
}

func tooLarge(rule bodyRule, limit int64) error {
	return &switchboard.Error{Code: switchboard.TooLarge, Field: rule.field, Message: fmt.Sprintf("makes the body longer than %d bytes", limit)}
}
