package switchboard

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// params is a request with params in that content type.
func params(method, contentType, document string) Request {
	return Request{Method: method, URL: "https://api.example.com/users", Body: BodyParams, Params: json.RawMessage(document), ContentType: contentType}
}

func soap(version, contentType string) Request {
	r := params("POST", contentType, `{"Update":{}}`)
	r.SOAP = &SOAP{Version: version}
	return r
}

func with(r Request, change func(*Request)) Request {
	change(&r)
	return r
}

func TestRequestValidate(t *testing.T) {
	t.Parallel()
	const form, jsonType = "application/x-www-form-urlencoded", "application/json"
	url := func(raw string) Request {
		return with(params("POST", jsonType, "{}"), func(r *Request) { r.URL = raw })
	}
	for name, r := range map[string]Request{
		"JSON":                  params("POST", jsonType, `{"a":"{{ b }}"}`),
		"array":                 params("PUT", "application/vnd.x+json; charset=utf-8", `[1]`),
		"form":                  params("PATCH", form, `{}`),
		"XML":                   params("POST", "text/xml; charset=utf-8", `{}`),
		"query, by default":     params("GET", jsonType, `{}`),
		"query":                 params("DELETE", form, `{}`),
		"SOAP 1.1":              soap("1.1", "text/xml"),
		"SOAP 1.2":              soap("1.2", "application/soap+xml; charset=utf-8"),
		"null params":           with(params("POST", jsonType, "null"), func(r *Request) { r.Body = BodyEnvelope }),
		"data of another type":  with(params("POST", "text/csv", ""), func(r *Request) { r.Body = BodyData }),
		"placeholder in path":   url("https://api.example.com/users/{{ contact.id }}/x?y={{czCol.15}}&z={{ \"}}#\" }}"),
		"condition in query":    url("https://api.example.com/?a=1{% if x == '%}' %}&b={{ x }}{% endif %}"),
		"customer's user agent": with(params("POST", jsonType, "{}"), func(r *Request) { r.Headers = map[string]string{"User-Agent": "x", "Accept": "{{ y }}"} }),
		"flat envelope":         with(params("POST", jsonType, ""), func(r *Request) { r.Body, r.Envelope = BodyEnvelope, &EnvelopeFields{} }),
	} {
		if err := r.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, test := range map[string]struct {
		field   string
		request Request
	}{
		"no params":                 {"request.params", params("POST", jsonType, " null ")},
		"broken params":             {"request.params", params("POST", jsonType, `{"a":}`)},
		"scalar params":             {"request.params", params("POST", jsonType, `"{{ a }}"`)},
		"long params":               {"request.params", params("POST", jsonType, `{"a":"`+strings.Repeat("x", MaxParams)+`"}`)},
		"params of another body":    {"request.params", with(params("POST", jsonType, "{}"), func(r *Request) { r.Body = BodyEnvelope })},
		"array as form":             {"request.params", params("POST", form, `[1]`)},
		"array as query":            {"request.params", params("GET", jsonType, `[1]`)},
		"GET with XML":              {"request.content_type", params("GET", "application/xml", `{}`)},
		"DELETE with text":          {"request.content_type", params("DELETE", "text/plain", `{}`)},
		"params as CSV":             {"request.content_type", params("POST", "text/csv", `{}`)},
		"parameter without value":   {"request.content_type", params("POST", "application/json; charset", `{}`)},
		"http version":              {"request.http_version", with(params("POST", jsonType, "{}"), func(r *Request) { r.HTTPVersion = "2" })},
		"http version as in a line": {"request.http_version", with(params("POST", jsonType, "{}"), func(r *Request) { r.HTTPVersion = "HTTP/1.1" })},
		"missing":                   {"request.missing", with(params("POST", jsonType, "{}"), func(r *Request) { r.Missing = "null" })},
		"SOAP version":              {"request.soap.version", soap("2.0", "text/xml")},
		"SOAP without XML":          {"request.content_type", soap("1.1", jsonType)},
		"SOAP 1.2 as text":          {"request.content_type", soap("1.2", "text/xml")},
		"SOAP with DELETE":          {"request.content_type", with(soap("1.1", "text/xml"), func(r *Request) { r.Method = "DELETE" })},
		"SOAP data with GET":        {"request.method", with(soap("1.1", "text/xml"), func(r *Request) { r.Method, r.Body, r.Params = "GET", BodyData, nil })},
		"SOAP action":               {"request.soap.action", with(soap("1.1", "text/xml"), func(r *Request) { r.SOAP.Action = "a\"\r\nX: y" })},
		"SOAP namespace":            {"request.soap.namespace", with(soap("1.1", "text/xml"), func(r *Request) { r.SOAP.Namespace = "a b" })},
		"SOAP parameter's value":    {"request.soap.parameters.a", with(soap("1.1", "text/xml"), func(r *Request) { r.SOAP.Parameters = map[string]string{"a": "x\x00{{ b }}"} })},
		"SOAP parameter":            {"request.soap.parameters", with(soap("1.1", "text/xml"), func(r *Request) { r.SOAP.Parameters = map[string]string{"a b": "x"} })},
		"SOAP action as header":     {"request.headers.SOAPAction", with(soap("1.1", "text/xml"), func(r *Request) { r.Headers = map[string]string{"SOAPAction": "x"} })},
		"XML root":                  {"request.xml.root", with(params("POST", "text/xml", "{}"), func(r *Request) { r.XML = &XMLStyle{Root: "a><b"} })},
		"envelope, name twice":      {"request.envelope.type", with(params("POST", jsonType, ""), func(r *Request) { r.Body, r.Envelope = BodyEnvelope, &EnvelopeFields{ID: "x", Type: "x"} })},
		"envelope, odd name":        {"request.envelope.data", with(params("POST", jsonType, ""), func(r *Request) { r.Body, r.Envelope = BodyEnvelope, &EnvelopeFields{Data: "\x00"} })},
		"envelope, time format":     {"request.envelope.time_format", with(params("POST", jsonType, ""), func(r *Request) { r.Body, r.Envelope = BodyEnvelope, &EnvelopeFields{TimeFormat: "iso"} })},
		"template for the scheme":   {"request.url", url("{{ scheme }}://api.example.com/")},
		"template for the host":     {"request.url", url("https://{{ host }}/")},
		"template after the host":   {"request.url", url("https://api.example.com{{ path }}")},
		"template for a label":      {"request.url", url("https://{{x}}.example.com/a")},
		"template for the port":     {"request.url", url("https://api.example.com:{{ port }}/")},
		"condition for the host":    {"request.url", url("https://{% if a %}a{% else %}b{% endif %}.example.com/")},
		"host with a slash in it":   {"request.url", url("https://{{ a/b }}/")},
		"user before a template":    {"request.url", url("https://user@api.example.com/{{ a }}")},
		"fragment after a template": {"request.url", url("https://api.example.com/{{ a }}#x")},
		"half an escape":            {"request.url", url("https://api.example.com/%2{{ a }}")},
		"line break":                {"request.url", url("https://api.example.com/{{ a }}\r\n")},
		"long template":             {"request.url", url("https://api.example.com/{{ " + strings.Repeat("a", MaxURL) + " }}")},
	} {
		err := test.request.Validate()
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeInvalid || e.Field != test.field {
			t.Errorf("%s: %v; want an invalid field %s", name, err, test.field)
		}
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://a.test:8443/b/{{ c }}": "https://a.test:8443", "http://a.test?b={{ c }}": "http://a.test", "http://a.test": "http://a.test",
		"http://a.test#b": "http://a.test", "http://[::1]:80/": "http://[::1]:80", "nothing": "nothing", "": "", "http://a.test{{ b }}": "http://a.test{{ b }}",
	} {
		if got := Address(raw); got != want {
			t.Errorf("%q: %q; want %q", raw, got, want)
		}
	}
}
