package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api"
	"github.com/seed-49a43567/switchboard/client"
)

type (
	document struct {
		Paths      map[string]map[string]operation
		Components struct{ Schemas map[string]schema }
	}
	operation struct {
		OperationID string
		Parameters  []struct{ In, Name string }
		RequestBody struct{ Content map[string]media }
		Responses   map[string]struct{ Content map[string]media }
	}
	media  struct{ Schema schema }
	schema struct {
		Ref        string `json:"$ref"`
		Type       any
		Properties map[string]schema
		Items      *schema
	}
)

// openAPI is the document of an API that answers nothing else.
func openAPI(t *testing.T) document {
	t.Helper()
	handler, err := api.New(api.Config{
		Store: struct{ api.Store }{}, Sender: struct{ api.Sender }{}, Catalogue: struct{ api.Catalogue }{}, Engine: struct{ api.Engine }{}, Guard: struct{ api.Guard }{},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/openapi.json", nil))
	var d document
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Paths) < 20 {
		t.Fatalf("the document has %d paths", len(d.Paths))
	}
	return d
}

// Values for every parameter of every operation.
var (
	at           = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	page         = switchboard.PageRequest{Limit: 7, Cursor: "c"}
	anyJSON      = json.RawMessage(`{"a":1}`)
	event        = client.NewEvent{Tenant: "acme", Type: "t", Data: anyJSON, ID: "i", Key: "k", OccurredAt: at}
	subscription = client.NewSubscription{Subscription: switchboard.Subscription{Tenant: "acme"}}
	sample       = client.SampleEvent{EventID: "e"}
	act          = client.Act{Reason: "why"}
	options      = []client.Option{client.IdempotencyKey("k"), client.Actor("marta"), client.RequestID("r")}
)

// calls has a call of every operation, with the types of its body and its answer; nil: none.
var calls = map[string]struct {
	call         func(context.Context, *client.Client) error
	body, answer any
}{
	"post-event": {func(ctx context.Context, c *client.Client) error { return second(c.PostEvent(ctx, event, options...)) }, client.NewEvent{}, client.Acceptance{}},
	"post-events": {func(ctx context.Context, c *client.Client) error {
		return second(c.PostEvents(ctx, []client.NewEvent{event}, options...))
	}, listOf[client.NewEvent]("events"), listOf[client.BatchResult]("results")},
	"list-events": {func(ctx context.Context, c *client.Client) error {
		return second(c.ListEvents(ctx, switchboard.EventFilter{Tenant: "acme", Type: "t", Key: "k", After: at, Before: at}, page))
	}, nil, pageOf[client.Event]()},
	"get-event":     {func(ctx context.Context, c *client.Client) error { return second(c.GetEvent(ctx, "{id}", "acme")) }, nil, client.Event{}},
	"explain-event": {func(ctx context.Context, c *client.Client) error { return second(c.ExplainEvent(ctx, "{id}", "acme")) }, nil, client.Explanation{}},
	"get-attempt-request": {func(ctx context.Context, c *client.Client) error {
		return second(c.GetAttemptRequest(ctx, "{id}", 1, client.Actor("ana")))
	}, nil, client.AttemptRequest{}},
	"erase-event": {func(ctx context.Context, c *client.Client) error {
		return second(c.EraseEvent(ctx, "{id}", "acme", "why", options...))
	}, nil, switchboard.Erasure{}},
	"erase-tenant": {func(ctx context.Context, c *client.Client) error {
		return second(c.EraseTenant(ctx, "{tenant}", "why", options...))
	}, nil, switchboard.Erasure{}},
	"list-erasures": {func(ctx context.Context, c *client.Client) error { return second(c.ListErasures(ctx, page)) }, nil, pageOf[switchboard.Erasure]()},
	"get-erasure":   {func(ctx context.Context, c *client.Client) error { return second(c.GetErasure(ctx, "{id}")) }, nil, switchboard.Erasure{}},
	"create-subscription": {func(ctx context.Context, c *client.Client) error {
		return second(c.CreateSubscription(ctx, subscription, options...))
	}, client.NewSubscription{}, client.Subscription{}},
	"list-subscriptions": {func(ctx context.Context, c *client.Client) error {
		return second(c.ListSubscriptions(ctx, switchboard.SubscriptionFilter{Tenant: "acme", State: switchboard.SubscriptionActive, EventType: "t", Failing: new(true), Text: "crm"}, page, client.IncludeHealth))
	}, nil, pageOf[client.Subscription]()},
	"get-subscription": {func(ctx context.Context, c *client.Client) error {
		return second(c.GetSubscription(ctx, "{id}", client.IncludeHealth))
	}, nil, client.Subscription{}},
	"update-subscription": {func(ctx context.Context, c *client.Client) error {
		return second(c.UpdateSubscription(ctx, "{id}", 1, client.Patch{"name": "n"}, options...))
	}, client.Patch{}, client.Subscription{}},
	"delete-subscription": {func(ctx context.Context, c *client.Client) error {
		return c.DeleteSubscription(ctx, "{id}", "why", options...)
	}, nil, nil},
	"rotate-secret": {func(ctx context.Context, c *client.Client) error {
		return second(c.RotateSecret(ctx, "{id}", client.Rotation{}, options...))
	}, client.Rotation{}, client.Subscription{}},
	"verify-subscription": {func(ctx context.Context, c *client.Client) error {
		return second(c.VerifySubscription(ctx, "{id}", options...))
	}, struct{}{}, client.Subscription{}},
	"pause-subscription": {func(ctx context.Context, c *client.Client) error {
		return second(c.PauseSubscription(ctx, "{id}", "why", options...))
	}, reason{}, client.Subscription{}},
	"resume-subscription": {func(ctx context.Context, c *client.Client) error {
		return second(c.ResumeSubscription(ctx, "{id}", "why", options...))
	}, reason{}, client.Subscription{}},
	"disable-subscription": {func(ctx context.Context, c *client.Client) error {
		return second(c.DisableSubscription(ctx, "{id}", "why", options...))
	}, reason{}, client.Subscription{}},
	"enable-subscription": {func(ctx context.Context, c *client.Client) error {
		return second(c.EnableSubscription(ctx, "{id}", "why", options...))
	}, reason{}, client.Subscription{}},
	"hold-delivery": {func(ctx context.Context, c *client.Client) error {
		return second(c.HoldDelivery(ctx, "{id}", act, options...))
	}, client.Act{}, client.Delivery{}},
	"release-delivery": {func(ctx context.Context, c *client.Client) error {
		return second(c.ReleaseDelivery(ctx, "{id}", act, options...))
	}, client.Act{}, client.Delivery{}},
	"resend-delivery": {func(ctx context.Context, c *client.Client) error {
		return second(c.ResendDelivery(ctx, "{id}", client.Resend{Act: act}, options...))
	}, client.Resend{}, client.Delivery{}},
	"preview-resend": {func(ctx context.Context, c *client.Client) error {
		return second(c.PreviewResend(ctx, "{id}", client.ResendChanges{}, options...))
	}, client.ResendChanges{}, client.ResendPreview{}},
	"list-operations": {func(ctx context.Context, c *client.Client) error {
		return second(c.ListOperations(ctx, switchboard.OperationFilter{Tenant: "acme", Subscription: "sub_1", State: switchboard.OperationRunning}, page))
	}, nil, pageOf[client.Operation]()},
	"get-stats": {func(ctx context.Context, c *client.Client) error {
		return second(c.GetStats(ctx, switchboard.TrafficQuery{By: switchboard.TrafficByHost, From: at, To: at, Step: time.Hour, Tenant: "acme", Subscription: "sub_1"}))
	}, nil, switchboard.Traffic{}},
	"get-stats-now": {func(ctx context.Context, c *client.Client) error { return second(c.GetStatsNow(ctx, "acme")) }, nil, switchboard.OpenStatus{}},
	"get-failures":  {func(ctx context.Context, c *client.Client) error { return second(c.GetFailures(ctx, "acme", 7)) }, nil, switchboard.FailureGroups{}},
	"get-operation": {func(ctx context.Context, c *client.Client) error { return second(c.GetOperation(ctx, "{id}")) }, nil, client.Operation{}},
	"start-operation": {func(ctx context.Context, c *client.Client) error {
		return second(c.PlanOperation(ctx, everyOperation, options...))
	}, client.NewOperation{}, client.OperationPlan{}},
	"list-operation-items": {func(ctx context.Context, c *client.Client) error {
		return second(c.ListOperationItems(ctx, "{id}", switchboard.OutcomeSkipped, page))
	}, nil, pageOf[switchboard.OperationItem]()},
	"pause-operation": {func(ctx context.Context, c *client.Client) error {
		return second(c.PauseOperation(ctx, "{id}", "why", options...))
	}, reason{}, client.Operation{}},
	"resume-operation": {func(ctx context.Context, c *client.Client) error {
		return second(c.ResumeOperation(ctx, "{id}", "why", options...))
	}, reason{}, client.Operation{}},
	"cancel-operation": {func(ctx context.Context, c *client.Client) error {
		return second(c.CancelOperation(ctx, "{id}", "why", options...))
	}, reason{}, client.Operation{}},
	"search": {func(ctx context.Context, c *client.Client) error { return second(c.Search(ctx, "q")) }, nil, listOf[switchboard.SearchHit]("data")},
	"count-facets": {func(ctx context.Context, c *client.Client) error {
		return second(c.CountFacets(ctx, everyDelivery, switchboard.FacetHost))
	}, nil, client.Facets{}},
	"list-actions": {func(ctx context.Context, c *client.Client) error {
		return second(c.ListActions(ctx, switchboard.AuditFilter{
			Tenant: "acme", Object: "sub_1", Actor: "key_1", Person: "Ana", Verb: switchboard.AuditPause, Kind: switchboard.AuditSubscription, After: at, Before: at,
		}, page))
	}, nil, pageOf[switchboard.AuditEntry]()},
	"list-public-keys": {func(ctx context.Context, c *client.Client) error { return second(c.ListPublicKeys(ctx, "{id}")) }, nil, listOf[client.PublicKey]("keys")},
	"test-subscription": {func(ctx context.Context, c *client.Client) error {
		return second(c.TestSubscription(ctx, "{id}", client.TestEvent{}, options...))
	}, client.TestEvent{}, client.Acceptance{}},
	"trigger-subscription": {func(ctx context.Context, c *client.Client) error {
		return second(c.TriggerAndWait(ctx, "{id}", client.Trigger{Data: anyJSON}, time.Second, options...))
	}, client.Trigger{}, client.ReceiverResponse{}},
	"preview-subscription": {func(ctx context.Context, c *client.Client) error {
		return second(c.PreviewSubscription(ctx, "{id}", sample, options...))
	}, client.SampleEvent{}, client.Preview{}},
	"preview": {func(ctx context.Context, c *client.Client) error {
		return second(c.Preview(ctx, subscription, sample, options...))
	}, tryout{}, client.Preview{}},
	"match-subscription": {func(ctx context.Context, c *client.Client) error {
		return second(c.MatchSubscription(ctx, "{id}", sample, options...))
	}, client.SampleEvent{}, client.Match{}},
	"match": {func(ctx context.Context, c *client.Client) error {
		return second(c.Match(ctx, subscription, sample, options...))
	}, tryout{}, client.Match{}},
	"list-deliveries": {func(ctx context.Context, c *client.Client) error {
		return second(c.ListDeliveries(ctx, everyDelivery, switchboard.PageRequest{Limit: page.Limit, Cursor: page.Cursor, Count: true}))
	}, nil, countedPageOf[client.Delivery]()},
	"get-delivery": {func(ctx context.Context, c *client.Client) error { return second(c.GetDelivery(ctx, "{id}")) }, nil, client.Delivery{}},
	"retry-delivery": {func(ctx context.Context, c *client.Client) error {
		return second(c.RetryDelivery(ctx, "{id}", client.Retry{Act: act}, options...))
	}, client.Retry{}, client.Delivery{}},
	"cancel-delivery": {func(ctx context.Context, c *client.Client) error {
		return second(c.CancelDelivery(ctx, "{id}", act, options...))
	}, client.Act{}, client.Delivery{}},
	"list-event-types": {func(ctx context.Context, c *client.Client) error {
		return second(c.ListEventTypes(ctx, client.EventTypeFilter{Platform: "p", Entity: "e", UseCase: "u", Text: "t"}, page))
	}, nil, pageOf[client.EventType]()},
	"get-event-type": {func(ctx context.Context, c *client.Client) error {
		return second(c.GetEventType(ctx, "{platform}", "{name}"))
	}, nil, client.EventType{}},
	"put-event-type": {func(ctx context.Context, c *client.Client) error {
		return second(c.PutEventType(ctx, "{platform}", "{name}", client.EventTypeFields{}, options...))
	}, client.EventTypeFields{}, client.EventType{}},
	"update-event-type": {func(ctx context.Context, c *client.Client) error {
		return second(c.UpdateEventType(ctx, "{platform}", "{name}", client.EventTypeFields{}, options...))
	}, client.EventTypeFields{}, client.EventType{}},
	"delete-event-type": {func(ctx context.Context, c *client.Client) error {
		return c.DeleteEventType(ctx, "{platform}", "{name}", options...)
	}, nil, nil},
	"list-platforms": {func(ctx context.Context, c *client.Client) error { return second(c.ListPlatforms(ctx, page)) }, nil, pageOf[client.Platform]()},
	"create-key": {func(ctx context.Context, c *client.Client) error {
		return second(c.CreateKey(ctx, client.NewKey{Name: "n"}, options...))
	}, client.NewKey{}, client.Key{}},
	"get-me":    {func(ctx context.Context, c *client.Client) error { return second(c.GetMe(ctx, options...)) }, nil, client.Me{}},
	"list-keys": {func(ctx context.Context, c *client.Client) error { return second(c.ListKeys(ctx, page)) }, nil, pageOf[client.Key]()},
	"get-key":   {func(ctx context.Context, c *client.Client) error { return second(c.GetKey(ctx, "{id}")) }, nil, client.Key{}},
	"create-portal-link": {func(ctx context.Context, c *client.Client) error {
		return second(c.CreatePortalLink(ctx, client.NewPortalLink{Tenant: "acme", Name: "n", Next: "/console", ExpiresIn: 1, Session: 1}, options...))
	}, client.NewPortalLink{}, client.PortalLink{}},
	"list-portal-links": {func(ctx context.Context, c *client.Client) error { return second(c.ListPortalLinks(ctx, page)) }, nil, pageOf[client.MadePortalLink]()},
	"withdraw-portal-link": {func(ctx context.Context, c *client.Client) error {
		return c.WithdrawPortalLink(ctx, "{id}", "why", options...)
	}, nil, nil},
	"list-sessions": {func(ctx context.Context, c *client.Client) error { return second(c.ListSessions(ctx, "k", page)) }, nil, pageOf[client.Session]()},
	"end-session":   {func(ctx context.Context, c *client.Client) error { return c.EndSession(ctx, "{id}", "why", options...) }, nil, nil},
	"revoke-key": {func(ctx context.Context, c *client.Client) error {
		return second(c.RevokeKey(ctx, "{id}", "why", options...))
	}, nil, client.Key{}},
}

var everyDelivery = switchboard.DeliveryFilter{
	Tenant: "acme", Subscription: "s", Event: "e", EventType: "t", States: switchboard.States(), Failure: switchboard.FailureDNS, StatusCode: 503,
	IDs: []string{"dlv_1", "dlv_2"}, Host: "h", After: at, Before: at, Stuck: true, Text: "t",
}

var everyOperation = client.NewOperation{
	Plan: "p", Action: switchboard.ActionRetry, Rate: 1, Reason: "why",
	Filter: &switchboard.Selection{
		Tenant: "acme", Subscription: "s", Event: "e", EventType: "t", Key: "k", States: switchboard.States(), Failure: switchboard.FailureDNS, StatusCode: 503,
		Host: "h", After: at, Before: at, Stuck: true, Text: "t",
	},
}

type (
	reason struct {
		Reason string `json:"reason"`
	}
	tryout struct {
		Subscription client.NewSubscription `json:"subscription"`
		client.SampleEvent
	}
)

func second[T any](_ T, err error) error { return err }

// pageOf is the type of a page.
func pageOf[T any]() any {
	return struct {
		Data []T `json:"data"`
		Next any `json:"next_cursor"`
		To   any `json:"searched_to"`
	}{}
}

// countedPageOf is a page with the number of matches.
func countedPageOf[T any]() any {
	return struct {
		Data  []T                `json:"data"`
		Next  any                `json:"next_cursor"`
		To    any                `json:"searched_to"`
		Count *switchboard.Count `json:"count"`
	}{}
}

// listOf is an object with only a list.
func listOf[T any](name string) any {
	field := reflect.StructField{Name: "List", Type: reflect.TypeFor[[]T](), Tag: reflect.StructTag(fmt.Sprintf("json:%q", name))}
	return reflect.New(reflect.StructOf([]reflect.StructField{field})).Elem().Interface()
}

// beside are methods that are not operations of the document, and those that call one in another
// form.
var beside = []string{"Health", "Ready", "Version", "TriggerAndWait", "PlanOperation", "OperationItems", "CreateSubscriptionFrom", "PreviewFrom", "MatchFrom"}

// TestEveryOperationHasAMethod: every operation has a method of its name, and every method an
// operation.
func TestEveryOperationHasAMethod(t *testing.T) {
	t.Parallel()
	methods := map[string]bool{}
	for method := range reflect.TypeFor[*client.Client]().Methods() {
		methods[method.Name] = true
	}
	for _, name := range beside {
		delete(methods, name)
	}
	for path, item := range openAPI(t).Paths {
		for method, op := range item {
			name := goName(op.OperationID)
			if _, ok := calls[op.OperationID]; !ok || !methods[name] {
				t.Errorf("%s %s: there is no method %s, or no call of it in this test", method, path, name)
			}
			delete(methods, name)
			// A list also has an iterator.
			if all, isList := strings.CutPrefix(name, "List"); isList {
				delete(methods, all)
			}
		}
	}
	if len(methods) > 0 {
		t.Errorf("methods without an operation: %v", slices.Sorted(maps.Keys(methods)))
	}
}

// goName is the name of an operation's method: post-event is PostEvent.
func goName(operation string) string {
	var name strings.Builder
	for word := range strings.SplitSeq(operation, "-") {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

// TestCallsAreThoseOfTheDocument: method, path and every parameter are those of the document, and
// the types of body and answer have its members.
func TestCallsAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	d := openAPI(t)
	for path, item := range d.Paths {
		for method, op := range item {
			t.Run(op.OperationID, func(t *testing.T) {
				t.Parallel()
				known := calls[op.OperationID]
				sent := record(t, known.call)
				if got, want := sent.Method+" "+strings.Replace(sent.URL.Path, "/attempts/1/", "/attempts/{n}/", 1), strings.ToUpper(method)+" "+path; got != want {
					t.Errorf("calls %s; want %s", got, want)
				}
				var wanted []string
				for _, p := range op.Parameters {
					switch {
					case p.In == "query":
						wanted = append(wanted, p.Name)
					case p.In == "header" && sent.Header.Get(p.Name) == "":
						t.Errorf("sends no %s", p.Name)
					}
				}
				slices.Sort(wanted)
				if got := slices.Sorted(maps.Keys(sent.URL.Query())); !slices.Equal(got, wanted) {
					t.Errorf("sends the parameters %v; want %v", got, wanted)
				}
				d.compare(t, "body", op.RequestBody.Content, known.body)
				answered := false
				for status, response := range op.Responses {
					if status[0] == '2' && (status == "200" || op.OperationID != "trigger-subscription" && op.OperationID != "start-operation") { // the 202 belongs to a posted event, not to a read operation
						answered = true
						d.compare(t, "answer", response.Content, known.answer)
					}
				}
				if !answered {
					t.Error("the document has no answer")
				}
			})
		}
	}
}

// record returns the request that a call sends.
func record(t *testing.T, call func(context.Context, *client.Client) error) *http.Request {
	t.Helper()
	var sent *http.Request
	c, err := client.New(client.Config{URL: "http://api.example.com/", Key: "sbk_x", HTTP: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		sent = r
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{}`))}, nil
	})}})
	if err != nil {
		t.Fatal(err)
	}
	if call == nil {
		t.Fatal("there is no call of it in this test")
	}
	if err := call(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if sent.Header.Get("Authorization") != "Bearer sbk_x" {
		t.Errorf("Authorization %q", sent.Header.Get("Authorization"))
	}
	return sent
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// compare compares the schema of a body with the Go type of a value.
func (d document) compare(t *testing.T, what string, content map[string]media, value any) {
	t.Helper()
	described, ok := content["application/json"]
	if !ok || value == nil {
		if ok != (value != nil) {
			t.Errorf("%s: the document has one: %v", what, ok)
		}
		return
	}
	d.within(t, what, described.Schema, reflect.TypeOf(value))
}

// within checks that a Go type has every member of the schema, with a type that can hold it.
func (d document) within(t *testing.T, at string, s schema, typ reflect.Type) {
	t.Helper()
	if s.Ref != "" {
		if strings.Count(at, ".problem") > 1 {
			return // a batch's results contain problems, which contain results
		}
		s = d.Components.Schemas[s.Ref[strings.LastIndex(s.Ref, "/")+1:]]
	}
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if s.Items != nil && typ.Kind() == reflect.Slice {
		d.within(t, at+"[]", *s.Items, typ.Elem())
	}
	if s.Properties == nil || typ.Kind() == reflect.Map || typ.Kind() == reflect.Interface {
		return
	}
	if typ.Kind() != reflect.Struct {
		t.Errorf("%s is a %s", at, typ)
		return
	}
	members := membersOf(typ)
	for name, property := range s.Properties {
		if to := renamed[name]; members[name] == nil && to != "" {
			name = to
		}
		if member, ok := members[name]; ok {
			d.within(t, at+"."+name, property, member)
			delete(members, name)
		} else if !slices.Contains(ofProblems, name) || !strings.HasSuffix(at, ".problem") {
			t.Errorf("%s.%s has no field of %s", at, name, typ)
		}
	}
	for name := range members {
		if !slices.Contains(ofAnswers, name) {
			t.Errorf("%s.%s is in %s and not in the document", at, name, typ)
		}
	}
}

// renamed are members that the API will soon call by the other name.
var renamed = map[string]string{"maximum_stretch": "maximum_interval_factor"}

// ofProblems are members of a problem that repeat its status, which the client has.
var ofProblems = []string{"type", "title"}

// ofAnswers are members of some answers, whose types are also used for others or for bodies.
var ofAnswers = []string{"secrets", "public_keys", "searched_to", "id", "state", "state_reason", "state_since", "state_by", "version", "created_at", "updated_at", "unreadable"}

// membersOf lists the fields of a struct by their JSON names.
func membersOf(typ reflect.Type) map[string]reflect.Type {
	members := map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(typ) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			members[name] = field.Type
		}
	}
	return members
}
