package switchboard

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestAuditChanges shows how documents differ: one case a line.
func TestAuditChanges(t *testing.T) {
	t.Parallel()
	long := `"` + strings.Repeat("x", maxAudited) + `"`
	for name, c := range map[string]struct{ before, after, want string }{
		"the same":           {`{"a":1}`, `{"a":1}`, `{}`},
		"a value":            {`{"a":1}`, `{"a":2}`, `{"a":{"before":1,"after":2}}`},
		"a member more":      {`{}`, `{"a":{"b":1}}`, `{"a.b":{"after":1}}`},
		"a member less":      {`{"a":{"b":1}}`, `{}`, `{"a.b":{"before":1}}`},
		"deep":               {`{"a":{"b":1,"c":1}}`, `{"a":{"b":2,"c":1}}`, `{"a.b":{"before":1,"after":2}}`},
		"a list is a value":  {`{"a":[1,{"b":1}]}`, `{"a":[1,{"b":2}]}`, `{"a":{"before":[1,{"b":1}],"after":[1,{"b":2}]}}`},
		"an object no more":  {`{"a":{"b":1}}`, `{"a":1}`, `{"a":{"before":{"b":1},"after":1}}`},
		"it was not there":   {``, `{"a":1}`, `{"a":{"after":1}}`},
		"long":               {`{"a":1}`, `{"a":` + long + `}`, `{"a":{"hidden":true}}`},
		"what jsonb refuses": {`{"a":1}`, `{"a":"\u0000"}`, `{"a":{"before":1,"after":"\u0000"}}`},
	} {
		changes := AuditChanges{}
		changes.Compare(json.RawMessage(c.before), json.RawMessage(c.after))
		if got, _ := json.Marshal(changes); string(got) != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// secretive is a subscription with the canary in every place where a credential may be.
func secretive(canary string) Subscription {
	return Subscription{
		ID: "sub_1", Name: "CRM", Events: []string{"*"}, State: SubscriptionActive, Version: 1,
		Request: Request{
			URL: "https://crm.example.com/" + canary + "?key=" + canary, Headers: Headers{"X-Env": canary, "Authorization": canary},
			Params: json.RawMessage(`{"a":"` + canary + `"}`), SOAP: &SOAP{Action: canary, Parameters: map[string]string{"a": canary}},
		},
		Auth: Auth{
			Type: AuthBasic, Username: canary, Password: Secret(canary), Token: Secret(canary), Header: canary, Value: Secret(canary), TokenURL: canary,
			ClientID: canary, ClientSecret: Secret(canary), Scopes: []string{canary}, Parameters: Parameters{"audience": Secret(canary)}, Certificate: canary, PrivateKey: Secret(canary),
		},
		Secrets: []SigningSecret{{Secret: Secret(canary)}},
	}
}

func TestSubscriptionChangesHoldNoCredential(t *testing.T) {
	t.Parallel()
	plain, first, second := Subscription{ID: "sub_1"}, secretive("canary1"), secretive("canary2")
	second.Name, second.Timeout, second.Version, second.Filter = "ERP", DefaultTimeout, 2, json.RawMessage(`{"data":{"a":1}}`)
	for name, c := range map[string]struct {
		before, after *Subscription
		want          string
	}{
		"made":      {&Subscription{}, &first, `"name":{"after":"CRM"}`},
		"from none": {&plain, &first, `"request.url":{"after":"https://crm.example.com/…","hidden":true}`},
		"to none":   {&first, &plain, `"request.headers.Authorization":{"hidden":true}`},
		"changed": {&first, &second, `{"auth":{"hidden":true},"filter":{"after":{"data":{"a":1}}},"name":{"before":"CRM","after":"ERP"},` +
			`"request.headers.Authorization":{"hidden":true},"request.headers.X-Env":{"hidden":true},"request.params":{"hidden":true},"request.soap":{"hidden":true},` +
			`"request.url":{"before":"https://crm.example.com/…","after":"https://crm.example.com/…","hidden":true},"timeout":{"after":"10s"},"version":{"before":1,"after":2}}`},
		"unchanged": {&first, &first, `{}`},
	} {
		changes, err := SubscriptionChanges(c.before, c.after)
		if err != nil {
			t.Fatal(err)
		}
		text, err := EncodeJSON(changes)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), c.want) {
			t.Errorf("%s: %s, want %s", name, text, c.want)
		}
		if strings.Contains(string(text), "canary") {
			t.Errorf("%s: it holds a credential: %s", name, text)
		}
	}
}

func TestEventTypeChangesHoldNoSample(t *testing.T) {
	t.Parallel()
	before := EventType{Platform: "own", Name: "order.paid", Description: "one", Sample: json.RawMessage(`1`)}
	after := before
	after.Description, after.Sample, after.Samples, after.Schema = "two", json.RawMessage(`"canary"`), []Sample{{Name: "canary"}}, json.RawMessage(`{"const":"canary"}`)
	changes, err := EventTypeChanges(before, after)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"description":{"before":"one","after":"two"},"sample":{"hidden":true},"samples":{"hidden":true},"schema":{"hidden":true}}`
	if got, _ := json.Marshal(changes); string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
}
