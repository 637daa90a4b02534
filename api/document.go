package api

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed-49a43567/switchboard"
)

// tags are the groups of the document.
func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: tagEvents, Description: "What the platform posts, and what was accepted."},
		{Name: tagSubscriptions, Description: "Which events of a tenant go where, and how: to make them, to try them, and to set them off."},
		{Name: tagDeliveries, Description: "What each event owes each subscription: where it stands, every attempt, and what operators do."},
		{Name: tagCatalogue, Description: "The platforms and their event types, with schemas and samples."},
		{Name: tagKeys, Description: "Who may call this API."},
	}
}

// headerParameters documents the headers that the package reads itself.
func headerParameters(op operation) []*huma.Param {
	var params []*huma.Param
	text := func(longest int, example string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, MinLength: new(1), MaxLength: &longest, Examples: []any{example}}
	}
	if op.method == post {
		params = append(params, &huma.Param{Name: switchboard.IdempotencyHeader, In: "header", Schema: text(maxIdempotencyKey, "8e03978e-40d5-43e8-bc93-6894a57f9324"),
			Description: "Makes the call safe to repeat: for 24 hours the same key with the same request gets the answer of the first time, and with another one it is refused"})
	}
	if op.acts {
		params = append(params, &huma.Param{Name: actorHeader, In: "header", Schema: text(maxActor, "marta@platform"),
			Description: "Who acts, where several people use a key: kept with the action"})
	}
	return params
}

// problemStatuses says when each error is answered, in the words of the document.
func problemStatuses() []problemStatus {
	return []problemStatus{
		{http.StatusBadRequest, "The body is no JSON or not what its Content-Encoding says, or the query string is malformed"},
		{http.StatusUnauthorized, "There is no API key, or it is unknown, expired or revoked"},
		{http.StatusForbidden, "The key's role or tenant does not allow it"},
		{http.StatusNotFound, "It does not exist, or not for this key"},
		{http.StatusRequestTimeout, "The body did not arrive in time"},
		{http.StatusConflict, "The state, the version, the name or the id does not allow it; or a request with the same Idempotency-Key is under way"},
		{http.StatusRequestEntityTooLarge, "The body, or a part of it, is too large"},
		{http.StatusUnsupportedMediaType, "The body is in another Content-Type than JSON, or in another Content-Encoding than gzip: Accept-Encoding says which"},
		{http.StatusUnprocessableEntity, "A field, parameter or header is not as it must be; field names it"},
		{http.StatusTooManyRequests, "Too many of these: Retry-After says when to try again"},
		{http.StatusInternalServerError, "A fault of ours; request_id finds it in the log"},
		{http.StatusBadGateway, "The delivery has ended without an answer of the receiver"},
		{http.StatusServiceUnavailable, "Postgres is away, or too many wait already: try again, with the same id"},
		{http.StatusGatewayTimeout, "The receiver has not answered in time; the delivery goes on"},
	}
}

type problemStatus struct {
	status int
	when   string
}

// problemHeaders are the headers that an error of that status comes with.
func problemHeaders(status int) map[string]*huma.Param {
	switch status {
	case http.StatusUnauthorized:
		return answerHeader("WWW-Authenticate", `Bearer realm="switchboard"`, "How to show a key")
	case http.StatusUnsupportedMediaType:
		return answerHeader("Accept-Encoding", "gzip", "Of another Content-Encoding: the one that is taken")
	case http.StatusConflict:
		return answerHeader("Retry-After", "1", "Of a request whose Idempotency-Key is under way: the seconds after which to try again")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return answerHeader("Retry-After", "2", "The seconds after which to try again")
	}
	return nil
}

func answerHeader(name, example, description string) map[string]*huma.Param {
	return map[string]*huma.Param{name: {Description: description, Schema: &huma.Schema{Type: huma.TypeString, Examples: []any{example}}}}
}

// documentReplay adds to the answer of a POST the header that marks a repeat.
func documentReplay(h huma.API, op operation) {
	if op.method != post {
		return
	}
	for status, response := range h.OpenAPI().Paths[op.path].Post.Responses {
		if strings.HasPrefix(status, "2") {
			response.Headers = answerHeader(replayedHeader, "true", "The answer is that of the first time, for an Idempotency-Key that came again; else left out")
		}
	}
}

// problemsOf are the errors that the operation can be answered with, beside those that
// any HTTP server may give.
func problemsOf(op operation, hasBody bool) map[int]bool {
	inPath := strings.Contains(op.path, "{")
	return map[int]bool{
		http.StatusUnauthorized: true, http.StatusForbidden: true, http.StatusTooManyRequests: true, http.StatusUnprocessableEntity: true,
		http.StatusInternalServerError: true, http.StatusServiceUnavailable: true,
		http.StatusBadRequest:            true,
		http.StatusNotFound:              inPath || op.path == "/v1/preview" || op.path == "/v1/match", // of an event_id
		http.StatusConflict:              op.method != get,
		http.StatusRequestTimeout:        hasBody,
		http.StatusRequestEntityTooLarge: hasBody,
		http.StatusUnsupportedMediaType:  hasBody,
		http.StatusBadGateway:            len(op.answers) > 0,
		http.StatusGatewayTimeout:        len(op.answers) > 0,
	}
}

// documentProblems lists the operation's errors by their status. Each is written once,
// among the components.
func (s *server) documentProblems(h huma.API, op operation, hasBody bool, responses map[string]*huma.Response) {
	components := h.OpenAPI().Components
	if components.Responses == nil {
		components.Responses = map[string]*huma.Response{}
	}
	schema := components.Schemas.Schema(reflect.TypeFor[problem](), true, "")
	possible := problemsOf(op, hasBody)
	for _, p := range problemStatuses() {
		name := "Problem" + strconv.Itoa(p.status)
		if components.Responses[name] == nil {
			components.Responses[name] = &huma.Response{Description: p.when, Headers: problemHeaders(p.status), Content: map[string]*huma.MediaType{problemType: {Schema: schema}}}
		}
		if possible[p.status] {
			responses[strconv.Itoa(p.status)] = &huma.Response{Ref: "#/components/responses/" + name}
		}
	}
}
