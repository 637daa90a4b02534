package api

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/seed-49a43567/switchboard"
)

func newSubscriptionWith(fields string) string {
	return `{"tenant":"acme","name":"n","events":["*"],` + fields + `}`
}

const okRequest = `"request":{"url":"https://example.com/"}`

// TestBadInput: each answer is a problem that names the field, and nothing is stored.
func TestBadInput(t *testing.T) {
	t.Parallel()
	const (
		evs     = "POST /v1/events"
		batch   = "POST /v1/events/batch"
		subs    = "POST /v1/subscriptions"
		sub     = "PATCH /v1/subscriptions/sub_acme"
		rotate  = "POST /v1/subscriptions/sub_acme/rotate_secret"
		test    = "POST /v1/subscriptions/sub_acme/test"
		retry   = "POST /v1/deliveries/dlv_acme/retry"
		keys    = "POST /v1/keys"
		listDlv = "GET /v1/deliveries"
		trigger = "POST /v1/subscriptions/sub_acme/trigger"
		wait    = trigger + "?wait="
		show    = "POST /v1/subscriptions/sub_acme/preview"
		showNew = "POST /v1/preview"
		match   = "POST /v1/subscriptions/sub_acme/match"
		newType = "PUT /v1/event_types/acme/order.paid"
		oldType = "PATCH /v1/event_types/iomnihub/ticket.created"
	)
	invalid, tooLarge := switchboard.CodeInvalid, switchboard.CodeTooLarge
	data := func(value string) string { return `{"tenant":"acme","type":"t","data":` + value + `}` }
	cases := []struct {
		name, call, body string
		status           int
		code             switchboard.Code
		field            string
	}{
		{"no body", evs, ``, 400, invalid, ""},
		{"white space", evs, " \n", 400, invalid, ""},
		{"not JSON", evs, `hunter2`, 400, invalid, ""},
		{"half an object", evs, `{"tenant":"acme"`, 400, invalid, ""},
		{"trailing garbage", evs, postedEvent + ` hunter2`, 400, invalid, ""},
		{"two values", evs, postedEvent + postedEvent, 400, invalid, ""},
		{"a byte order mark", evs, "\xef\xbb\xbf" + postedEvent, 400, invalid, ""},
		{"a control character in a string", evs, data("\"\x01\""), 400, invalid, ""},
		{"not an object", evs, `[]`, 422, invalid, ""},
		{"null", evs, `null`, 422, invalid, ""},
		{"unknown field", evs, `{"tenant":"acme","type":"t","data":1,"hunter":1}`, 422, invalid, "hunter"},
		{"field in another case", evs, `{"Tenant":"acme","type":"t","data":1}`, 422, invalid, "Tenant"},
		{"field given twice", evs, `{"tenant":"acme","tenant":"hunter2","type":"t","data":1}`, 422, invalid, "tenant"},
		{"field given twice, once escaped", evs, `{"tenant":"acme","\u0074enant":"hunter2","type":"t","data":1}`, 422, invalid, "tenant"},
		{"name null", subs, `{"tenant":"acme","name":null,"events":["*"],` + okRequest + `}`, 422, invalid, "name"},
		{"events null", subs, `{"tenant":"acme","name":"n","events":null,` + okRequest + `}`, 422, invalid, "events"},
		{"request null", subs, `{"tenant":"acme","name":"n","events":["*"],"request":null}`, 422, invalid, "request.url"},
		{"request null, with a profile", subs, `{"tenant":"acme","name":"n","profile":"ziwo","events":["*"],"request":null}`, 422, invalid, "request.url"},
		{"null in the list of events", subs, `{"tenant":"acme","name":"n","events":["*",null],` + okRequest + `}`, 422, invalid, "events"},
		{"null in a list of a change", sub, `{"version":3,"events":[null]}`, 422, invalid, "events"},
		{"null in a list of a change, deep", sub, `{"version":3,"request":{"xml":{"elements":["a",null]}}}`, 422, invalid, "request.xml.elements"},
		{"null in the scopes", sub, `{"version":3,"auth":{"type":"oauth2","scopes":[null]}}`, 422, invalid, "auth.scopes"},
		{"null in the use cases of an event type", newType, `{"use_cases":[null]}`, 422, invalid, "use_cases"},
		{"tenant missing", evs, `{"type":"t","data":1}`, 422, invalid, "tenant"},
		{"tenant null", evs, `{"tenant":null,"type":"t","data":1}`, 422, invalid, "tenant"},
		{"tenant a number", evs, `{"tenant":17,"type":"t","data":1}`, 422, invalid, "tenant"},
		{"tenant of the operators", evs, `{"tenant":"_operator","type":"t","data":1}`, 422, invalid, "tenant"},
		{"tenant of the operators, for a key", keys, `{"name":"n","role":"viewer","tenant":"_operator"}`, 422, invalid, "tenant"},
		{"type of Switchboard's own", evs, `{"tenant":"acme","type":"Switchboard.delivery.failed","data":1}`, 422, invalid, "type"},
		{"id of Switchboard's own", evs, `{"tenant":"acme","type":"t","data":1,"id":"switchboard.delivery.failed:dlv_1:1"}`, 422, invalid, "id"},
		{"id of Switchboard's own, triggered", trigger, `{"data":1,"id":"switchboard.delivery.failed:dlv_1:1"}`, 422, invalid, "id"},
		{"type missing", evs, `{"tenant":"acme","data":1}`, 422, invalid, "type"},
		{"type with a space", evs, `{"tenant":"acme","type":"hunter2 hunter2","data":1}`, 422, invalid, "type"},
		{"data missing", evs, `{"tenant":"acme","type":"t"}`, 422, invalid, "data"},
		{"data over the limit", evs, data(`"` + strings.Repeat("x", switchboard.DefaultMaxData-1) + `"`), 413, tooLarge, "data"},
		{"data far over the limit", evs, data(`"` + strings.Repeat("x", 2*switchboard.DefaultMaxData) + `"`), 413, tooLarge, "data"},
		{"data not UTF-8", evs, data("\"\xff\""), 422, invalid, "data"},
		{"key not UTF-8", evs, `{"tenant":"acme","type":"t","data":1,"key":"` + "\xff" + `"}`, 422, invalid, "key"},
		{"key with a NUL", evs, `{"tenant":"acme","type":"t","data":1,"key":"a\u0000"}`, 422, invalid, "key"},
		{"data too deep", evs, data(strings.Repeat("[", switchboard.MaxNesting+1) + strings.Repeat("]", switchboard.MaxNesting+1)), 422, invalid, "data"},
		{"a depth bomb", evs, data(strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000)), 400, invalid, ""},
		{"a depth bomb left open", evs, strings.Repeat(`{"a":`, 50_000), 400, invalid, ""},
		{"id with a slash", evs, `{"tenant":"acme","type":"t","data":1,"id":"../x"}`, 422, invalid, "id"},
		{"occurred_at before 1", evs, `{"tenant":"acme","type":"t","data":1,"occurred_at":"0001-01-01T00:00:00+01:00"}`, 422, invalid, "occurred_at"},
		{"occurred_at after 9999", evs, `{"tenant":"acme","type":"t","data":1,"occurred_at":"9999-12-31T23:59:59-01:00"}`, 422, invalid, "occurred_at"},
		{"occurred_at no time", evs, `{"tenant":"acme","type":"t","data":1,"occurred_at":"yesterday"}`, 422, invalid, "occurred_at"},

		{"batch missing", batch, `{}`, 422, invalid, "events"},
		{"batch empty", batch, `{"events":[]}`, 422, invalid, "events"},
		{"batch no list", batch, `{"events":{}}`, 422, invalid, "events"},
		{"batch over 1,000", batch, `{"events":[` + strings.Repeat(postedEvent+",", 1000) + postedEvent + `]}`, 413, tooLarge, "events"},
		{"batch not JSON", batch, `{"events":[` + postedEvent + `,]}`, 400, invalid, ""},

		{"url missing", subs, newSubscriptionWith(`"request":{}`), 422, invalid, "request.url"},
		{"request missing", subs, `{"tenant":"acme","name":"n","events":["*"]}`, 422, invalid, "request.url"},
		{"request no object", subs, newSubscriptionWith(`"request":"https://example.com"`), 422, invalid, "request"},
		{"unknown field in request", subs, newSubscriptionWith(`"request":{"uri":"x"}`), 422, invalid, "request.uri"},
		{"url not http", subs, newSubscriptionWith(`"request":{"url":"ftp://example.com/"}`), 422, invalid, "request.url"},
		{"url with credentials", subs, newSubscriptionWith(`"request":{"url":"https://joe:hunter2@example.com/"}`), 422, invalid, "request.url"},
		{"url forbidden", subs, newSubscriptionWith(`"request":{"url":"http://169.254.169.254/latest"}`), 422, invalid, "request.url"},
		{"header reserved", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","headers":{"host":"hunter2"}}`), 422, invalid, "request.headers.host"},
		{"header of ours", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","headers":{"Webhook-Id":"x"}}`), 422, invalid, "request.headers.Webhook-Id"},
		{"header with a line break", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","headers":{"X-A":"a\r\nX-B: b"}}`), 422, invalid, "request.headers.X-A"},
		{"header a number", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","headers":{"X-A":1}}`), 422, invalid, "request.headers"},
		{"header a mask", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","headers":{"X-A":"[redacted]"}}`), 422, invalid, "request.headers.X-A"},
		{"method unknown", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","method":"CONNECT"}`), 422, invalid, "request.method"},
		{"body unknown", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","body":"soap"}`), 422, invalid, "request.body"},
		{"scheme unknown", subs, newSubscriptionWith(okRequest + `,"signature":{"scheme":"rot13"}`), 422, invalid, "signature.scheme"},
		{"secret too short", subs, newSubscriptionWith(okRequest + `,"secret":"whsec_aHVudGVyMg=="`), 422, invalid, "secret"},
		{"secret no secret", subs, newSubscriptionWith(okRequest + `,"secret":"hunter2"`), 422, invalid, "secret"},
		{"events missing", subs, `{"tenant":"acme","name":"n",` + okRequest + `}`, 422, invalid, "events"},
		{"events with numbers", subs, `{"tenant":"acme","name":"n","events":[1],` + okRequest + `}`, 422, invalid, "events"},
		{"events with a bad pattern", subs, `{"tenant":"acme","name":"n","events":["*.x"],` + okRequest + `}`, 422, invalid, "events"},
		{"name missing", subs, `{"tenant":"acme","events":["*"],` + okRequest + `}`, 422, invalid, "name"},
		{"tenant of a subscription missing", subs, `{"name":"n","events":["*"],` + okRequest + `}`, 422, invalid, "tenant"},
		{"negative timeout", subs, newSubscriptionWith(okRequest + `,"timeout":"-5s"`), 422, invalid, "timeout"},
		{"zero timeout", subs, newSubscriptionWith(okRequest + `,"timeout":"0s"`), 422, invalid, "timeout"},
		{"absurd timeout", subs, newSubscriptionWith(okRequest + `,"timeout":"87600h"`), 422, invalid, "timeout"},
		{"timeout without a unit", subs, newSubscriptionWith(okRequest + `,"timeout":10`), 422, invalid, "timeout"},
		{"timeout that overflows", subs, newSubscriptionWith(okRequest + `,"timeout":"99999999999h"`), 422, invalid, "timeout"},
		{"negative interval", subs, newSubscriptionWith(okRequest + `,"retry":{"initial_interval":"-1s"}`), 422, invalid, "retry.initial_interval"},
		{"maximum below initial", subs, newSubscriptionWith(okRequest + `,"retry":{"initial_interval":"1m","maximum_interval":"1s"}`), 422, invalid, "retry.maximum_interval"},
		{"no attempts", subs, newSubscriptionWith(okRequest + `,"retry":{"maximum_attempts":0}`), 422, invalid, "retry.maximum_attempts"},
		{"coefficient below one", subs, newSubscriptionWith(okRequest + `,"retry":{"backoff_coefficient":0.5}`), 422, invalid, "retry.backoff_coefficient"},
		{"coefficient beyond a float", subs, newSubscriptionWith(okRequest + `,"retry":{"backoff_coefficient":1e999}`), 422, invalid, "retry.backoff_coefficient"},
		{"no requests in flight", subs, newSubscriptionWith(okRequest + `,"max_in_flight":0`), 422, invalid, "max_in_flight"},
		{"max_in_flight a fraction", subs, newSubscriptionWith(okRequest + `,"max_in_flight":1.5`), 422, invalid, "max_in_flight"},
		{"state given", subs, newSubscriptionWith(okRequest + `,"state":"paused"`), 422, invalid, "state"},
		{"unknown profile", subs, newSubscriptionWith(okRequest + `,"profile":"hunter2"`), 422, invalid, "profile"},
		{"unknown use case", subs, newSubscriptionWith(okRequest + `,"use_case":"hunter2"`), 422, invalid, "use_case"},
		{"profile that lacks params", subs, newSubscriptionWith(okRequest + `,"profile":"firstline"`), 422, invalid, "request.params"},
		{"filter no object", subs, newSubscriptionWith(okRequest + `,"filter":"hunter2"`), 422, invalid, "filter"},
		{"filter with an unknown operator", subs, newSubscriptionWith(okRequest + `,"filter":{"data":{"a":{"$like":"hunter2"}}}`), 422, invalid, "filter.data.a.$like"},
		{"filter with a bad regex", subs, newSubscriptionWith(okRequest + `,"filter":{"data":{"a":{"$regex":"("}}}`), 422, invalid, "filter.data.a.$regex"},
		{"params missing", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","body":"params"}`), 422, invalid, "request.params"},
		{"params not of this body", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","params":{"a":1}}`), 422, invalid, "request.params"},
		{"template that cannot be parsed", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","body":"params","params":{"address":{"street":"{{ a"}}}`), 422, invalid, "request.params.address.street"},
		{"template of another use case", subs, newSubscriptionWith(`"use_case":"contact","request":{"url":"https://example.com/","headers":{"X-Id":"{{ ticket.id }}"}}`), 422, invalid, "request.headers.X-Id"},
		{"template in the host", subs, newSubscriptionWith(`"request":{"url":"https://{{ host }}.example.com/"}`), 422, invalid, "request.url"},
		{"template in the path of a forbidden host", subs, newSubscriptionWith(`"request":{"url":"http://169.254.169.254/{{ a }}"}`), 422, invalid, "request.url"},
		{"content type that does not fit", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","body":"params","params":{},"content_type":"text/plain"}`), 422, invalid, "request.content_type"},
		{"missing unknown", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","missing":"rot13"}`), 422, invalid, "request.missing"},
		{"unknown field in envelope", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","envelope":{"kind":"a"}}`), 422, invalid, "request.envelope.kind"},
		{"two fields of one name", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","envelope":{"id":"a","type":"a"}}`), 422, invalid, "request.envelope.type"},
		{"vendor type no boolean", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","envelope":{"vendor_type":"yes"}}`), 422, invalid, "request.envelope.vendor_type"},
		{"root no name", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","xml":{"root":"a b"}}`), 422, invalid, "request.xml.root"},
		{"SOAP without a version", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","soap":{}}`), 422, invalid, "request.soap.version"},
		{"SOAP parameter that is no name", subs, newSubscriptionWith(`"request":{"url":"https://example.com/","content_type":"text/xml","soap":{"version":"1.1","parameters":{"a b":"c"}}}`), 422, invalid, "request.soap.parameters"},
		{"signature header of another scheme", subs, newSubscriptionWith(okRequest + `,"signature":{"header":"X-Sig"}`), 422, invalid, "signature.header"},
		{"signature header empty", subs, newSubscriptionWith(okRequest + `,"signature":{"scheme":"hmac-sha256-hex","header":""}`), 422, invalid, "signature.header"},
		{"public keys given", subs, newSubscriptionWith(okRequest + `,"signature":{"public_keys":[]}`), 422, invalid, "signature.public_keys"},
		{"secret of another scheme", subs, newSubscriptionWith(okRequest + `,"signature":{"scheme":"standard-ed25519"},"secret":"whsec_aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg=="`), 422, invalid, "secret"},
		{"secret of no scheme", subs, newSubscriptionWith(okRequest + `,"signature":{"scheme":"none"},"secret":"hunter2hunter2hunter2"`), 422, invalid, "secret"},
		{"auth without a type", subs, newSubscriptionWith(okRequest + `,"auth":{"token":"hunter2"}`), 422, invalid, "auth.token"},
		{"auth of an unknown type", subs, newSubscriptionWith(okRequest + `,"auth":{"type":"digest"}`), 422, invalid, "auth.type"},
		{"auth with a field of another type", subs, newSubscriptionWith(okRequest + `,"auth":{"type":"bearer","token":"a","password":"hunter2"}`), 422, invalid, "auth.password"},
		{"auth with an unknown field", subs, newSubscriptionWith(okRequest + `,"auth":{"type":"bearer","bearer":"hunter2"}`), 422, invalid, "auth.bearer"},
		{"auth with a mask", subs, newSubscriptionWith(okRequest + `,"auth":{"type":"bearer","token":"[redacted]"}`), 422, invalid, "auth.token"},
		{"auth no object", subs, newSubscriptionWith(okRequest + `,"auth":"hunter2"`), 422, invalid, "auth"},
		{"token endpoint forbidden", subs, newSubscriptionWith(okRequest + `,"auth":{"type":"oauth2","token_url":"http://169.254.169.254/","client_id":"a","client_secret":"hunter2"}`), 422, invalid, "auth.token_url"},
		{"certificate that is none", subs, newSubscriptionWith(okRequest + `,"auth":{"type":"mtls","certificate":"hunter2","private_key":"hunter2"}`), 422, invalid, "auth.certificate"},
		{"verification unknown", subs, newSubscriptionWith(okRequest + `,"verification":"rot13"`), 422, invalid, "verification"},
		{"verification of a template", subs, newSubscriptionWith(`"request":{"url":"https://example.com/{{ a }}"},"verification":"challenge"`), 422, invalid, "verification"},
		{"minimum above the timeout", subs, newSubscriptionWith(okRequest + `,"timeout":"3s","adaptive":{"minimum_timeout":"4s"}`), 422, invalid, "adaptive.minimum_timeout"},
		{"minimum of zero", subs, newSubscriptionWith(okRequest + `,"adaptive":{"minimum_attempts":0}`), 422, invalid, "adaptive.minimum_attempts"},
		{"interval factor below one", subs, newSubscriptionWith(okRequest + `,"adaptive":{"maximum_interval_factor":0.5}`), 422, invalid, "adaptive.maximum_interval_factor"},
		{"enabled no boolean", subs, newSubscriptionWith(okRequest + `,"adaptive":{"enabled":1}`), 422, invalid, "adaptive.enabled"},
		{"body over the limit", subs, newSubscriptionWith(okRequest + `,"name":"` + strings.Repeat("x", subscriptionBody) + `"`), 413, tooLarge, ""},

		{"patch without a version", sub, `{"name":"x"}`, 422, invalid, "version"},
		{"patch with an old version", sub, `{"version":2,"name":"x"}`, 409, switchboard.CodeConflict, "version"},
		{"patch of the tenant", sub, `{"version":3,"tenant":"globex"}`, 422, invalid, "tenant"},
		{"patch of the secret", sub, `{"version":3,"secret":"whsec_hunter2"}`, 422, invalid, "secret"},
		{"patch to a forbidden url", sub, `{"version":3,"request":{"url":"http://169.254.169.254/","headers":null}}`, 422, invalid, "request.url"},
		{"patch to a bad name", sub, `{"version":3,"name":""}`, 422, invalid, "name"},
		{"patch with an unknown mask", sub, `{"version":3,"request":{"headers":{"X-New":"[redacted]"}}}`, 422, invalid, "request.headers.X-New"},
		{"patch of the use case", sub, `{"version":3,"use_case":"contact"}`, 422, invalid, "use_case"},
		{"patch of the profile", sub, `{"version":3,"profile":"ziwo"}`, 422, invalid, "profile"},
		{"patch to a bad template", sub, `{"version":3,"request":{"headers":{"X-A":"{% for x in (1..9) %}"}}}`, 422, invalid, "request.headers.X-A"},
		{"patch with a mask in a header's value", sub, `{"version":3,"request":{"headers":{"Authorization":"Bearer [redacted]"}}}`, 422, invalid, "request.headers.Authorization"},
		{"patch with an unknown secret's mask", sub, `{"version":3,"auth":{"type":"basic","username":"joe","password":"[redacted]"}}`, 422, invalid, "auth.password"},
		{"patch to a forbidden token endpoint", sub, `{"version":3,"auth":{"type":"oauth2","token_url":"http://169.254.169.254/","client_id":"a","client_secret":"hunter2"}}`, 422, invalid, "auth.token_url"},
		{"patch to a header that is set twice", sub, `{"version":3,"auth":{"type":"api_key","header":"x-api-key","value":"hunter2"}}`, 422, invalid, "request.headers.X-Api-Key"},
		{"verify with a field", "POST /v1/subscriptions/sub_acme/verify", `{"force":true}`, 422, invalid, "force"},
		{"grace negative", rotate, `{"grace":"-1s"}`, 422, invalid, "grace"},
		{"grace absurd", rotate, `{"grace":"169h"}`, 422, invalid, "grace"},
		{"grace no duration", rotate, `{"grace":"hunter2"}`, 422, invalid, "grace"},
		{"test with a bad type", test, `{"type":"a b"}`, 422, invalid, "type"},
		{"test with too much data", test, `{"data":"` + strings.Repeat("x", switchboard.DefaultMaxData) + `"}`, 413, tooLarge, "data"},

		{"trigger without data", trigger, `{}`, 422, invalid, "data"},
		{"trigger without a body", trigger, ``, 400, invalid, ""},
		{"trigger with a type", trigger, `{"data":1,"type":"t"}`, 422, invalid, "type"},
		{"trigger with a bad id", trigger, `{"data":1,"id":"../x"}`, 422, invalid, "id"},
		{"trigger with a bad key", trigger, `{"data":1,"key":"a\u0000"}`, 422, invalid, "key"},
		{"trigger with too much data", trigger, `{"data":"` + strings.Repeat("x", switchboard.DefaultMaxData) + `"}`, 413, tooLarge, "data"},
		{"trigger of nothing", "POST /v1/subscriptions/sub_none/trigger", `{"data":1}`, 404, switchboard.CodeNotFound, ""},
		{"wait no duration", wait + "hunter2", `{"data":1}`, 422, invalid, "wait"},
		{"wait without a unit", wait + "8", `{"data":1}`, 422, invalid, "wait"},
		{"wait too short", wait + "99ms", `{"data":1}`, 422, invalid, "wait"},
		{"wait too long", wait + "60.1s", `{"data":1}`, 422, invalid, "wait"},
		{"wait negative", wait + "-8s", `{"data":1}`, 422, invalid, "wait"},
		{"wait zero", wait + "0s", `{"data":1}`, 422, invalid, "wait"},

		{"preview with an unknown field", show, `{"event":1}`, 422, invalid, "event"},
		{"preview with an event and data", show, `{"event_id":"evt_1","data":1}`, 422, invalid, "event_id"},
		{"preview of an unknown event", show, `{"event_id":"evt_9"}`, 404, switchboard.CodeNotFound, "event_id"},
		{"preview with a bad type", show, `{"type":"a b","data":1}`, 422, invalid, "type"},
		{"preview without a sample", show, `{"type":"nobody.knows"}`, 422, invalid, "data"},
		{"preview of nothing", "POST /v1/subscriptions/sub_none/preview", ``, 404, switchboard.CodeNotFound, ""},
		{"preview without a subscription", showNew, `{"data":1}`, 422, invalid, "subscription"},
		{"preview of no object", showNew, `{"subscription":1,"data":1}`, 422, invalid, "subscription"},
		{"preview of an unknown field", showNew, `{"subscription":{"url":"x"},"data":1}`, 422, invalid, "subscription.url"},
		{"preview without a url", showNew, `{"subscription":{"request":{}},"data":1}`, 422, invalid, "subscription.request.url"},
		{"preview of a bad template", showNew, `{"subscription":{"request":{"url":"https://example.com/{{ nonsense"}},"data":1}`, 422, invalid, "subscription.request.url"},
		{"preview of an unknown profile", showNew, `{"subscription":{"profile":"hunter2",` + okRequest + `},"data":1}`, 422, invalid, "subscription.profile"},
		{"preview of data that are none", showNew, `{"subscription":{"profile":"iomnihub",` + okRequest + `},"type":"t","data":1}`, 422, invalid, "data"},
		{"match with an unknown field", match, `{"event":1}`, 422, invalid, "event"},
		{"match with too much data", match, `{"data":"` + strings.Repeat("x", switchboard.DefaultMaxData) + `"}`, 413, tooLarge, "data"},
		{"match of a bad filter", "POST /v1/match", `{"subscription":{"filter":{"data":{"a":{"$regex":"("}}}},"data":1}`, 422, invalid, "subscription.filter.data.a.$regex"},
		{"match of a bad pattern", "POST /v1/match", `{"subscription":{"events":["*.x"]},"data":1}`, 422, invalid, "subscription.events"},

		{"event type without a body", newType, ``, 400, invalid, ""},
		{"event type with its name", newType, `{"name":"order.paid"}`, 422, invalid, "name"},
		{"event type with a bad name", "PUT /v1/event_types/acme/a%20b", `{}`, 422, invalid, "name"},
		{"event type of a bad platform", "PUT /v1/event_types/Acme/order.paid", `{}`, 422, invalid, "platform"},
		{"schema no schema", newType, `{"schema":{"type":"hunter2"}}`, 422, invalid, "schema.type"},
		{"schema a number", newType, `{"schema":17}`, 422, invalid, "schema"},
		{"schema that is elsewhere", newType, `{"schema":{"$ref":"https://example.com/other"}}`, 422, invalid, "schema"},
		{"schema state without a schema", newType, `{"schema_state":"seen"}`, 422, invalid, "schema_state"},
		{"sample that does not fit", newType, `{"schema":{"type":"object","required":["id"]},"sample":{}}`, 422, invalid, "sample.id"},
		{"samples no list", newType, `{"samples":{}}`, 422, invalid, "samples"},
		{"samples without data", newType, `{"samples":[{"name":"a"}]}`, 422, invalid, "samples"},
		{"samples with an unknown field", newType, `{"samples":[{"data":1,"body":2}]}`, 422, invalid, "samples"},
		{"use case unknown", newType, `{"use_cases":["nonsense"]}`, 422, invalid, "use_cases[0]"},
		{"description too long", newType, `{"description":"` + strings.Repeat("x", 2001) + `"}`, 422, invalid, "description"},
		{"deprecated a word", oldType, `{"deprecated":"yes"}`, 422, invalid, "deprecated"},
		{"change of an unknown type", "PATCH /v1/event_types/iomnihub/hunter2", `{}`, 404, switchboard.CodeNotFound, ""},
		{"change to a bad sample", oldType, `{"sample":{"ticket":1}}`, 422, invalid, "sample.ticket"},
		{"text of event types with a NUL", "GET /v1/event_types?text=%00", ``, 422, invalid, "text"},
		{"unknown parameter of event types", "GET /v1/event_types?usecase=contact", ``, 422, invalid, "usecase"},

		{"reason too long", retry, `{"reason":"` + strings.Repeat("x", 501) + `"}`, 422, invalid, "reason"},
		{"reason with a NUL", retry, `{"reason":"a\u0000b"}`, 422, invalid, "reason"},
		{"delete reason with a NUL", "DELETE /v1/subscriptions/sub_acme?reason=%00", ``, 422, invalid, "reason"},

		{"unknown role", keys, `{"name":"n","role":"root"}`, 422, invalid, "role"},
		{"role missing", keys, `{"name":"n"}`, 422, invalid, "role"},
		{"key name missing", keys, `{"role":"viewer"}`, 422, invalid, "name"},
		{"key tenant bad", keys, `{"name":"n","role":"viewer","tenant":"a b"}`, 422, invalid, "tenant"},
		{"key expires after 9999", keys, `{"name":"n","role":"viewer","expires_at":"9999-12-31T23:59:59-01:00"}`, 422, invalid, "expires_at"},
		{"key expires before 1", keys, `{"name":"n","role":"viewer","expires_at":"0001-01-01T00:00:00+01:00"}`, 422, invalid, "expires_at"},
		{"key expired", keys, `{"name":"n","role":"viewer","expires_at":"2020-01-01T00:00:00Z"}`, 422, invalid, "expires_at"},

		{"tampered cursor", "GET /v1/events?cursor=tampered", ``, 422, invalid, "cursor"},
		{"tampered cursor of deliveries", listDlv + "?cursor=tampered", ``, 422, invalid, "cursor"},
		{"limit no number", listDlv + "?limit=hunter2", ``, 422, invalid, "limit"},
		{"limit zero", listDlv + "?limit=0", ``, 422, invalid, "limit"},
		{"limit too high", listDlv + "?limit=251", ``, 422, invalid, "limit"},
		{"unknown parameter", listDlv + "?status=503", ``, 422, invalid, "status"},
		{"unknown state", listDlv + "?state=pending,hunter2", ``, 422, invalid, "state"},
		{"unknown failure", listDlv + "?failure=hunter2", ``, 422, invalid, "failure"},
		{"count no boolean", listDlv + "?count=hunter2", ``, 422, invalid, "count"},
		{"unknown facet", listDlv + "/facets?by=state,hunter2", ``, 422, invalid, "by"},
		{"too many facets", listDlv + "/facets?by=state,failure,host&by=subscription,tenant", ``, 422, invalid, "by"},
		{"a page of facets", listDlv + "/facets?limit=7", ``, 422, invalid, "limit"},
		{"unknown state of facets", listDlv + "/facets?state=hunter2", ``, 422, invalid, "state"},
		{"search for nothing", "GET /v1/search", ``, 422, invalid, "q"},
		{"search for a space", "GET /v1/search?q=%20a%20", ``, 422, invalid, "q"},
		{"search for too much", "GET /v1/search?q=" + strings.Repeat("x", 256), ``, 422, invalid, "q"},
		{"search for a NUL", "GET /v1/search?q=ab%00c", ``, 422, invalid, "q"},
		{"search for what is not UTF-8", "GET /v1/search?q=ab%ff", ``, 422, invalid, "q"},
		{"status code out of range", listDlv + "?status_code=7", ``, 422, invalid, "status_code"},
		{"after no time", listDlv + "?after=hunter2", ``, 422, invalid, "after"},
		{"stuck no boolean", listDlv + "?stuck=hunter2", ``, 422, invalid, "stuck"},
		{"text with a NUL", listDlv + "?text=a%00", ``, 422, invalid, "text"},
		{"text not UTF-8", listDlv + "?text=%ff", ``, 422, invalid, "text"},
		{"query malformed", listDlv + "?text=%zz", ``, 400, invalid, ""},
		{"id with a NUL", "GET /v1/deliveries/dlv_%00", ``, 404, switchboard.CodeNotFound, ""},
		{"id not UTF-8", "GET /v1/deliveries/dlv_%ff", ``, 404, switchboard.CodeNotFound, ""},
		{"unknown subscription state", "GET /v1/subscriptions?state=hunter2", ``, 422, invalid, "state"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			method, path, _ := strings.Cut(c.call, " ")
			b.call(t, adminKey, method, path, c.body).wantProblem(t, c.status, c.code, c.field)
			if b.stored(t) {
				t.Error("something was stored or started")
			}
		})
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json2", "hunter2/", "application/json; charset=utf-16", "application/json; charset=iso-8859-1",
		`application/cloudevents+json;charset="windows-1252"`, "application/json; charset*0=utf-; charset*1=16",
	} {
		b.call(t, adminKey, "POST", "/v1/events", postedEvent, "Content-Type", media).
			wantProblem(t, http.StatusUnsupportedMediaType, switchboard.CodeInvalid, "")
	}
	if b.stored(t) {
		t.Error("something was stored")
	}
	for _, media := range []string{"application/json", "Application/JSON; charset=utf-8", "application/cloudevents+json", `application/json;charset="UTF-8"`, "application/json; charset=us-ascii"} {
		b.call(t, adminKey, "POST", "/v1/events", postedEvent, "Content-Type", media).want(t, http.StatusAccepted)
	}
}

// TestBodiesOfUnknownLength: chunked bodies have no length by which they could be refused.
func TestBodiesOfUnknownLength(t *testing.T) {
	t.Parallel()
	send := func(b *bundle, body io.Reader) answer {
		r := httptest.NewRequest("POST", "/v1/events", body)
		r.ContentLength = -1
		r.Header.Set("Authorization", "Bearer "+adminKey)
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		return answer{w.Code, w.Header(), w.Body.Bytes()}
	}
	b := setup(t)
	long := bytes.Repeat([]byte(" "), switchboard.DefaultMaxData+eventOverhead)
	send(b, bytes.NewReader(append(long, postedEvent...))).wantProblem(t, http.StatusRequestEntityTooLarge, switchboard.CodeTooLarge, "data")
	broken := io.MultiReader(strings.NewReader(`{"tenant":`), iotest.ErrReader(io.ErrUnexpectedEOF))
	send(b, broken).wantProblem(t, http.StatusBadRequest, switchboard.CodeInvalid, "")
	// A too large length is refused before anything is read.
	r := httptest.NewRequest("POST", "/v1/events", iotest.ErrReader(io.ErrUnexpectedEOF))
	r.ContentLength = 1 << 40
	r.Header.Set("Authorization", "Bearer "+adminKey)
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	answer{w.Code, w.Header(), w.Body.Bytes()}.wantProblem(t, http.StatusRequestEntityTooLarge, switchboard.CodeTooLarge, "data")
	if b.stored(t) {
		t.Error("something was stored")
	}
	send(b, iotest.OneByteReader(strings.NewReader(postedEvent))).want(t, http.StatusAccepted)
}

// TestProblemOfLongName: a long name from the caller is shortened in the answer.
func TestProblemOfLongName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.call(t, adminKey, "POST", "/v1/events", `{"`+strings.Repeat("é", 5000)+`":1}`)
	got.want(t, http.StatusUnprocessableEntity)
	if len(got.body) > 1000 {
		t.Errorf("%d bytes: %s", len(got.body), got.body)
	}
}
