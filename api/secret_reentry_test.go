package api

import (
	"net/http"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// TestSecretsStayWithTheirAddress: a caller who may change a subscription, but does not know its
// secrets, cannot have them sent to another address.
func TestSecretsStayWithTheirAddress(t *testing.T) {
	t.Parallel()
	const (
		elsewhere = `"request":{"url":"https://evil.example.org/"}`
		headers   = `"request":{"url":"https://example.com/","headers":{"X-Env":"prod","X-Api-Key":"hunter2"}}`
		bearer    = `"auth":{"type":"bearer","token":"hunter2"}`
		basic     = `"auth":{"type":"basic","username":"joe","password":"hunter2"}`
		apiKey    = `"auth":{"type":"api_key","header":"X-Key","value":"hunter2"}`
	)
	cases := map[string]struct{ create, patch, field string }{
		"headers left as they are":  {headers, elsewhere, "request.headers.X-Api-Key"},
		"headers sent back masked":  {headers, `"request":{"url":"https://evil.example.org/","headers":{"x-api-key":"[redacted]"}}`, "request.headers.x-api-key"},
		"headers given again":       {headers, `"request":{"url":"https://new.example.com/","headers":{"X-Api-Key":"hunter2"}}`, ""},
		"other headers":             {headers, `"request":{"url":"https://new.example.com/","headers":{"X-Env":"prod"}}`, "request.headers.X-Api-Key"},
		"headers without secrets":   {headers, `"request":{"url":"https://new.example.com/","headers":{"X-Api-Key":null}}`, ""},
		"another path":              {headers, `"request":{"url":"https://EXAMPLE.com/b?c={{ticket.id}}"}`, ""},
		"another port":              {headers, `"request":{"url":"https://example.com:8443/"}`, "request.headers.X-Api-Key"},
		"the scheme's own port":     {headers, `"request":{"url":"https://example.com:443/"}`, ""},
		"in clear":                  {headers, `"request":{"url":"http://example.com/"}`, "request.headers.X-Api-Key"},
		"bearer":                    {okRequest + `,` + bearer, elsewhere, "auth.token"},
		"bearer, masked":            {okRequest + `,` + bearer, elsewhere + `,"auth":{"token":"[redacted]"}`, "auth.token"},
		"bearer, given again":       {okRequest + `,` + bearer, elsewhere + `,"auth":{"token":"hunter2"}`, ""},
		"bearer, a host alike":      {`"request":{"url":"https://φίλος.gr/"},` + bearer, `"request":{"url":"https://φίλοσ.gr/"}`, "auth.token"},
		"bearer, the same host":     {`"request":{"url":"https://Bücher.example/"},` + bearer, `"request":{"url":"HTTPS://xn--bcher-kva.EXAMPLE/a"}`, ""},
		"bearer, a port alike":      {`"request":{"url":"https://[::1]:80/"},` + bearer, `"request":{"url":"https://[::1:80]/"}`, "auth.token"},
		"bearer, removed":           {okRequest + `,` + bearer, elsewhere + `,"auth":null`, ""},
		"basic":                     {okRequest + `,` + basic, elsewhere, "auth.password"},
		"basic, another type":       {okRequest + `,` + basic, elsewhere + `,` + bearer, ""},
		"api_key":                   {okRequest + `,` + apiKey, elsewhere, "auth.value"},
		"oauth2":                    {okRequest + `,` + oauth2Input, elsewhere, "auth.client_secret"},
		"token_url":                 {okRequest + `,` + oauth2Input, `"auth":{"token_url":"https://evil.example.org/token"}`, "auth.client_secret"},
		"token_url, masked":         {okRequest + `,` + oauth2Input, `"auth":{"token_url":"https://id.example.com/mine","client_secret":"[redacted]"}`, "auth.client_secret"},
		"token_url, given again":    {okRequest + `,` + oauth2Input, `"auth":{"token_url":"https://evil.example.org/token","client_secret":"hunter2"}`, ""},
		"scopes of the same secret": {okRequest + `,` + oauth2Input, `"auth":{"scopes":["a"]}`, ""},

		"parameter, masked": {okRequest + `,"auth":{"type":"oauth2","token_url":"https://id.example.com/token","client_id":"me","client_secret":"hunter2","parameters":{"api_key":"hunter3","audience":"a"}}`,
			`"auth":{"token_url":"https://evil.example.org/token","client_secret":"hunter2"}`, "auth.parameters.api_key"},
		"parameter, given again": {okRequest + `,"auth":{"type":"oauth2","token_url":"https://id.example.com/token","client_id":"me","client_secret":"hunter2","parameters":{"api_key":"hunter3","audience":"a"}}`,
			`"auth":{"token_url":"https://evil.example.org/token","client_secret":"hunter2","parameters":{"api_key":"hunter3"}}`, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(c.create)).want(t, http.StatusCreated)
			asked := len(b.receivers.authorized)
			got := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":1,`+c.patch+`}`)
			if c.field == "" {
				got.want(t, http.StatusOK)
				return
			}
			got.wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, c.field)
			if stored := b.subscription(t, "sub_new"); stored.Version != 1 || len(b.receivers.authorized) != asked {
				t.Errorf("stored as version %d, and %d token endpoints were asked", stored.Version, len(b.receivers.authorized)-asked)
			}
		})
	}
}
