package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/catalogue"
	"github.com/seed-49a43567/switchboard/filter"
	"github.com/seed-49a43567/switchboard/signing"
)

// TestOpenAPI checks what would make a generator of clients fail.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	got := setup(t).call(t, "", "GET", "/openapi.json", nil)
	doc := got.want(t, http.StatusOK)
	if v, _ := doc["openapi"].(string); !strings.HasPrefix(v, "3.1.") {
		t.Errorf("openapi %v", doc["openapi"])
	}
	for _, ref := range regexp.MustCompile(`"\$ref":"#/([^"]*)"`).FindAllStringSubmatch(string(got.body), -1) {
		var at any = doc
		for part := range strings.SplitSeq(ref[1], "/") {
			at = at.(map[string]any)[part]
		}
		if at == nil {
			t.Errorf("%s leads nowhere", ref[0])
		}
	}
	ids := map[string]bool{}
	for path, item := range doc["paths"].(map[string]any) {
		for method, o := range item.(map[string]any) {
			op := o.(map[string]any)
			name := method + " " + path
			id := op["operationId"].(string)
			if ids[id] {
				t.Errorf("%s: operationId %s is used twice", name, id)
			}
			ids[id] = true
			if op["summary"] == "" || !strings.Contains(op["description"].(string), "Roles: admin") {
				t.Errorf("%s: summary %v, description %v", name, op["summary"], op["description"])
			}
			problems := op["responses"].(map[string]any)["default"].(map[string]any)["content"].(map[string]any)["application/problem+json"]
			if problems == nil || len(op["responses"].(map[string]any)) < 2 {
				t.Errorf("%s: responses %v", name, op["responses"])
			}
			inPath := 0
			for _, p := range asList(op["parameters"]) {
				param := p.(map[string]any)
				if param["description"] == nil {
					t.Errorf("%s: parameter %v has no description", name, param["name"])
				}
				if param["in"] == "path" {
					inPath++
				}
			}
			if inPath != strings.Count(path, "{") {
				t.Errorf("%s: %d parameters in the path", name, inPath)
			}
			if hasBody := op["requestBody"] != nil; hasBody != (method == "post" || method == "put" || method == "patch") {
				t.Errorf("%s: body %v", name, op["requestBody"])
			}
		}
	}
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

// TestDocumentedLimits: the limits in the tags are those that the domain checks.
func TestDocumentedLimits(t *testing.T) {
	t.Parallel()
	doc := setup(t).call(t, "", "GET", "/openapi.json", nil).want(t, http.StatusOK)
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	property := func(schema, name string) map[string]any {
		return schemas[schema].(map[string]any)["properties"].(map[string]any)[name].(map[string]any)
	}
	for _, c := range []struct {
		schema, property, limit string
		want                    int
	}{
		{"EventInput", "tenant", "maxLength", switchboard.MaxTenant},
		{"EventInput", "type", "maxLength", switchboard.MaxEventType},
		{"EventInput", "id", "maxLength", switchboard.MaxEventID},
		{"EventInput", "key", "maxLength", switchboard.MaxEventKey},
		{"BatchInput", "events", "maxItems", switchboard.MaxBatch},
		{"NewSubscription", "name", "maxLength", switchboard.MaxName},
		{"NewSubscription", "events", "maxItems", switchboard.MaxEvents},
		{"NewSubscription", "max_in_flight", "maximum", switchboard.MaxMaxInFlight},
		{"NewSubscription", "max_in_flight", "default", switchboard.DefaultMaxInFlight},
		{"RequestInput", "url", "maxLength", switchboard.MaxURL},
		{"SOAPInput", "action", "maxLength", switchboard.MaxURL},
		{"AuthInput", "token_url", "maxLength", switchboard.MaxURL},
		{"AuthInput", "header", "maxLength", switchboard.MaxName},
		{"ReasonInput", "reason", "maxLength", maxReason},
		{"EventTypeInput", "description", "maxLength", catalogue.MaxDescription},
		{"EventTypeInput", "vendor_name", "maxLength", catalogue.MaxLabel},
		{"EventTypeInput", "entity", "maxLength", catalogue.MaxLabel},
		{"EventTypeInput", "use_cases", "maxItems", catalogue.MaxUseCases},
		{"EventTypeInput", "samples", "maxItems", catalogue.MaxSamples},
		{"Triggered", "id", "maxLength", switchboard.MaxEventID},
		{"Triggered", "key", "maxLength", switchboard.MaxEventKey},
		{"SampleEvent", "type", "maxLength", switchboard.MaxEventType},
	} {
		if got := property(c.schema, c.property)[c.limit]; got != float64(c.want) {
			t.Errorf("%s.%s: %s is %v, want %d", c.schema, c.property, c.limit, got, c.want)
		}
	}
	enum := func(list []any) string {
		b, _ := json.Marshal(list)
		return string(b)
	}
	roles, _ := json.Marshal(switchboard.Roles())
	if got := enum(asList(property("NewKey", "role")["enum"])); got != string(roles) {
		t.Errorf("roles: %s", got)
	}
	states, _ := json.Marshal(switchboard.States())
	if got := enum(asList(property("Delivery", "state")["enum"])); got != string(states) {
		t.Errorf("states: %s", got)
	}
	schemes, _ := json.Marshal(signing.Schemes())
	if got := enum(asList(property("SignatureInput", "scheme")["enum"])); got != string(schemes) {
		t.Errorf("schemes: %s", got)
	}
	types, _ := json.Marshal(switchboard.AuthTypes())
	if got := enum(asList(property("AuthInput", "type")["enum"])); got != string(types) {
		t.Errorf("types of authentication: %s", got)
	}
	for _, p := range asList(doc["paths"].(map[string]any)["/v1/deliveries"].(map[string]any)["get"].(map[string]any)["parameters"]) {
		param := p.(map[string]any)
		schema := param["schema"].(map[string]any)
		if param["name"] == "limit" && (schema["maximum"] != float64(switchboard.MaxPage) || schema["default"] != float64(switchboard.DefaultPage)) {
			t.Errorf("limit: %v", schema)
		}
	}
}

// TestEveryComponentIsUsed: a schema without references does not help anybody who makes a client.
func TestEveryComponentIsUsed(t *testing.T) {
	t.Parallel()
	got := setup(t).call(t, "", "GET", "/openapi.json", nil)
	for name := range got.want(t, http.StatusOK)["components"].(map[string]any)["schemas"].(map[string]any) {
		if !strings.Contains(string(got.body), `"#/components/schemas/`+name+`"`) {
			t.Errorf("nothing refers to %s", name)
		}
	}
}

// TestDocumentSaysWhere: the document has the server, the groups, and the error statuses of each
// call, with the texts for its kind.
func TestDocumentSaysWhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	doc := b.call(t, "", "GET", "/openapi.json", nil).want(t, http.StatusOK)
	if servers := asList(doc["servers"]); len(servers) != 1 || servers[0].(map[string]any)["url"] != "/" {
		t.Errorf("servers %v", doc["servers"])
	}
	described := map[string]bool{}
	for _, tag := range asList(doc["tags"]) {
		described[tag.(map[string]any)["name"].(string)] = tag.(map[string]any)["description"] != ""
	}
	errors := map[string]string{}
	for path, item := range doc["paths"].(map[string]any) {
		for method, o := range item.(map[string]any) {
			op := o.(map[string]any)
			for _, tag := range asList(op["tags"]) {
				if !described[tag.(string)] {
					t.Errorf("the tag %v is not described", tag)
				}
			}
			var statuses []string
			for status, r := range op["responses"].(map[string]any) {
				if r.(map[string]any)["$ref"] != nil {
					statuses = append(statuses, status)
				}
			}
			slices.Sort(statuses)
			errors[method+" "+path] = strings.Join(statuses, " ")
		}
	}
	for call, want := range map[string]string{
		"get /v1/events":                      "400 401 403 422 429 500 503",
		"get /v1/events/{id}":                 "400 401 403 404 422 429 500 503",
		"post /v1/events":                     "400 401 403 408 409 413 415 422 429 500 503",
		"patch /v1/subscriptions/{id}":        "400 401 403 404 408 409 413 415 422 429 500 503",
		"delete /v1/subscriptions/{id}":       "400 401 403 404 409 422 429 500 503",
		"post /v1/subscriptions/{id}/trigger": "400 401 403 404 408 409 413 415 422 429 500 502 503 504",
		"post /v1/match":                      "400 401 403 404 408 409 413 415 422 429 500 503",
	} {
		if errors[call] != want {
			t.Errorf("%s: %s, want %s", call, errors[call], want)
		}
	}
	answered := func(response any) string {
		headers, _ := response.(map[string]any)["headers"].(map[string]any)
		return strings.Join(slices.Sorted(maps.Keys(headers)), " ")
	}
	problems := doc["components"].(map[string]any)["responses"].(map[string]any)
	for status, want := range map[string]string{"401": "WWW-Authenticate", "409": "Retry-After", "415": "Accept-Encoding", "429": "Retry-After", "503": "Retry-After", "422": ""} {
		if got := answered(problems["Problem"+status]); got != want {
			t.Errorf("headers of an answer %s: %q, want %q", status, got, want)
		}
	}
	for call, want := range map[string]string{"post /v1/events 202": "Idempotency-Replayed", "post /v1/keys 201": "Idempotency-Replayed", "get /v1/events 200": "", "post /v1/subscriptions/{id}/trigger 200": "Idempotency-Replayed"} {
		part := strings.Fields(call)
		op := doc["paths"].(map[string]any)[part[1]].(map[string]any)[part[0]].(map[string]any)
		if got := answered(op["responses"].(map[string]any)[part[2]]); got != want {
			t.Errorf("headers of %s: %q, want %q", call, got, want)
		}
	}
	headers := parameters(t, b, "header")
	for call, want := range map[string]string{
		"POST /v1/events":                        "Idempotency-Key",
		"POST /v1/subscriptions/x/rotate_secret": "Idempotency-Key Switchboard-Actor",
		"GET /v1/events":                         "",
		"PATCH /v1/subscriptions/x":              "Switchboard-Actor",
		"POST /v1/deliveries/x/cancel":           "Idempotency-Key Switchboard-Actor",
		"DELETE /v1/subscriptions/x":             "Switchboard-Actor",
	} {
		if got := strings.Join(headers[call], " "); got != want {
			t.Errorf("headers of %s: %q, want %q", call, got, want)
		}
	}
}

// TestSchemasOfAChange: a change only requires the version, and nothing in it has a default, at any
// depth. Exactly the optional members of a subscription may be null.
func TestSchemasOfAChange(t *testing.T) {
	t.Parallel()
	doc := setup(t).call(t, "", "GET", "/openapi.json", nil).want(t, http.StatusOK)
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	var fixed []string // members that null does not remove
	var check func(path string, schema map[string]any)
	check = func(path string, schema map[string]any) {
		if ref, ok := schema["$ref"].(string); ok {
			schema = schemas[ref[strings.LastIndex(ref, "/")+1:]].(map[string]any)
		}
		if schema["default"] != nil {
			t.Errorf("%s has a default", path)
		}
		required, _ := json.Marshal(schema["required"])
		if want := map[bool]string{true: `["version"]`, false: "null"}[path == ""]; string(required) != want {
			t.Errorf("%s requires %s", path, required)
		}
		if kind, _ := json.Marshal(schema["type"]); path != "" && !strings.Contains(string(kind), "null") {
			fixed = append(fixed, path)
		}
		properties, _ := schema["properties"].(map[string]any)
		for name, property := range properties {
			check(strings.TrimPrefix(path+"."+name, "."), property.(map[string]any))
		}
		if values, ok := schema["additionalProperties"].(map[string]any); ok {
			check(path+".*", values)
		}
	}
	check("", schemas["SubscriptionPatch"].(map[string]any))
	slices.Sort(fixed)
	if diff := cmp.Diff([]string{"events", "name", "rate_limit.per_second", "request.url", "version"}, fixed); diff != "" {
		t.Error(diff)
	}
}

// TestSchemaNamesEachOperator: the description of a filter names every operator.
func TestSchemaNamesEachOperator(t *testing.T) {
	t.Parallel()
	doc := setup(t).call(t, "", "GET", "/openapi.json", nil).want(t, http.StatusOK)
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	for _, name := range []string{"NewSubscription", "SubscriptionPatch", "Subscription"} {
		property := schemas[name].(map[string]any)["properties"].(map[string]any)["filter"].(map[string]any)
		if want := "(" + strings.Join(filter.Operators(), " ") + ")"; !strings.Contains(property["description"].(string), want) {
			t.Errorf("%s: %s\ndoes not name the operators %s", name, property["description"], want)
		}
	}
}

// TestExamplesWork sends the examples of the document: readers who try one get a successful answer.
// Every operation with a required body has one.
func TestExamplesWork(t *testing.T) {
	t.Parallel()
	doc := setup(t).call(t, "", "GET", "/openapi.json", nil).want(t, http.StatusOK)
	ids := strings.NewReplacer("evt_01k0000000000000000000000", "evt_acme", "key_01k0000000000000000000000", "key_globex", "era_01k0000000000000000000000", "era_globex", "ses_01k0000000000000000000000", "ses_globex", "plk_01k0000000000000000000000", "plk_globex", "_01k0000000000000000000000", "_acme")
	for path, item := range doc["paths"].(map[string]any) {
		for method, o := range item.(map[string]any) {
			op := o.(map[string]any)
			t.Run(op["operationId"].(string), func(t *testing.T) {
				t.Parallel()
				sent, query := path, url.Values{}
				for _, p := range asList(op["parameters"]) {
					param := p.(map[string]any)
					if param["in"] != "path" && param["required"] != true {
						continue
					}
					example := fmt.Sprint(param["schema"].(map[string]any)["examples"].([]any)[0])
					if param["in"] == "query" {
						query.Set(param["name"].(string), example)
					}
					sent = strings.ReplaceAll(sent, "{"+param["name"].(string)+"}", ids.Replace(example))
				}
				if len(query) > 0 {
					sent += "?" + query.Encode()
				}
				body := ""
				if content, ok := op["requestBody"].(map[string]any); ok {
					example, err := json.Marshal(content["content"].(map[string]any)["application/json"].(map[string]any)["example"])
					if err != nil {
						t.Fatal(err)
					}
					body = strings.Replace(string(example), `"version":1`, `"version":3`, 1)
				}
				if got := seeded(t).call(t, adminKey, strings.ToUpper(method), applicable(sent), body); got.status >= 300 || body == "null" {
					t.Errorf("%s %s %s: %d %s", method, sent, body, got.status, got.body)
				}
			})
		}
	}
}

// TestDocsPage: the page and its files are served by this process, under a policy that allows
// nothing inline.
func TestDocsPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	page := b.call(t, "", "GET", "/docs", nil)
	if kind := page.header.Get("Content-Type"); page.status != http.StatusOK || kind != "text/html; charset=utf-8" {
		t.Errorf("status %d, Content-Type %s", page.status, kind)
	}
	if policy := page.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	files := regexp.MustCompile(`(?:src|href)="(/[^"]*)"`).FindAllStringSubmatch(string(page.body), -1)
	kinds := map[string]string{}
	for _, file := range files {
		got := b.call(t, "", "GET", file[1], nil)
		if got.status != http.StatusOK || len(got.body) == 0 {
			t.Errorf("%s: status %d", file[1], got.status)
		}
		kinds[file[1]], _, _ = strings.Cut(got.header.Get("Content-Type"), ";")
	}
	want := map[string]string{"/docs/swagger-ui.css": "text/css", "/docs/swagger-ui-bundle.js": "text/javascript", "/docs/start.js": "text/javascript"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
	if found := regexp.MustCompile(`<style|<script>| style=| on[a-z]+=|https?:`).Find(page.body); found != nil {
		t.Errorf("the page holds %s", found)
	}
	if got := b.call(t, "", "GET", "/docs/LICENSE", nil); !strings.Contains(string(got.body), "Apache License") {
		t.Errorf("the licence of Swagger UI is not served: %d", got.status)
	}
}

// applicable names the object of an example's call if it must have another state.
func applicable(path string) string {
	return strings.NewReplacer("sub_acme/resume", "sub_paused/resume", "sub_acme/enable", "sub_disabled/enable", "dlv_acme/release", "dlv_held/release", "op_acme/resume", "op_paused/resume", "op_acme/cancel", "op_paused/cancel").Replace(path)
}
