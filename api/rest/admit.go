package rest

import (
	"context"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/seed-49a43567/switchboard"
)

// call is one call of an operation. The middleware passes it to the handler. It is in the context
// because huma calls handlers with nothing else.
type call struct {
	caller switchboard.Caller
	body   []byte
	claim  *switchboard.IdempotencyClaim // nil: the request has no Idempotency-Key
}

type callKey struct{}

func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// EventID returns an id for that event of the request, if the platform gave none. It is the same
// for a repeat with the same Idempotency-Key, which therefore makes no second event. Empty: any id
// will do.
func EventID(ctx context.Context, number int) string {
	if claim := callOf(ctx).claim; claim != nil {
		return claim.EventID(number)
	}
	return ""
}

// DeliveryID returns an id for the delivery that the request makes, for the same reason. Empty: any
// id will do.
func DeliveryID(ctx context.Context) string {
	if claim := callOf(ctx).claim; claim != nil {
		return claim.DeliveryID()
	}
	return ""
}

// admit is the middleware of an operation.
func (s *Server) admit(r *Route) func(ctx huma.Context, next func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		c := &call{}
		reserved, err := s.check(ctx, r, c)
		defer reserved.release()
		if err == nil {
			err = s.once(huma.WithValue(ctx, callKey{}, c), c, next)
		}
		if err != nil {
			s.refuse(humagin.Unwrap(ctx), err)
		}
	}
}

// check finds the caller, checks the role, and reads the body. The order ensures that strangers can
// neither learn about parameters nor make us read bytes. The caller of check must release the
// reservation for the body after the request is answered.
func (s *Server) check(ctx huma.Context, r *Route, c *call) (reserved *reservation, err error) {
	request, log := humagin.Unwrap(ctx).Request, logOf(ctx.Context())
	inProcess := false
	if c.caller, inProcess = request.Context().Value(inProcessKey{}).(switchboard.Caller); !inProcess {
		if c.caller, err = s.authenticate(ctx); err != nil {
			return nil, err
		}
		c.caller.Origin, c.caller.Address = switchboard.OriginAPI, peerOf(ctx.RemoteAddr())
	}
	c.caller.RequestID = log.id
	log.caller = c.caller
	if c.caller.Role != switchboard.RoleAdmin && !slices.Contains(r.roles, c.caller.Role) {
		return nil, switchboard.Errorf(switchboard.CodeForbidden, "a key with the role %s may not do this; needed: %s", c.caller.Role, roleList(r.roles))
	}
	if !inProcess { // the session names the person who is signed in
		if c.caller.Person, err = personOf(request.Header.Values(actorHeader)); err != nil {
			return nil, err
		}
	}
	if err := checkQuery(ctx.URL(), r.repeatable); err != nil {
		return nil, err
	}
	if err := s.Spend(c.caller, r.cost); err != nil {
		return nil, err
	}
	if !r.hasBody {
		if request.ContentLength != 0 {
			closeUnread(humagin.Unwrap(ctx))
		}
		return nil, nil
	}
	if r.body.budget != nil {
		if reserved, err = r.body.budget.acquire(ctx.Context(), lengthOf(request), r.body.limit); err != nil {
			return nil, err
		}
	}
	c.body, err = readBody(ctx, r.body)
	log.bodyRead = err == nil
	reserved.shrink(cap(c.body)) // the memory that is held
	return reserved, err
}

// authenticate finds the caller behind the request's key.
func (s *Server) authenticate(ctx huma.Context) (switchboard.Caller, error) {
	scheme, key, _ := strings.Cut(ctx.Header("Authorization"), " ")
	key = strings.TrimSpace(key)
	const longest = 256 // no key is longer, and hashing more would give strangers a way to make work
	if !strings.EqualFold(scheme, "Bearer") || key == "" || len(key) > longest {
		s.gate.count(ctx.Context(), "missing")
		return switchboard.Caller{}, switchboard.Errorf(switchboard.CodeUnauthenticated, "an API key is needed: send it as Authorization: Bearer sbk_…")
	}
	return s.gate.pass(ctx.Context(), s.Store, ctx.RemoteAddr(), switchboard.Secret(key))
}

// Spend takes the cost of a call from the bucket of its key.
func (s *Server) Spend(caller switchboard.Caller, cost int) error {
	return s.costly.spend(caller.KeyID, cost, "calls of this kind with this key")
}
