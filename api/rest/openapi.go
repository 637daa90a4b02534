package rest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed-49a43567/switchboard"
)

// schemaPrefix precedes the name of a schema in references.
const schemaPrefix = "#/components/schemas/"

// newDocument returns the OpenAPI document without operations.
func (s *Server) newDocument() *huma.OpenAPI {
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info:    &huma.Info{Title: "Switchboard", Version: s.Version, Description: s.Prose.Overview, License: &huma.License{Name: "Proprietary"}},
		Components: &huma.Components{
			Schemas:   huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer),
			Responses: map[string]*huma.Response{},
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"key": {Type: "http", Scheme: "bearer", Description: "An API key, as `Authorization: Bearer sbk_…`"},
			},
		},
		Security: []map[string][]string{{"key": {}}},
		// Relative to the document, which every process serves itself.
		Servers: []*huma.Server{{URL: "/", Description: "The server of this document"}},
	}
	for _, tag := range s.Prose.Tags {
		doc.Tags = append(doc.Tags, &huma.Tag{Name: tag.Name, Description: tag.Description})
	}
	return doc
}

// schemaOf returns the schema of a type. If it has a name, the result is a reference to the
// components.
func (s *Server) schemaOf(t reflect.Type) *huma.Schema {
	return s.huma.OpenAPI().Components.Schemas.Schema(t, true, "")
}

// describe describes the operation in huma's types.
func (s *Server) describe(r *Route, prose Operation) huma.Operation {
	responses := map[string]*huma.Response{"default": {
		Description: "The request was refused, or could not be served",
		Content:     map[string]*huma.MediaType{problemType: {Schema: s.problemSchema()}},
	}}
	s.documentProblems(r, responses)
	for status, body := range r.answers {
		responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/json": {Schema: s.schemaOf(body)}},
		}
	}
	return huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Tags: []string{prose.Tag},
		Summary: prose.Summary, Description: prose.Description + "\n\nRoles: " + roleList(r.roles) + ".",
		DefaultStatus: r.status, Responses: responses,
		Middlewares: huma.Middlewares{s.admit(r)}, Parameters: headerParameters(r),
	}
}

func roleList(besideAdmin []switchboard.Role) string {
	names := []string{string(switchboard.RoleAdmin)}
	for _, r := range besideAdmin {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// problemSchema returns the schema of [Problem] with the members that errors add.
func (s *Server) problemSchema() *huma.Schema {
	schemas := s.huma.OpenAPI().Components.Schemas
	_, known := schemas.Map()["Problem"]
	ref := s.schemaOf(reflect.TypeFor[Problem]())
	if known || s.Members == nil {
		return ref
	}
	t := reflect.TypeOf(s.Members)
	members := schemas.SchemaFromRef(s.schemaOf(t).Ref)
	problem := schemas.SchemaFromRef(ref.Ref)
	maps.Copy(problem.Properties, members.Properties)
	delete(schemas.Map(), huma.DefaultSchemaNamer(t, ""))
	return ref
}

// document returns the OpenAPI document in JSON. It omits schemas without references: huma's own
// for errors, since we use ours, and those that others were derived from. It changes a copy of the
// document, because requests may be checked with these schemas meanwhile.
func (s *Server) document() ([]byte, error) {
	whole := *s.huma.OpenAPI()
	components := *whole.Components
	components.Schemas = huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer)
	whole.Components = &components
	schemas := components.Schemas.Map()
	maps.Copy(schemas, s.huma.OpenAPI().Components.Schemas.Map())
	for {
		document, err := json.Marshal(&whole)
		if err != nil {
			return nil, err
		}
		before := len(schemas)
		maps.DeleteFunc(schemas, func(name string, _ *huma.Schema) bool {
			return !bytes.Contains(document, []byte(`"`+schemaPrefix+name+`"`))
		})
		if len(schemas) == before { // schemas that only a dropped schema referred to are dropped next
			return document, nil
		}
	}
}

// documentBody adds the body to the document after huma has registered the operation. If the
// operation had a body when it is registered, huma would read it.
func (s *Server) documentBody(r *Route, t reflect.Type) {
	media := &huma.MediaType{Schema: s.schemaOf(t)}
	if example := s.Prose.Operations[r.id].Example; example != nil {
		media.Example = example
	}
	s.operationOf(r).RequestBody = &huma.RequestBody{
		Required: !r.body.optional, Content: map[string]*huma.MediaType{"application/json": media},
	}
}

// headerParameters documents the headers that the package reads itself.
func headerParameters(r *Route) []*huma.Param {
	var params []*huma.Param
	text := func(longest int, example string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, MinLength: new(1), MaxLength: &longest, Examples: []any{example}}
	}
	if r.method == http.MethodPost {
		params = append(params, &huma.Param{Name: switchboard.IdempotencyHeader, In: "header", Schema: text(maxIdempotencyKey, "8e03978e-40d5-43e8-bc93-6894a57f9324"),
			Description: "Makes the call safe to repeat: for 24 hours, the same key with the same request gets the first answer again; with another request it is refused"})
	}
	if r.acts {
		params = append(params, &huma.Param{Name: actorHeader, In: "header", Schema: text(switchboard.MaxPerson, "marta@platform"),
			Description: "Who acts, where several people use a key: kept with the action"})
	}
	return params
}

// problemStatuses says, in the words of the document, when each error status is answered.
func problemStatuses() map[int]string {
	return map[int]string{
		http.StatusBadRequest:            "The body is no JSON or not what its Content-Encoding says, or the query string is malformed",
		http.StatusUnauthorized:          "There is no API key, or it is unknown, expired or revoked",
		http.StatusForbidden:             "The key's role or tenant does not allow it",
		http.StatusNotFound:              "It does not exist, or not for this key",
		http.StatusRequestTimeout:        "The body did not arrive in time",
		http.StatusConflict:              "The state, the version, the name or the id does not allow it; or a request with the same Idempotency-Key is being carried out",
		http.StatusRequestEntityTooLarge: "The body, or a part of it, is too large",
		http.StatusUnsupportedMediaType:  "The body is in another Content-Type than JSON, or in another Content-Encoding than gzip: Accept-Encoding says which",
		http.StatusUnprocessableEntity:   "A field, parameter or header is not as it must be; field names it",
		http.StatusTooManyRequests:       "Too many of these: Retry-After says when to try again",
		http.StatusInternalServerError:   "A fault of ours; request_id finds it in the log",
		http.StatusServiceUnavailable:    "Postgres is away, or too many wait already: try again, with the same id",
	}
}

// mayFail reports whether the operation may be answered with that error status.
func (r *Route) mayFail(status int) bool {
	if _, listed := r.problems[status]; listed {
		return true
	}
	switch status {
	case http.StatusNotFound:
		return strings.Contains(r.path, "{")
	case http.StatusConflict:
		return r.method != http.MethodGet
	case http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return r.hasBody
	}
	return true
}

// documentProblems lists the operation's errors by status. Each is described once, in the
// components.
func (s *Server) documentProblems(r *Route, responses map[string]*huma.Response) {
	words := problemStatuses()
	for status, when := range r.problems {
		if when != "" {
			words[status] = when
		}
	}
	components := s.huma.OpenAPI().Components
	for _, status := range slices.Sorted(maps.Keys(words)) {
		name := "Problem" + strconv.Itoa(status)
		if components.Responses[name] == nil {
			components.Responses[name] = &huma.Response{Description: words[status], Headers: problemHeaders(status),
				Content: map[string]*huma.MediaType{problemType: {Schema: s.problemSchema()}}}
		}
		if r.mayFail(status) {
			responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + name}
		}
	}
}

// problemHeaders returns the headers of an error with that status.
func problemHeaders(status int) map[string]*huma.Param {
	switch status {
	case http.StatusUnauthorized:
		return answerHeader("WWW-Authenticate", `Bearer realm="switchboard"`, "How to show a key")
	case http.StatusUnsupportedMediaType:
		return answerHeader("Accept-Encoding", "gzip", "Of another Content-Encoding: the one that is taken")
	case http.StatusConflict:
		return answerHeader("Retry-After", "1", "Of a request whose Idempotency-Key is in use by one that is being carried out: the seconds after which to try again")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return answerHeader("Retry-After", "2", "The seconds after which to try again")
	}
	return nil
}

func answerHeader(name, example, description string) map[string]*huma.Param {
	return map[string]*huma.Param{name: {Description: description, Schema: &huma.Schema{Type: huma.TypeString, Examples: []any{example}}}}
}

// documentReplay adds the header that marks a repeated answer to the answers of a POST.
func (s *Server) documentReplay(r *Route) {
	if r.method != http.MethodPost {
		return
	}
	for status, response := range s.operationOf(r).Responses {
		if strings.HasPrefix(status, "2") {
			response.Headers = answerHeader(replayedHeader, "true", "The answer is that of the first time, for an Idempotency-Key that came again; else left out")
		}
	}
}
