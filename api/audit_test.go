package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// audited is what each changing call of the table [calls] leaves in the audit: verb, kind, object,
// tenant and reason.
var audited = map[string]string{
	"DELETE /v1/events/evt_acme/data?reason=asked":    "erase event evt_acme acme asked",
	"POST /v1/subscriptions":                          "create subscription sub_new acme ",
	"PATCH /v1/subscriptions/sub_acme":                "update subscription sub_acme acme ",
	"DELETE /v1/subscriptions/sub_acme?reason=asked":  "delete subscription sub_acme acme asked",
	"POST /v1/subscriptions/sub_acme/rotate_secret":   "rotate_secret subscription sub_acme acme ",
	"POST /v1/subscriptions/sub_acme/pause":           "pause subscription sub_acme acme r",
	"POST /v1/subscriptions/sub_paused/resume":        "resume subscription sub_paused acme ",
	"POST /v1/subscriptions/sub_paused/disable":       "disable subscription sub_paused acme r",
	"POST /v1/subscriptions/sub_disabled/enable":      "enable subscription sub_disabled acme ",
	"POST /v1/deliveries/dlv_acme/retry":              "retry delivery dlv_acme acme ",
	"POST /v1/deliveries/dlv_acme/cancel":             "cancel delivery dlv_acme acme r",
	"POST /v1/deliveries/dlv_acme/hold":               "hold delivery dlv_acme acme r",
	"POST /v1/deliveries/dlv_acme/resend":             "resend delivery dlv_acme acme r",
	"POST /v1/deliveries/dlv_held/release":            "release delivery dlv_held acme ",
	"POST /v1/operations":                             "start operation op_1 acme r",
	"POST /v1/operations/op_retry/pause":              "pause operation op_retry acme r",
	"POST /v1/operations/op_paused/resume":            "resume operation op_paused acme ",
	"POST /v1/operations/op_paused/cancel":            "cancel operation op_paused acme r",
	"PUT /v1/event_types/iomnihub/ticket.created":     "update event_type iomnihub/ticket.created  ",
	"PATCH /v1/event_types/iomnihub/ticket.created":   "update event_type iomnihub/ticket.created  ",
	"DELETE /v1/event_types/iomnihub/ticket.created":  "delete event_type iomnihub/ticket.created  ",
	"DELETE /v1/tenants/acme?reason=asked":            "erase tenant acme acme asked",
	"POST /v1/keys":                                   "create key key_new  ",
	"DELETE /v1/keys/key_globex?reason=asked":         "revoke key key_globex globex asked",
	"POST /v1/portal_links":                           "create portal_link plk_new acme ",
	"DELETE /v1/sessions/ses_globex?reason=asked":     "revoke session ses_globex globex asked",
	"DELETE /v1/portal_links/plk_globex?reason=asked": "revoke portal_link plk_globex globex asked",
}

// unaudited are the calls that change nothing, or only add events and their deliveries, which are
// their own record.
var unaudited = []string{
	"POST /v1/events", "POST /v1/events/batch", "POST /v1/subscriptions/sub_acme/test", "POST /v1/subscriptions/sub_acme/trigger",
	"POST /v1/subscriptions/sub_acme/preview", "POST /v1/preview", "POST /v1/deliveries/dlv_acme/preview", "POST /v1/subscriptions/sub_acme/match", "POST /v1/match",
	"POST /v1/subscriptions/sub_acme/verify", // of one that is active: see TestAuditOfVerification
}

// actions returns the rows of the audit since the test began, newest first.
func (b *bundle) actions(t *testing.T) []switchboard.AuditEntry {
	t.Helper()
	page, err := b.db.Audit(t.Context(), anybody(), switchboard.AuditFilter{After: created}, switchboard.PageRequest{Limit: switchboard.MaxPage})
	must(t, err)
	return slices.DeleteFunc(page.Items, func(e switchboard.AuditEntry) bool { return e.Actor == "key_anybody" })
}

// TestEveryChangeIsAudited calls every route except GET.
func TestEveryChangeIsAudited(t *testing.T) {
	t.Parallel()
	for _, c := range calls {
		method, path, _ := strings.Cut(c.call, " ")
		if method == http.MethodGet {
			continue
		}
		t.Run(c.call, func(t *testing.T) {
			t.Parallel()
			b := seeded(t)
			b.call(t, adminKey, method, path, c.body, "Switchboard-Actor", "Ana", "X-Request-Id", "req-of-the-test").want(t, c.status)
			found := b.actions(t)
			want, known := audited[c.call]
			if known == slices.Contains(unaudited, c.call) {
				t.Fatal("say in this file whether it is audited")
			}
			if !known {
				if len(found) > 0 {
					t.Errorf("it is audited: %+v", found)
				}
				return
			}
			if len(found) != 1 {
				t.Fatalf("%d entries: %+v", len(found), found)
			}
			e := found[0]
			got := fmt.Sprintf("%s %s %s %s %s", e.Verb, e.Kind, b.named([]byte(e.Object)), e.Tenant, e.Reason)
			if got != want {
				t.Errorf("%s\nwant %s", got, want)
			}
			who := fmt.Sprintf("%s %s %s %s %s %s %s", b.named([]byte(e.Actor)), e.ActorName, e.Role, e.Person, e.RequestID, e.Origin, e.Address)
			if who != "key_admin admin admin Ana req-of-the-test api 192.0.2.1" {
				t.Errorf("by %s", who)
			}
		})
	}
}

// TestRefusedCallsAreNotAudited makes each changing call with an unknown parameter, with a key that
// may not, and with an object whose state refuses it.
func TestRefusedCallsAreNotAudited(t *testing.T) {
	t.Parallel()
	b := seeded(t)
	for call := range audited {
		method, path, _ := strings.Cut(call, " ")
		path, _, _ = strings.Cut(path, "?")
		b.call(t, adminKey, method, path+"?nonsense=1", `{"reason":"r"}`).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "nonsense")
		b.call(t, publisherKey, method, path, `{"reason":"r"}`).wantProblem(t, http.StatusForbidden, switchboard.CodeForbidden, "")
	}
	for _, call := range []string{
		"POST /v1/subscriptions/sub_acme/resume", "POST /v1/subscriptions/sub_acme/enable", "POST /v1/subscriptions/sub_paused/pause", "POST /v1/subscriptions/sub_disabled/disable",
		"POST /v1/deliveries/dlv_acme/release", "POST /v1/deliveries/dlv_globex/hold", "PATCH /v1/subscriptions/sub_acme",
	} {
		method, path, _ := strings.Cut(call, " ")
		body := `{"reason":"r"}`
		if method == http.MethodPatch {
			body = `{"version":1,"name":"x"}`
		}
		b.call(t, adminKey, method, path, body).wantProblem(t, http.StatusConflict, switchboard.CodeConflict, map[bool]string{true: "version"}[method == http.MethodPatch])
	}
	if found := b.actions(t); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}

// TestReasons: calls that hold, end or delete something need a reason.
func TestReasons(t *testing.T) {
	t.Parallel()
	b := seeded(t)
	for _, path := range []string{
		"/v1/deliveries/dlv_acme/cancel", "/v1/deliveries/dlv_acme/hold", "/v1/subscriptions/sub_acme/pause", "/v1/subscriptions/sub_acme/disable",
	} {
		for _, body := range []string{`{}`, `{"reason":""}`, `{"reason":" "}`, `{"reason":null}`} {
			b.call(t, adminKey, "POST", path, body).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "reason")
		}
	}
	for _, path := range []string{"/v1/subscriptions/sub_acme", "/v1/keys/key_globex", "/v1/sessions/ses_globex", "/v1/portal_links/plk_globex", "/v1/tenants/acme", "/v1/events/evt_acme/data"} {
		for _, query := range []string{"", "?reason=", "?reason=%20"} {
			b.call(t, adminKey, "DELETE", path+query, nil).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "reason")
		}
	}
	if b.stored(t) {
		t.Error("something was stored")
	}
}
