package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// parameters returns the parameters of every operation in the document.
func parameters(t *testing.T, b *bundle, in string) map[string][]string {
	t.Helper()
	names := map[string][]string{}
	doc := b.call(t, "", "GET", "/openapi.json", nil).want(t, http.StatusOK)
	for path, item := range doc["paths"].(map[string]any) {
		path = strings.NewReplacer("{id}", "x", "{platform}", "p", "{name}", "n").Replace(path)
		for method, op := range item.(map[string]any) {
			for _, p := range asList(op.(map[string]any)["parameters"]) {
				if param := p.(map[string]any); param["in"] == in {
					call := strings.ToUpper(method) + " " + path
					names[call] = append(names[call], param["name"].(string))
				}
			}
		}
	}
	return names
}

// TestEmptyParameters: an empty parameter, for example from a script's empty variable, is not a
// request for everything.
func TestEmptyParameters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tried := 0
	for call, names := range parameters(t, b, "query") {
		method, path, _ := strings.Cut(call, " ")
		for _, name := range names {
			for _, query := range []string{name, name + "=", name + "=&" + name + "=x", name + "=1&" + name + "="} {
				tried++
				b.call(t, adminKey, method, path+"?"+query, nil).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, name)
			}
		}
	}
	if tried < 100 {
		t.Errorf("tried %d only", tried)
	}
}

func TestRepeatedParameters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct{ call, field string }{
		{"GET /v1/events?tenant=acme&tenant=globex", "tenant"},
		{"GET /v1/events?tenant=acme&tenant=acme", "tenant"},
		{"GET /v1/deliveries?limit=1&limit=2", "limit"},
		{"GET /v1/deliveries?stuck=true&stuck=false", "stuck"},
		{"GET /v1/deliveries?after=2026-01-31T12:00:00Z&after=2026-01-31T12:00:00Z", "after"},
		{"GET /v1/subscriptions?state=active&state=paused", "state"},
		{"GET /v1/event_types?platform=a&platform=b", "platform"},
		{"DELETE /v1/subscriptions/sub_acme?reason=a&reason=b", "reason"},
		{"POST /v1/subscriptions/sub_acme/trigger?wait=1s&wait=2s", "wait"},
		{"GET /v1/deliveries?state=failed&state=held&host=a&host=b", "host"},
		{"GET /v1/deliveries?state=failed,,held", "state"},
		{"GET /v1/deliveries?state=failed,", "state"},
		{"GET /v1/deliveries?state=,", "state"},
		{"GET /v1/deliveries?%73tuck=", "stuck"},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		p := b.call(t, adminKey, method, path, `{"data":1}`).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, c.field)
		if b.stored(t) {
			t.Errorf("%s: something was stored", c.call)
		}
		if strings.Contains(p.Detail, "globex") {
			t.Errorf("%s: %s", c.call, p.Detail)
		}
	}
	b.call(t, adminKey, "GET", "/v1/deliveries?state=failed&state=held,blocked&state=failed", nil).want(t, http.StatusOK)
	if got := len(b.store.deliveries.States); got != 4 {
		t.Errorf("%d states", got)
	}
}

// TestTimeParameters: an invalid time is refused with the same text as in a body.
func TestTimeParameters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const example = `must be a time in RFC 3339, such as "2026-01-31T12:00:00Z"`
	for _, list := range []string{"/v1/events", "/v1/deliveries"} {
		for _, name := range []string{"after", "before"} {
			for raw, want := range map[string]string{
				"2026-01-31T18:00:00+05:00":   "has a blank where the + of its offset belongs: write it as %2B",
				"2026-01-31T18:00:00.5+00:00": "has a blank where the + of its offset belongs: write it as %2B",
				"2026-01-31+18:00:00Z":        example,
				"2026-01-31":                  example,
				"yesterday":                   example,
				"1769860800":                  example,
				"2026-01-31T18:00:00%2B24:00": example,
				"2026-01-31T18:00:00,5Z":      example,
				"0001-01-01T00:00:00Z":        "is the zero time",
				"0000-01-01T00:00:00Z":        "must be in the years 1 to 9999",
			} {
				p := b.call(t, adminKey, "GET", list+"?"+name+"="+raw, nil).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, name)
				if !strings.HasPrefix(p.Detail, name+": "+want) || len(p.Errors) != 1 || p.Detail != name+": "+p.Errors[0].Message {
					t.Errorf("%s: %s", raw, p.Detail)
				}
			}
			for _, good := range []string{"2026-01-31t18:00:00z", "2026-01-31T18:00:00%2B05:00", "2026-01-31T18:00:00-05:00", "2016-12-31T23:59:60Z"} {
				b.call(t, adminKey, "GET", list+"?"+name+"="+good, nil).want(t, http.StatusOK)
			}
		}
	}
	b.call(t, adminKey, "GET", "/v1/events?after="+url.QueryEscape("2026-01-31T18:00:00+05:00"), nil).want(t, http.StatusOK)
	if got := b.store.events.After.UTC().String(); got != "2026-01-31 13:00:00 +0000 UTC" {
		t.Errorf("after %s", got)
	}
}
