package rest

import (
	"context"
	"fmt"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed-49a43567/switchboard"
)

// Route is one row of a routes table: an operation with its handler.
type Route struct {
	method, path, id string
	roles            []switchboard.Role // who may call it, in addition to admin
	status           int                // of success; 0: huma's default
	body             bodyRule           // used only if the handler takes a body
	answers          map[int]reflect.Type
	problems         map[int]string // its own statuses, with the words of the document
	cost             int            // taken from the key's bucket; 0: not limited
	acts             bool           // it leaves an action, and so may name the person

	hasBody    bool
	repeatable []string // query parameters that may be given more than once
	serve      func(s *Server, r *Route, op huma.Operation)
}

// Handler serves an operation for a caller whose role may call it. Parameters and body have the
// right types; the handler checks the meaning of their values.
type Handler[In, Out any] func(ctx context.Context, caller switchboard.Caller, in *In) (*Out, error)

// Call returns the method and the path of the route.
func (r *Route) Call() string { return r.method + " " + r.path }

// Roles returns the roles that may call it, in addition to admin.
func (r *Route) Roles() []switchboard.Role { return r.roles }

// Payload is the JSON body of a request. An operation's input embeds it.
type Payload[T any] struct{ JSON T }

// Reply is an answer with a body.
type Reply[T any] struct{ Body T }

// Empty is an answer without a body.
type Empty struct{}

// payload is implemented by inputs that embed [Payload].
type payload interface {
	bodyType() reflect.Type
	decode(s *shape, body []byte) error
}

func (p *Payload[T]) bodyType() reflect.Type { return reflect.TypeFor[T]() }

func (p *Payload[T]) decode(s *shape, body []byte) error {
	return decodeBody(s, body, reflect.ValueOf(&p.JSON).Elem())
}

// Option changes a property of a route.
type Option func(*Route)

// On makes a route. Admins may call every operation; roles lists the others.
func On[In, Out any](method, path string, roles []switchboard.Role, handler Handler[In, Out], id string, options ...Option) Route {
	_, hasBody := any(new(In)).(payload)
	r := Route{method: method, path: path, id: id, roles: roles, hasBody: hasBody, repeatable: repeatable(reflect.TypeFor[In]())}
	r.body.limit = smallBody
	for _, option := range options {
		option(&r)
	}
	r.serve = func(s *Server, r *Route, op huma.Operation) { serve(s, r, op, handler) }
	return r
}

// Status sets the status of success.
func Status(status int) Option { return func(r *Route) { r.status = status } }

// MaxBody sets the maximum length of the body in bytes. The error about a longer one names the
// field, which may be empty.
func MaxBody(bytes int, field string) Option {
	return func(r *Route) { r.body.limit, r.body.field = int64(bytes), field }
}

// OptionalBody allows requests without a body.
func OptionalBody(r *Route) { r.body.optional = true }

// Shared limits the total size of the operation's bodies that are read and answered at the same
// time. A body waits some seconds for its part, and is then refused.
func Shared(bytes int) Option {
	return func(r *Route) { r.body.budget = newBodyBudget(int64(bytes), budgetWait) }
}

// Cost sets what a call takes from its key's bucket, which [Config.CostlyCalls] fills.
func Cost(cost int) Option { return func(r *Route) { r.cost = cost } }

// Acts says that the operation leaves an action, which may name the person who acted.
func Acts(r *Route) { r.acts = true }

// Answers documents one of several answers of a handler that chooses the status itself.
func Answers[T any](status int) Option {
	return func(r *Route) {
		if r.answers == nil {
			r.answers = map[int]reflect.Type{}
		}
		r.answers[status] = reflect.TypeFor[T]()
	}
}

// Fails documents an additional error status. when says when it is answered, and may be empty for a
// status that the document already describes.
func Fails(status int, when string) Option {
	return func(r *Route) {
		if r.problems == nil {
			r.problems = map[int]string{}
		}
		r.problems[status] = when
	}
}

// register adds a route to the API.
func (s *Server) register(r *Route) error {
	prose, known := s.Prose.Operations[r.id]
	if !known {
		return fmt.Errorf("the operation %s has no prose", r.id)
	}
	r.serve(s, r, s.describe(r, prose))
	s.documentReplay(r)
	return nil
}

// serve registers the operation with huma.
func serve[In, Out any](s *Server, r *Route, op huma.Operation, handler Handler[In, Out]) {
	var body *shape
	if p, ok := any(new(In)).(payload); ok {
		body = shapeOf(p.bodyType())
	}
	huma.Register(s.huma, op, func(ctx context.Context, in *In) (*Out, error) {
		c := callOf(ctx)
		if p, ok := any(in).(payload); ok && (len(c.body) > 0 || !r.body.optional) {
			if err := p.decode(body, c.body); err != nil {
				return nil, s.problem(ctx, err)
			}
		}
		out, err := handler(ctx, c.caller, in)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return out, nil
	})
	if p, ok := any(new(In)).(payload); ok {
		s.documentBody(r, p.bodyType())
	}
}

// operationOf returns the registered operation of a route in the OpenAPI document.
func (s *Server) operationOf(r *Route) *huma.Operation {
	item := s.huma.OpenAPI().Paths[r.path]
	switch r.method {
	case http.MethodGet:
		return item.Get
	case http.MethodPost:
		return item.Post
	case http.MethodPut:
		return item.Put
	case http.MethodPatch:
		return item.Patch
	}
	return item.Delete
}
