package switchboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// subscription returns a valid one with its defaults.
func subscription() Subscription {
	s := Subscription{
		Tenant: "acme", Name: "CRM sync", Events: []string{"ticket.*", "customer.created"},
		Request: Request{URL: "https://crm.example.com/hook", Headers: map[string]string{"X-Env": "prod"}},
	}
	s.SetDefaults()
	return s
}

// field returns the field that an error refuses as invalid; empty for nil.
func field(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != CodeInvalid || e.Field == "" || e.Message == "" {
		t.Fatalf("%v; want an invalid field", err)
	}
	return e.Field
}

func TestSubscriptionDefaults(t *testing.T) {
	t.Parallel()
	want := Subscription{
		Tenant: "acme", Name: "CRM sync", Events: []string{"ticket.*", "customer.created"},
		Request: Request{
			Method: "POST", URL: "https://crm.example.com/hook", Body: BodyEnvelope,
			Headers: map[string]string{"X-Env": "prod"}, ContentType: "application/json", HTTPVersion: HTTPVersionAuto,
		},
		Signature: Signature{Scheme: "standard"}, Verification: VerificationNone,
		Retry:   RetryPolicy{InitialInterval: Duration(5 * time.Second), BackoffCoefficient: 3, MaximumInterval: Duration(4 * time.Hour), MaxAttempts: 38},
		Timeout: Duration(10 * time.Second), MaxInFlight: 16, State: SubscriptionActive,
		Ordering: OrderingNone, HoldFor: Duration(30 * 24 * time.Hour), ReleaseRate: 50,
		Breaker: Breaker{Mode: BreakerAuto, MinimumAttempts: 10, FailurePercent: 70, Window: Duration(5 * time.Minute), FailuresInARow: 10, DisableAfter: Duration(120 * time.Hour)},
	}
	got := subscription()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	again := got
	again.SetDefaults()
	if diff := cmp.Diff(got, again); diff != "" {
		t.Errorf("setting the defaults again changes them:\n%s", diff)
	}
	// A long first interval alone must not contradict the default maximum.
	s := Subscription{Tenant: "acme", Name: "x", Events: []string{"*"}, Request: Request{URL: "http://a.test", Method: "put"}, Retry: RetryPolicy{InitialInterval: Duration(24 * time.Hour)}}
	s.SetDefaults()
	if err := s.Validate(); err != nil || s.Retry.MaximumInterval != s.Retry.InitialInterval || s.Request.Method != "PUT" {
		t.Errorf("%+v: %v", s, err)
	}
}

// TestEveryDefaultIsRead: a default that cannot be read would leave its member zero.
func TestEveryDefaultIsRead(t *testing.T) {
	t.Parallel()
	s := Subscription{}
	s.SetDefaults()
	var check func(v reflect.Value, path string) int
	check = func(v reflect.Value, path string) (seen int) {
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Tag.Get("default")+field.Tag.Get("default_duration") != "" {
				seen++
				if v.Field(i).IsZero() {
					t.Errorf("%s.%s has no default", path, field.Name)
				}
			}
			if field.Type.Kind() == reflect.Struct {
				seen += check(v.Field(i), path+"."+field.Name)
			}
		}
		return seen
	}
	if seen := check(reflect.ValueOf(s), "Subscription"); seen < 10 {
		t.Errorf("%d defaults were looked at", seen)
	}
}

// TestDocument: it has what was given and nothing else, with secrets masked, and is read as it was
// written.
func TestDocument(t *testing.T) {
	t.Parallel()
	s := Subscription{ID: "sub_1", Tenant: "acme", Name: "n", Events: []string{"*"}, Request: Request{URL: "https://a.test/"}, State: SubscriptionActive, Version: 3}
	got, err := s.Document()
	if want := `{"name":"n","events":["*"],"request":{"url":"https://a.test/"},"adaptive":{"enabled":false}}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	s.Request.Headers = Headers{"Authorization": "hunter2", "X-Env": "prod"}
	s.Secrets = []SigningSecret{{Secret: "hunter2"}}
	s.Auth = Auth{Type: AuthOAuth2, Password: "hunter2", Token: "hunter2", Value: "hunter2", ClientSecret: "hunter2", PrivateKey: "hunter2",
		Parameters: Parameters{"api_key": "hunter2", "audience": "a"}}
	got, err = s.Document()
	if text := string(got); err != nil || strings.Contains(text, "hunter2") || strings.Count(text, Mask) != 7 || !strings.Contains(text, "prod") || !strings.Contains(text, `"audience":"a"`) {
		t.Errorf("got %s, %v", got, err)
	}
	revealed, err := json.Marshal(s.Auth.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	var read Auth
	if err := json.Unmarshal(revealed, &read); err != nil || !reflect.DeepEqual(read, s.Auth) {
		t.Errorf("read %s: %v", revealed, err)
	}
}

func TestSubscriptionValidate(t *testing.T) {
	t.Parallel()
	good := map[string]func(*Subscription){
		"as it is":      func(*Subscription) {},
		"every event":   func(s *Subscription) { s.Events = []string{"*"} },
		"data":          func(s *Subscription) { s.Request.Body = BodyData },
		"odd method":    func(s *Subscription) { s.Request.Method = "PURGE" },
		"port, query":   func(s *Subscription) { s.Request.URL = "http://crm.example.com:65535/a%20b?c=d&e" },
		"IPv6":          func(s *Subscription) { s.Request.URL = "http://[2001:db8::1]:8080" },
		"shortest time": func(s *Subscription) { s.Timeout = MinTimeout },
		"longest time":  func(s *Subscription) { s.Timeout = MaxTimeout },
		"credentials": func(s *Subscription) {
			s.Request.Headers = map[string]string{"Authorization": "Bearer x", "X-Empty": ""}
		},
		"charset": func(s *Subscription) { s.Request.ContentType = "application/json; charset=utf-8" },
		"paused":  func(s *Subscription) { s.State = SubscriptionPaused },
	}
	for name, change := range good {
		s := subscription()
		change(&s)
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for field, changes := range badSubscriptions() {
		for i, change := range changes {
			s := subscription()
			change(&s)
			err := s.Validate()
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeInvalid || e.Field != field || e.Message == "" {
				t.Errorf("%s, case %d: %v; want that field to be invalid", field, i, err)
			}
		}
	}
}

// badSubscriptions returns, by the wrong field, changes that make a subscription invalid.
func badSubscriptions() map[string][]func(*Subscription) {
	bad := map[string][]func(*Subscription){}
	add := func(field string, changes ...func(*Subscription)) { bad[field] = append(bad[field], changes...) }

	add("tenant", func(s *Subscription) { s.Tenant = "" }, func(s *Subscription) { s.Tenant = "a/b" })
	for _, name := range []string{"", "  ", strings.Repeat("a", MaxName+1), "a\nb", "a\x00"} {
		add("name", func(s *Subscription) { s.Name = name })
	}
	for _, pattern := range []string{"", "ticket.", "*.created", "ticket.*.x", "tick*", "a b", "**", "ticket.*\n", strings.Repeat("a", MaxEventType+1)} {
		add("events", func(s *Subscription) { s.Events = []string{"ok", pattern} })
	}
	add("events", func(s *Subscription) { s.Events = nil }, func(s *Subscription) {
		s.Events = make([]string, MaxEvents+1)
		for i := range s.Events {
			s.Events[i] = fmt.Sprintf("e%d", i)
		}
	})
	for _, method := range []string{"", "post", "GET /", "POST\r\n", "CONNECT", "TRACE", strings.Repeat("A", 21), "P1"} {
		add("request.method", func(s *Subscription) { s.Request.Method = method })
	}
	for _, url := range []string{
		"", "crm.example.com", "//crm.example.com", "ftp://a.test", "file:///etc/passwd", "javascript:alert(1)", "http://", "https:///path", "http://:80",
		"http://user@a.test", "http://user:pw@a.test", "http://a.test/#x", "http://a.test#", "http://a b.test", "http://a.test/\r\nX: y", "http://a.test/\x00",
		"http://a.test:port", "http://a.test:0", "http://a.test:65536", "http://[::1", "http://a.test/%zz", "http://a.test/" + strings.Repeat("a", MaxURL),
	} {
		add("request.url", func(s *Subscription) { s.Request.URL = url })
	}
	add("request.body", func(s *Subscription) { s.Request.Body = "" }, func(s *Subscription) { s.Request.Body = "xml" })
	for _, contentType := range []string{"", "json", "a/b\r\nX: y", " a/b"} {
		add("request.content_type", func(s *Subscription) { s.Request.ContentType = contentType })
	}
	headers := func(name, value string) func(*Subscription) {
		return func(s *Subscription) { s.Request.Headers = map[string]string{name: value} }
	}
	for _, name := range []string{"", "a b", "a:b", "a\r\nb", "é", "a\x00", strings.Repeat("a", maxFieldName+1)} {
		add("request.headers", headers(name, "x"))
	}
	add("request.headers", func(s *Subscription) {
		for i := range MaxHeaders + 1 {
			s.Request.Headers[fmt.Sprintf("X-%d", i)] = "x"
		}
	})
	for _, name := range []string{
		"Host", "host", "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "TE", "Trailer", "Connection", "Keep-Alive", "Upgrade", "Expect",
		"Accept-Encoding", "Idempotency-Key", "x-idempotency-key", "Proxy-Authorization", "Webhook-Id", "webhook-timestamp", "WEBHOOK-SIGNATURE", "Webhook-Anything",
	} {
		add("request.headers."+name, headers(name, "x"))
	}
	for _, value := range []string{"a\nb", "a\rb", "a\x00b", " a", "a ", "\t", "a\x7f", strings.Repeat("a", MaxHeaderValue+1)} {
		add("request.headers.X-A", headers("X-A", value))
	}
	add("timeout", func(s *Subscription) { s.Timeout = -1 }, func(s *Subscription) { s.Timeout = 1 }, func(s *Subscription) { s.Timeout = MaxTimeout + 1 })
	add("max_in_flight", func(s *Subscription) { s.MaxInFlight = -1 }, func(s *Subscription) { s.MaxInFlight = MaxMaxInFlight + 1 })
	add("state", func(s *Subscription) { s.State = "off" })
	add("retry.initial_interval", func(s *Subscription) { s.Retry.InitialInterval = -1 }, func(s *Subscription) { s.Retry.InitialInterval = maxInterval + 1 })
	for _, coefficient := range []float64{-1, 0.5, 10.5, math.NaN(), math.Inf(1)} {
		add("retry.backoff_coefficient", func(s *Subscription) { s.Retry.BackoffCoefficient = coefficient })
	}
	add("retry.maximum_interval", func(s *Subscription) { s.Retry.MaximumInterval = Duration(time.Second) }, func(s *Subscription) { s.Retry.MaximumInterval = maxInterval + 1 })
	add("retry.maximum_attempts", func(s *Subscription) { s.Retry.MaxAttempts = -1 }, func(s *Subscription) { s.Retry.MaxAttempts = maxMaximumAttempts + 1 })
	return bad
}

func TestSameHeaderTwice(t *testing.T) {
	t.Parallel()
	s := subscription()
	s.Request.Headers = map[string]string{"X-Env": "a", "x-env": "b"}
	if e, ok := errors.AsType[*Error](s.Validate()); !ok || !strings.EqualFold(e.Field, "request.headers.X-Env") {
		t.Errorf("%v; want the header to be given twice", e)
	}
}

func TestWants(t *testing.T) {
	t.Parallel()
	s := Subscription{Events: []string{"ticket.*", "customer.created", "Object.*", "CallRang"}}
	for eventType, want := range map[string]bool{
		"ticket.created": true, "ticket.status.changed": true, "ticket": false, "ticket.": true, "tickets.created": false,
		"customer.created": true, "customer.created.twice": false, "customer": false, "": false,
		"Ticket.created": true, "TICKET.Status.changed": true, "Ticket": false, "Tick": false, "Customer.Created": true, "customer.createD.twice": false,
		"object.created": true, "Object.OnNew": true, "object": false, "objects.created": false, "callrang": true, "CALLRANG": true, "call_rang": false,
	} {
		if got := s.Wants(eventType); got != want {
			t.Errorf("%q: %t; want %t", eventType, got, want)
		}
	}
	all, none := Subscription{Events: []string{"*"}}, Subscription{}
	if !all.Wants("call.rang") || none.Wants("call.rang") {
		t.Error("* takes every type, and no pattern takes none")
	}
}
