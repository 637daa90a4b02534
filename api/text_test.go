package api

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
)

// TestCharacters: each text may have exactly as many characters as the document says, in any
// script.
func TestCharacters(t *testing.T) {
	t.Parallel()
	for _, letter := range []string{"a", "é", "票", "😀"} {
		b := seeded(t)
		for _, c := range []struct {
			name, call, before, after string
			most                      int
			field                     string
		}{
			{"reason", "POST /v1/deliveries/dlv_acme/retry", `{"reason":"`, `"}`, 500, "reason"},
			{"reason of a delete", "DELETE /v1/subscriptions/sub_globex?reason=", "", "", 500, "reason"},
			{"name of a key", "POST /v1/keys", `{"role":"viewer","name":"`, `"}`, 200, "name"},
			{"name of a subscription", "POST /v1/subscriptions", `{"tenant":"globex","events":["*"],` + okRequest + `,"name":"`, `"}`, 200, "name"},
			{"changed name", "PATCH /v1/subscriptions/sub_acme", `{"version":3,"name":"`, `"}`, 200, "name"},
			{"key of an event", "POST /v1/events", `{"tenant":"acme","type":"t","data":1,"key":"`, `"}`, 255, "key"},
			{"key of a trigger", "POST /v1/subscriptions/sub_acme/trigger", `{"data":1,"key":"`, `"}`, 255, "key"},
			{"description", "PUT /v1/event_types/acme/order.paid", `{"description":"`, `"}`, 2000, "description"},
			{"vendor's name", "PUT /v1/event_types/acme/order.paid", `{"vendor_name":"`, `"}`, 200, "vendor_name"},
			{"entity", "PUT /v1/event_types/acme/order.paid", `{"entity":"`, `"}`, 200, "entity"},
			{"user name", "POST /v1/subscriptions", `{"tenant":"acme","name":"n","events":["*"],` + okRequest + `,"auth":{"type":"basic","username":"`, `"}}`, 1024, "auth.username"},
			{"url", "POST /v1/subscriptions", `{"tenant":"acme","name":"n","events":["*"],"request":{"url":"https://e.org/`, `"}}`, 2048 - len("https://e.org/"), "request.url"},
			{"text", "GET /v1/deliveries?text=", "", "", 200, "text"},
		} {
			method, path, _ := strings.Cut(c.call, " ")
			send := func(count int) answer {
				text := strings.Repeat(letter, count)
				if method == "GET" || method == "DELETE" {
					return b.call(t, adminKey, method, path+escaped(text), nil)
				}
				return b.call(t, adminKey, method, path, b.numbered(c.before)+text+c.after)
			}
			p := send(c.most+1).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, c.field)
			if strings.Contains(p.Detail, "bytes") {
				t.Errorf("%s: %s", c.name, p.Detail)
			}
			if got := send(c.most); got.status >= 300 {
				t.Errorf("%s of %d %s: %d %s", c.name, c.most, letter, got.status, got.body)
			}
		}
	}
}

// escaped is the text in a query string.
func escaped(text string) string {
	var b strings.Builder
	const hex = "0123456789ABCDEF"
	for i := range len(text) {
		b.WriteString("%" + string(hex[text[i]>>4]) + string(hex[text[i]&15]))
	}
	return b.String()
}

// TestHalfPairs: half of a surrogate pair is not text, in any place.
func TestHalfPairs(t *testing.T) {
	t.Parallel()
	b := seeded(t)
	for _, c := range []struct{ call, body, field string }{
		{"POST /v1/events", `{"tenant":"acme","type":"t","data":1,"key":"a%sb"}`, "key"},
		{"POST /v1/events", `{"tenant":"acme","type":"t","data":1,"id":"a%sb"}`, "id"},
		{"POST /v1/events", `{"tenant":"acme%s","type":"t","data":1}`, "tenant"},
		{"POST /v1/subscriptions", `{"tenant":"acme","events":["*"],` + okRequest + `,"name":"a%s"}`, "name"},
		{"POST /v1/subscriptions", newSubscriptionWith(`"request":{"url":"https://example.com/","headers":{"X-A":"%s"}}`), "request.headers"},
		{"POST /v1/subscriptions", newSubscriptionWith(`"request":{"url":"https://example.com/","headers":{"X-%s":"a"}}`), "request.headers"},
		{"POST /v1/subscriptions", newSubscriptionWith(`"request":{"url":"https://example.com/","body":"params","params":{"a":["%s"]}}`), "request.params"},
		{"POST /v1/subscriptions", newSubscriptionWith(okRequest + `,"filter":{"data":{"a":"%s"}}`), "filter"},
		{"POST /v1/subscriptions", newSubscriptionWith(okRequest + `,"auth":{"type":"bearer","token":"a%s"}`), "auth.token"},
		{"PATCH /v1/subscriptions/sub_acme", `{"version":3,"name":"%s"}`, "name"},
		{"POST /v1/keys", `{"name":"n%s","role":"viewer"}`, "name"},
		{"POST /v1/deliveries/dlv_acme/retry", `{"reason":"%s"}`, "reason"},
		{"POST /v1/subscriptions/sub_acme/trigger", `{"data":1,"key":"%s"}`, "key"},
		{"PUT /v1/event_types/acme/order.paid", `{"description":"%s"}`, "description"},
		{"PUT /v1/event_types/acme/order.paid", `{"schema":{"const":"%s"}}`, "schema"},
		{"POST /v1/subscriptions/sub_acme/match", `{"data":1,"key":"%s"}`, "key"},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		for _, half := range []string{`\ud800`, `\udbff`, `\udc00`, `\uDFFF`, `\ud83d\u0041`, `\ud83d\ud83d\ude00`, `\ude00\ud83d`, `\\\ud83d`} {
			p := b.call(t, adminKey, method, path, strings.ReplaceAll(c.body, "%s", half)).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, c.field)
			if !strings.Contains(p.Detail, "half of a surrogate pair") {
				t.Errorf("%s of %s: %s", half, c.field, p.Detail)
			}
		}
	}
	for _, whole := range []string{`\ud83d\ude00`, `\uD83D\uDE00`, `\\ud83d`, `\ufffd`, `\ud7ff`, `\ue000`, `\u0041\ud83d\ude00\u0042`, "😀"} {
		b.call(t, adminKey, "POST", "/v1/events", `{"tenant":"acme","type":"t","data":1,"key":"`+whole+`"}`).want(t, http.StatusAccepted)
		if key := b.lastEvent(t).Key; !utf8.ValidString(key) || whole != `\ufffd` && strings.Contains(key, "\ufffd") {
			t.Errorf("%s became %q", whole, key)
		}
	}
}

// TestHalfPairsInData: data are stored unchanged, and the answer says what others read.
func TestHalfPairsInData(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const data = `{"text":"cut \ud83d"}`
	const event = `{"tenant":"acme","type":"t","data":` + data + `}`
	batch := b.call(t, adminKey, "POST", "/v1/events/batch", `{"events":[`+event+`]}`).want(t, http.StatusAccepted)
	for name, got := range map[string]map[string]any{
		"posted":    b.call(t, adminKey, "POST", "/v1/events", event).want(t, http.StatusAccepted),
		"of batch":  batch["results"].([]any)[0].(map[string]any),
		"triggered": b.call(t, adminKey, "POST", "/v1/subscriptions/sub_acme/trigger", `{"data":`+data+`}`).want(t, http.StatusAccepted),
		"tested":    b.call(t, adminKey, "POST", "/v1/subscriptions/sub_acme/test", `{"data":`+data+`}`).want(t, http.StatusAccepted),
	} {
		if warnings := asList(got["warnings"]); len(warnings) != 1 || !strings.Contains(warnings[0].(string), "half of a surrogate pair") {
			t.Errorf("%s: warnings %v", name, got["warnings"])
		}
	}
	for _, e := range b.events(t) {
		if string(e.Data) != data {
			t.Errorf("stored %s", e.Data)
		}
	}
}

// TestTimesInBodies: an invalid or zero time is refused, not replaced.
func TestTimesInBodies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for at, want := range map[string]string{
		`"2026-01-31T12:00:00Z"`:      "2026-01-31 12:00:00 +0000 UTC",
		`"2026-01-31t12:00:00z"`:      "2026-01-31 12:00:00 +0000 UTC",
		`"2026-01-31T12:00:00-23:59"`: "2026-02-01 11:59:00 +0000 UTC",
		`"2016-12-31T23:59:60Z"`:      "2016-12-31 23:59:59.999999 +0000 UTC",
		`"0001-01-01T00:00:01Z"`:      "0001-01-01 00:00:01 +0000 UTC",
		`"2026-01-31T12:00:00\u005a"`: "2026-01-31 12:00:00 +0000 UTC",
		`null`:                        "2026-01-31 11:00:00 +0000 UTC", // when it was accepted
	} {
		b.db.setClock(created)
		accepted := b.call(t, adminKey, "POST", "/v1/events", `{"tenant":"acme","type":"t","data":1,"occurred_at":`+at+`}`).want(t, http.StatusAccepted)
		e, _, err := b.db.Event(t.Context(), anybody(), "acme", b.id(accepted["id"].(string)))
		must(t, err)
		if got := e.OccurredAt.String(); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
	for _, at := range []string{
		`"0001-01-01T00:00:00Z"`, `"0001-01-01T01:00:00+01:00"`, `"0001-01-01T00:00:00.0000001Z"`, `"2026-01-31T12:00:00+24:00"`, `"2026-01-31T12:00:00,5Z"`,
		`"2016-06-15T12:00:60Z"`, `"2026-01-31 12:00:00Z"`, `"2026-02-30T12:00:00Z"`, `"1769860800"`, `1769860800`, `""`, `{}`,
	} {
		b.before = b.db.fingerprint(t)
		b.call(t, adminKey, "POST", "/v1/events", `{"tenant":"acme","type":"t","data":1,"occurred_at":`+at+`}`).
			wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "occurred_at")
		b.call(t, adminKey, "POST", "/v1/keys", `{"name":"n","role":"viewer","expires_at":`+at+`}`).
			wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "expires_at")
		if b.stored(t) {
			t.Errorf("%s: something was stored", at)
		}
	}
}
