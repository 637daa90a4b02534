package api

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// TestSOAPElements: the owner of the namespace can be set, changed and read.
func TestSOAPElements(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const create = `{"tenant":"acme","name":"n","events":["*"],"request":{"url":"https://example.com/","content_type":"text/xml","soap":{"version":"1.1",`
	elements := func(a answer, status int) any {
		return a.want(t, status)["request"].(map[string]any)["soap"].(map[string]any)["elements"]
	}
	if got := elements(b.call(t, integratorKey, "POST", "/v1/subscriptions", create+`"namespace":"urn:n","elements":"unqualified"}}}`), http.StatusCreated); got != "unqualified" {
		t.Errorf("created: %v", got)
	}
	for i, c := range []struct {
		soap string
		want any
	}{
		{`{"action":"urn:n#Update"}`, "unqualified"}, // stays
		{`{"elements":"qualified"}`, "qualified"},
		{`{"elements":"unqualified"}`, "unqualified"},
	} {
		change := fmt.Sprintf(`{"version":%d,"request":{"soap":%s}}`, i+1, c.soap)
		if got := elements(b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", change), http.StatusOK); got != c.want {
			t.Errorf("%s: %v", c.soap, got)
		}
	}
	b.call(t, integratorKey, "POST", "/v1/subscriptions", create+`"elements":"unqualified"}}}`).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "request.soap.elements")
	b.call(t, integratorKey, "POST", "/v1/subscriptions", create+`"namespace":"urn:n","elements":"none"}}}`).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "request.soap.elements")
}
