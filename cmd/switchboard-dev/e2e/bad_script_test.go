package e2e

import "strings"

// badScripts are subscriptions, event types and triggers of the platforms that
// cannot work.
func badScripts(subscription string) []badInput {
	const create = "POST /v1/subscriptions"
	with := func(request, more string) string {
		return `{"tenant":"acme","name":"n","events":["*"],"request":{"url":"http://127.0.0.1/"` + request + `}` + more + `}`
	}
	params := func(leaf string) string { return with(`,"body":"params","params":{"a":{"b":"`+leaf+`"}}`, "") }
	oauth := func(tokenURL string) string {
		return with("", `,"auth":{"type":"oauth2","token_url":"`+tokenURL+`","client_id":"us","client_secret":"hunter2"}`)
	}
	cases := []badInput{
		{"template with an open brace", create, params(`{{ contact.id`), 422, "invalid", "request.params.a.b"},
		{"template with a loop", create, params(`{% for i in (1..3000000) %}x{% endfor %}`), 422, "invalid", "request.params.a.b"},
		{"template with an unknown filter", create, params(`{{ a | shell }}`), 422, "invalid", "request.params.a.b"},
		{"template too long", create, params(strings.Repeat("x{{ a }}", 2000)), 422, "invalid", "request.params.a.b"},
		{"template in a header", create, with(`,"headers":{"X-Ticket":"{{ a"}`, ""), 422, "invalid", "request.headers.X-Ticket"},
		{"template in the host", create, strings.Replace(with("", ""), "127.0.0.1", "{{ host }}", 1), 422, "invalid", "request.url"},
		{"what the use case may not read", create, with(`,"body":"params","params":{"a":"{{ ticket.id }}"}`, `,"use_case":"contact"`), 422, "invalid", "request.params.a"},
		{"unknown use case", create, with("", `,"use_case":"warehouse"`), 422, "invalid", "use_case"},
		{"unknown profile", create, with("", `,"profile":"fax"`), 422, "invalid", "profile"},
		{"changed use case", "PATCH /v1/subscriptions/" + subscription, `{"version":2,"use_case":"ticket"}`, 422, "invalid", "use_case"},
		{"content type that does not fit GET", create, with(`,"method":"GET","body":"params","params":{},"content_type":"application/xml"`, ""), 422, "invalid", "request.content_type"},
		{"content type that params have no form for", create, with(`,"body":"params","params":{},"content_type":"text/csv"`, ""), 422, "invalid", "request.content_type"},
		{"SOAP without XML", create, with(`,"soap":{"version":"1.1"}`, ""), 422, "invalid", "request.content_type"},
		{"SOAP parameter that is no name in XML", create, with(`,"content_type":"text/xml","soap":{"version":"1.1","parameters":{"a b":"x"}}`, ""), 422, "invalid", "request.soap.parameters"},
		{"filter with an unknown operator", create, with("", `,"filter":{"data":{"a":{"$near":1}}}`), 422, "invalid", "filter.data.a.$near"},
		{"filter with half a regular expression", create, with("", `,"filter":{"data":{"a":{"$regex":"("}}}`), 422, "invalid", "filter.data.a.$regex"},
		{"filter over nothing known", create, with("", `,"filter":{"body":{"a":1}}`), 422, "invalid", "filter.body"},
		{"unknown scheme", create, with("", `,"signature":{"scheme":"md5"}`), 422, "invalid", "signature.scheme"},
		{"signature in a header that frames the request", create, with("", `,"signature":{"scheme":"hmac-sha256-hex","header":"Content-Length"}`), 422, "invalid", "signature.header"},
		{"token endpoint that is down", create, oauth("http://127.0.0.1:1/token"), 422, "invalid", "auth.token_url"},
		{"token endpoint that is forbidden", create, oauth("http://169.254.169.254/token"), 422, "invalid", "auth.token_url"},
		{"certificate that is none", create, strings.Replace(with("", `,"auth":{"type":"mtls","certificate":"x","private_key":"y"}`), "http://", "https://", 1), 422, "invalid", "auth.certificate"},
		{"field of another type of authentication", create, with("", `,"auth":{"type":"bearer","token":"t","password":"p"}`), 422, "invalid", "auth.password"},
		{"schema that is none", "PUT /v1/event_types/own/ticket.escalated", `{"schema":{"type":"objekt"}}`, 422, "invalid", "schema.type"},
		{"schema from elsewhere", "PUT /v1/event_types/own/ticket.escalated", `{"schema":{"$ref":"file:///etc/passwd"}}`, 422, "invalid", "schema"},
		{"wait that is absurd", "POST /v1/subscriptions/" + subscription + "/trigger?wait=24h", `{"data":{}}`, 422, "invalid", "wait"},
		{"trigger without data", "POST /v1/subscriptions/" + subscription + "/trigger", `{}`, 422, "invalid", "data"},
	}
	return cases
}
