package api

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// payloadRules says what a key without read_payload does not get from a call.
var payloadRules = map[string]string{
	"GET /v1/events/{id}":                          "no data; their length, type, SHA-256 and shape",
	"GET /v1/subscriptions":                        ofSubscriptions,
	"GET /v1/subscriptions/{id}":                   ofSubscriptions,
	"POST /v1/subscriptions":                       ofSubscriptions,
	"PATCH /v1/subscriptions/{id}":                 ofSubscriptions,
	"POST /v1/subscriptions/{id}/rotate_secret":    ofSubscriptions,
	"POST /v1/subscriptions/{id}/verify":           ofSubscriptions,
	"POST /v1/subscriptions/{id}/pause":            ofSubscriptions,
	"POST /v1/subscriptions/{id}/resume":           ofSubscriptions,
	"POST /v1/subscriptions/{id}/disable":          ofSubscriptions,
	"POST /v1/subscriptions/{id}/enable":           ofSubscriptions,
	"POST /v1/subscriptions/{id}/trigger":          "no body and few headers of the receiver's answer",
	"POST /v1/subscriptions/{id}/preview":          "403",
	"POST /v1/preview":                             "403",
	"POST /v1/subscriptions/{id}/match":            "no values that were found in the data",
	"POST /v1/match":                               "no values that were found in the data; 403 with event_id",
	"GET /v1/deliveries/{id}/attempts/{n}/request": "no body, path, query and few headers",
	"POST /v1/deliveries/{id}/preview":             "no body, path, query and few headers",
	"GET /v1/deliveries/{id}":                      "no bodies, paths, queries and few headers of its attempts",
}

const ofSubscriptions = "no path and query of its URLs, params, SOAP action and parameters, auth parameters; few headers"

// permissions returns the table of docs/permissions.md, from the routes.
func permissions() string {
	var out strings.Builder
	out.WriteString("| call | admin | publisher | integrator | support | viewer | without `read_payload` |\n|---|---|---|---|---|---|---|\n")
	for _, r := range (&server{}).routes() {
		fmt.Fprintf(&out, "| `%s` |", r.Call())
		for _, role := range switchboard.Roles() {
			mark := " "
			if role == switchboard.RoleAdmin || slices.Contains(r.Roles(), role) {
				mark = " ● "
			}
			out.WriteString(mark + "|")
		}
		fmt.Fprintf(&out, " %s |\n", payloadRules[r.Call()])
	}
	return out.String()
}

// TestPermissionsDocument: the document has the table of the routes. UPDATE_DOCS=1 writes it.
func TestPermissionsDocument(t *testing.T) {
	t.Parallel()
	const file, begin = "../docs/permissions.md", "| call |"
	text, err := os.ReadFile(file)
	must(t, err)
	before, table, _ := strings.Cut(string(text), begin)
	if os.Getenv("UPDATE_DOCS") != "" {
		must(t, os.WriteFile(file, []byte(before+permissions()), 0o644))
		return
	}
	if diff := cmp.Diff(permissions(), begin+table); diff != "" {
		t.Errorf("run UPDATE_DOCS=1 go test ./api/ -run %s:\n%s", t.Name(), diff)
	}
	known := map[string]bool{}
	for _, r := range (&server{}).routes() {
		known[r.Call()] = true
	}
	for call := range payloadRules {
		if !known[call] {
			t.Errorf("payloadRules has %s, which is no route", call)
		}
	}
}
