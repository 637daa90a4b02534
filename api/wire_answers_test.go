package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// wireSteps are calls to one API, in this order. {id} stands for the subscription from the first
// step.
var wireSteps = []struct{ name, key, call, body string }{
	{"a subscription, as small as can be", integratorKey, "POST /v1/subscriptions", `{"tenant":"acme","name":"small","events":["ticket.*"],"request":{"url":"https://example.com/hook"}}`},
	{"get it", integratorKey, "GET /v1/subscriptions/{id}", ""},
	{"change its name, headers, retry and filter", integratorKey, "PATCH /v1/subscriptions/{id}", `{"version":1,"name":"new","request":{"headers":{"X-Env":"prod","X-Api-Key":"hunter2"}},"retry":{"maximum_attempts":3},"filter":{"data":{"vip":true}}}`},
	{"send back what was masked", integratorKey, "PATCH /v1/subscriptions/{id}", `{"version":2,"request":{"headers":{"X-Env":"test","X-Api-Key":"[redacted]"}}}`},
	{"a timeout alone is fixed", integratorKey, "PATCH /v1/subscriptions/{id}", `{"version":3,"timeout":"3s"}`},
	{"remove the filter", integratorKey, "PATCH /v1/subscriptions/{id}", `{"version":4,"filter":null}`},
	{"give it auth", integratorKey, "PATCH /v1/subscriptions/{id}", `{"version":5,"auth":{"type":"basic","username":"joe","password":"hunter2"}}`},
	{"another type of auth starts afresh", integratorKey, "PATCH /v1/subscriptions/{id}", `{"version":6,"auth":{"type":"bearer","token":"hunter2"}}`},
	{"another scheme makes another secret", integratorKey, "PATCH /v1/subscriptions/{id}", `{"version":7,"signature":{"scheme":"hmac-sha256-hex","prefix":"sha256="}}`},
	{"rotate the secret", integratorKey, "POST /v1/subscriptions/{id}/rotate_secret", `{"grace":"1h"}`},
	{"verify one that is active", integratorKey, "POST /v1/subscriptions/{id}/verify", ""},
	{"preview it", integratorKey, "POST /v1/subscriptions/{id}/preview", `{"type":"ticket.created","data":{"a":1}}`},
	{"match it", integratorKey, "POST /v1/subscriptions/{id}/match", `{"type":"ticket.created","data":{"a":1}}`},
	{"list as a viewer", viewerKey, "GET /v1/subscriptions?limit=1&tenant=acme", ""},
	{"an old version", integratorKey, "PATCH /v1/subscriptions/{id}", `{"version":1,"name":"x"}`},
	{"a secret that would go elsewhere", integratorKey, "PATCH /v1/subscriptions/{id}", `{"version":9,"request":{"url":"https://elsewhere.example.org/"}}`},
	{"an unknown member, deep", integratorKey, "PATCH /v1/subscriptions/{id}", `{"version":9,"request":{"envelope":{"idd":"x"}}}`},
	{"a wrong type, deep", integratorKey, "PATCH /v1/subscriptions/{id}", `{"version":9,"retry":{"maximum_attempts":"many"}}`},
	{"everything", integratorKey, "POST /v1/subscriptions", `{"tenant":"acme","name":"all","use_case":"contact","events":["a","b.*"],"filter":{"data":{"x":{"$gt":5}}},
		"request":{"method":"put","url":"https://example.com/a?b=c","body":"params","params":{"a":"{{ b }}","n":1.50},"missing":"empty","content_type":"text/xml; charset=utf-8","http_version":"1.1",
			"xml":{"root":"r","attributes":true,"elements":["e"],"json":["j"]},"soap":{"version":"1.1","action":"urn:a","namespace":"urn:n","elements":"unqualified","parameters":{"p":"q"}},"headers":{"X-A":"1"}},
		"signature":{"scheme":"standard-ed25519"},"auth":{"type":"oauth2","token_url":"https://id.example.com/token","client_id":"me","client_secret":"hunter2","scopes":["s"],"parameters":{"audience":"a","api_key":"hunter2"}},
		"verification":"none","retry":{"initial_interval":"12h","backoff_coefficient":1.5,"maximum_interval":"24h","maximum_attempts":4},"timeout":"8s","adaptive":{"enabled":true,"minimum_timeout":"2s","minimum_attempts":2},"max_in_flight":1}`},
	{"an envelope", integratorKey, "POST /v1/subscriptions", `{"tenant":"acme","name":"env","events":["*"],"request":{"url":"https://example.com/","envelope":{"id":"i","type":"t","timestamp":"at","data":"d","vendor_type":true,"time_format":"unix"}},"auth":{"type":"api_key","header":"X-Key","value":"hunter2"},"adaptive":{"enabled":false}}`},
	{"a platform's profile", integratorKey, "POST /v1/subscriptions", `{"tenant":"acme","name":"ziwo","profile":"Ziwo","events":["*"],"request":{"url":"https://example.com/"}}`},
	{"preview what is not stored", integratorKey, "POST /v1/preview", `{"subscription":{"request":{"url":"https://example.com/{{ a }}","method":"GET","body":"params","params":{"q":"{{ a }}"}},"signature":{"scheme":"none"}},"data":{"a":1}}`},
	{"match what is not stored", integratorKey, "POST /v1/match", `{"subscription":{"events":["ticket.*"],"filter":{"data":{"a":2}}},"type":"ticket.created","data":{"a":1}}`},
	{"unknown name of a platform", integratorKey, "POST /v1/subscriptions", `{"tenant":"acme","name":"n","profile":"nobody","events":["*"],"request":{"url":"https://example.com/"}}`},
	{"name missing", integratorKey, "POST /v1/subscriptions", `{"tenant":"acme","events":["*"],"request":{"url":"https://example.com/"}}`},
	{"url missing", integratorKey, "POST /v1/subscriptions", `{"tenant":"acme","name":"n","events":["*"],"request":{}}`},
	{"bad timeout", integratorKey, "POST /v1/subscriptions", `{"tenant":"acme","name":"n","events":["*"],"request":{"url":"https://example.com/"},"timeout":"1ms"}`},
	{"bad JSON", integratorKey, "POST /v1/subscriptions", `{"tenant":`},
	{"not allowed", viewerKey, "POST /v1/subscriptions", `{}`},
	{"another tenant's", acmeIntegratorKey, "GET /v1/subscriptions/sub_globex", ""},
	{"no key", "", "GET /v1/subscriptions", ""},
	{"post an event", publisherKey, "POST /v1/events", `{"tenant":"acme","type":"ticket.created","id":"mine","key":"k","data":{"a":1}}`},
	{"post it again", publisherKey, "POST /v1/events", `{"tenant":"acme","type":"ticket.created","id":"mine","key":"k","data":{"a":1}}`},
	{"post another under its id", publisherKey, "POST /v1/events", `{"tenant":"acme","type":"ticket.created","id":"mine","data":{"a":2}}`},
	{"post a batch", publisherKey, "POST /v1/events/batch", `{"events":[{"tenant":"acme","type":"ticket.created","id":"second","data":1},{"tenant":"acme","data":1}]}`},
	{"get an event", viewerKey, "GET /v1/events/mine", ""},
	{"list events", viewerKey, "GET /v1/events?limit=1", ""},
	{"get a delivery", supportKey, "GET /v1/deliveries/dlv_frozen", ""},
	{"list deliveries", supportKey, "GET /v1/deliveries?limit=1", ""},
	{"retry one that has failed", supportKey, "POST /v1/deliveries/dlv_globex/retry", `{"reason":"r"}`},
	{"cancel one", supportKey, "POST /v1/deliveries/dlv_acme/cancel", `{"reason":"r"}`},
	{"create a key", adminKey, "POST /v1/keys", `{"name":"CRM backend","role":"publisher","tenant":"acme"}`},
	{"list keys", adminKey, "GET /v1/keys", ""},
	{"revoke a key", adminKey, "DELETE /v1/keys/key_globex?reason=r", ""},
	{"platforms", viewerKey, "GET /v1/platforms", ""},
	{"an event type", viewerKey, "GET /v1/event_types/ziwo/agent.logged_in", ""},
}

// TestWireFormatOfAnswers makes calls and compares the answers with the recorded ones: every
// recorded member must still have its value. New members are allowed. Ids, times, secrets and the
// wording of problems are not compared.
func TestWireFormatOfAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) {
		c.Store = wireStore{c.Store}
		c.TemporalUI = "http://127.0.0.1:8233"
	})
	var then map[string]json.RawMessage
	if !*freeze {
		then = answersOfThen(t)
	}
	var now strings.Builder
	id := ""
	for _, step := range wireSteps {
		method, path, _ := strings.Cut(step.call, " ")
		got := b.call(t, step.key, method, strings.Replace(path, "{id}", id, 1), step.body)
		body := &bytes.Buffer{}
		if err := json.Indent(body, got.body, "", " "); err != nil {
			t.Fatalf("%s: %v: %s", step.name, err, got.body)
		}
		if id == "" {
			var made struct{ ID string }
			if err := json.Unmarshal(got.body, &made); err != nil || made.ID == "" {
				t.Fatalf("no subscription was made: %s", got.body)
			}
			id = made.ID
		}
		text := comparable(strings.TrimSpace(body.String()))
		fmt.Fprintf(&now, "# %s\n# %s %d\n%s\n\n", step.name, step.call, got.status, text)
		if *freeze {
			continue
		}
		var was, is any
		if err := json.Unmarshal(then[fmt.Sprintf("%s %d", step.name, got.status)], &was); err != nil {
			t.Errorf("%s: answered %d now: %s", step.name, got.status, got.body)
			continue
		}
		if err := json.Unmarshal([]byte(text), &is); err != nil {
			t.Fatal(err)
		}
		for _, difference := range missing(step.name, was, is) {
			t.Error(difference)
		}
	}
	if *freeze {
		if err := os.WriteFile(frozenAnswers, []byte(now.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	// changing is what differs between runs: ids, secrets, keys and signatures, and times.
	changing = regexp.MustCompile(`"((?:evt|sub|dlv|att|key|req|whsec|whpk|sbk)_|v1a?,|sha256=)[^"\\]*`)
	cursors  = regexp.MustCompile(`"next_cursor": "[^"]*"`)
	numbers  = regexp.MustCompile(`"(?:[0-9]{10}|[0-9a-f]{64})"`)
	times    = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z`)
	// lists are lists of texts and numbers, which are written on one line.
	lists = regexp.MustCompile(`\[\s+[^\[\]{}]*\]`)
	blank = regexp.MustCompile(`\s+`)
	agent = regexp.MustCompile(`Switchboard/[0-9.]+`)
)

// comparable writes an answer in a form that can be read in a diff and compared with another run's.
func comparable(answer string) string {
	answer = numbers.ReplaceAllString(changing.ReplaceAllString(answer, `"$1…`), `"…"`)
	answer = agent.ReplaceAllString(answer, "Switchboard/…")
	answer = cursors.ReplaceAllString(times.ReplaceAllString(answer, "<time>"), `"next_cursor": "…"`)
	return lists.ReplaceAllStringFunc(answer, func(list string) string { return blank.ReplaceAllString(list, " ") })
}

// answersOfThen reads the recorded answers, by step and status.
func answersOfThen(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	answers := map[string]json.RawMessage{}
	text := "\n\n" + strings.Join(linesOf(t, frozenAnswers), "\n")
	for _, part := range strings.Split(text, "\n\n# ")[1:] {
		name, rest, _ := strings.Cut(part, "\n# ")
		call, body, _ := strings.Cut(rest, "\n")
		answers[name+call[strings.LastIndex(call, " "):]] = json.RawMessage(body)
	}
	return answers
}

// renamedMembers are the words of the glossary.
var renamedMembers = map[string]string{"stretch": "interval_factor", "maximum_stretch": "maximum_interval_factor", "run_id": "temporal_run_id"}

// prose are the members whose text is for people: their wording may change.
var prose = []string{"detail", "message", "text", "ending", "warnings", "description"}

// missing lists recorded members that are missing or have another value.
func missing(at string, was, is any) []string {
	var found []string
	switch was := was.(type) {
	case map[string]any:
		now, _ := is.(map[string]any)
		for name, value := range was {
			got, there := now[name]
			if renamed := renamedMembers[name]; !there && renamed != "" {
				got, there = now[renamed]
			}
			switch {
			case !there:
				found = append(found, fmt.Sprintf("%s.%s is gone; it was %v", at, name, value))
			case slices.Contains(prose, name):
			default:
				found = append(found, missing(at+"."+name, value, got)...)
			}
		}
	case []any:
		now, _ := is.([]any)
		now = slices.DeleteFunc(slices.Clone(now), func(entry any) bool { // a platform that was added
			platform, _ := entry.(map[string]any)
			return at == "platforms.data" && platform["name"] == switchboard.OperationalPlatform
		})
		if len(now) != len(was) {
			return []string{fmt.Sprintf("%s has %d entries; it had %d", at, len(now), len(was))}
		}
		for i := range was {
			found = append(found, missing(fmt.Sprintf("%s[%d]", at, i), was[i], now[i])...)
		}
	default:
		if was != is {
			found = append(found, fmt.Sprintf("%s is %v; it was %v", at, is, was))
		}
	}
	return found
}

// wireStore has one delivery with known values for all members.
type wireStore struct{ Store }

func (s wireStore) Delivery(ctx context.Context, caller switchboard.Caller, id string) (switchboard.DeliveryDetail, error) {
	if id != "dlv_frozen" {
		return s.Store.Delivery(ctx, caller, id)
	}
	at := created.UTC()
	return switchboard.DeliveryDetail{
		Delivery: switchboard.Delivery{
			ID: id, Tenant: "acme", EventID: "evt_1", EventType: "ticket.created", SubscriptionID: "sub_1", Method: "POST", Host: "crm.example.com",
			State: switchboard.StateFailed, Reason: "http_410", AttemptsMade: 2, LastStatusCode: 410, LastFailure: switchboard.FailureHTTP4xx,
			CreatedAt: at, CompletedAt: at, Permanent: true, Generation: 2, PriorAttempts: 1, TemporalRunID: "0198-run",
		},
		Attempts: []switchboard.Attempt{
			{ID: "att_1", DeliveryID: id, Number: 1, At: at, Timeout: 5 * time.Second, Load: 0.253, MaxAttempts: 20, IntervalFactor: 1.253,
				Request: switchboard.SentRequest{Method: "POST", URL: "https://crm.example.com/hook?a=hunter2", Headers: map[string]string{"Authorization": "hunter2", "X-Env": "prod"}, Bytes: 612},
				Outcome: switchboard.Outcome{Failure: switchboard.FailureDNS, Detail: "no such host"}},
			{ID: "att_2", DeliveryID: id, Number: 2, At: at, Timeout: 10 * time.Second,
				Request: switchboard.SentRequest{Method: "POST", URL: "https://crm.example.com/hook", Bytes: 612},
				Outcome: switchboard.Outcome{StatusCode: 410, Failure: switchboard.FailureHTTP4xx, Detail: "410 Gone", Latency: 12 * time.Millisecond, Permanent: true, Requests: 2,
					Response: switchboard.Response{Headers: map[string]string{"Set-Cookie": "hunter2"}, Body: []byte{0xff, 0}, Truncated: true}}},
		},
		Actions: []switchboard.Action{{At: at, Actor: "key_1", KeyName: "support desk", Person: "marta@platform", Kind: switchboard.ActionRetry, Reason: "receiver fixed"}},
	}, nil
}
