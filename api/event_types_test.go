package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

const orderPaid = "/v1/event_types/acme/order.paid"

// names lists the entries of a list, as platform/name.
func names(t *testing.T, a answer) []string {
	t.Helper()
	out := []string{}
	body := a.want(t, http.StatusOK)
	if next, there := body["next_cursor"]; next != nil || !there {
		t.Errorf("next_cursor %v", next)
	}
	for _, entry := range asList(body["data"]) {
		e := entry.(map[string]any)
		out = append(out, e["platform"].(string)+"/"+e["name"].(string))
	}
	return out
}

func TestListEventTypes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for query, want := range map[string][]string{
		"?platform=iomnihub":                       {"iomnihub/customer.created", "iomnihub/ticket.created", "iomnihub/ticket.reopened", "iomnihub/ticket.resolved", "iomnihub/ticket.tagged"},
		"?platform=IomniHub&entity=Customer":       {"iomnihub/customer.created"},
		"?platform=iomnihub&use_case=customer":     {"iomnihub/customer.created"},
		"?platform=iomnihub&text=Ticket%20RE":      {"iomnihub/ticket.reopened", "iomnihub/ticket.resolved"},
		"?platform=signalzen&text=wrote+a+message": {"signalzen/message.created"},
		"?platform=nobody":                         {},
		"?use_case=nonsense":                       {},
	} {
		if diff := cmp.Diff(want, names(t, b.call(t, publisherKey, "GET", "/v1/event_types"+query, nil))); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	all := names(t, b.call(t, viewerKey, "GET", "/v1/event_types?limit=250", nil))
	if base, err := loadCatalogue(); err != nil || len(all) != len(base.EventTypes("")) {
		t.Errorf("%d entries: %v", len(all), err)
	}
	// A platform may have another name for a use case.
	if diff := cmp.Diff(names(t, b.call(t, viewerKey, "GET", "/v1/event_types?use_case=contact", nil)),
		names(t, b.call(t, viewerKey, "GET", "/v1/event_types?use_case=Contact", nil))); diff != "" {
		t.Error(diff)
	}
}

// TestPagesOfTheCatalogue: both lists of the catalogue have pages like all others.
func TestPagesOfTheCatalogue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/v1/event_types?", "/v1/event_types?platform=commbox&", "/v1/platforms?"} {
		want := asList(b.call(t, viewerKey, "GET", path+"limit=250", nil).want(t, http.StatusOK)["data"])
		for _, limit := range []int{1, 2, 5, len(want) - 1, len(want), len(want) + 1} {
			var got []any
			cursor := ""
			for pages := 1; ; pages++ {
				page := b.call(t, viewerKey, "GET", fmt.Sprintf("%slimit=%d%s", path, limit, cursor), nil).want(t, http.StatusOK)
				got = append(got, asList(page["data"])...)
				next, more := page["next_cursor"].(string)
				if !more {
					break
				}
				if len(asList(page["data"])) != limit || pages > len(want) {
					t.Fatalf("%s page %d of %d: %d entries", path, pages, limit, len(asList(page["data"])))
				}
				cursor = "&cursor=" + next
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s in pages of %d: %s", path, limit, diff)
			}
		}
		b.call(t, viewerKey, "GET", path+"limit=251", nil).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "limit")
		b.call(t, viewerKey, "GET", path+"cursor=%3F", nil).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "cursor")
	}
}

func TestGetEventType(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.call(t, publisherKey, "GET", "/v1/event_types/SignalZen/Message.Created", nil).want(t, http.StatusOK)
	schema, _ := got["schema"].(map[string]any)
	if got["name"] != "message.created" || got["schema_state"] != "seen" || got["built_in"] != true || schema["type"] != "object" {
		t.Errorf("got %v", got)
	}
	samples := asList(got["samples"])
	if len(samples) != 2 || !cmp.Equal(samples[0].(map[string]any)["data"], got["sample"]) {
		t.Errorf("samples %v, sample %v", samples, got["sample"])
	}
	b.call(t, viewerKey, "GET", "/v1/event_types/signalzen/message.lost", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
	b.call(t, viewerKey, "GET", "/v1/event_types/nobody/message.created", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
}

// TestPutEventType: a new type is visible at once, and can be read and put again.
func TestPutEventType(t *testing.T) {
	t.Parallel()
	b := setup(t)
	input := `{"vendor_name":"Order Paid","entity":"order","description":"An order was paid.","use_cases":["contact"],
		"schema":{"type":"object","required":["id"]},"sample":{"id":1}}`
	want := map[string]any{
		"name": "order.paid", "platform": "acme", "vendor_name": "Order Paid", "entity": "order", "description": "An order was paid.",
		"use_cases": []any{"contact"}, "schema": map[string]any{"type": "object", "required": []any{"id"}}, "schema_state": "seen",
		"sample": map[string]any{"id": 1.0}, "deprecated": false, "built_in": false,
	}
	for what, got := range map[string]answer{
		"answer": b.call(t, adminKey, "PUT", orderPaid, input),
		"read":   b.call(t, viewerKey, "GET", orderPaid, nil),
	} {
		if diff := cmp.Diff(want, got.want(t, http.StatusOK)); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	// Missing members become empty.
	b.call(t, adminKey, "PUT", orderPaid, `{"sample":2}`).want(t, http.StatusOK)
	want = map[string]any{
		"name": "order.paid", "platform": "acme", "vendor_name": "", "entity": "", "description": "", "use_cases": []any{},
		"schema": nil, "schema_state": "none", "sample": 2.0, "deprecated": false, "built_in": false,
	}
	if diff := cmp.Diff(want, b.call(t, viewerKey, "GET", orderPaid, nil).want(t, http.StatusOK)); diff != "" {
		t.Error(diff)
	}
}

func TestPatchEventType(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const path = "/v1/event_types/SIGNALZEN/message.created"
	before := b.call(t, viewerKey, "GET", path, nil).want(t, http.StatusOK)
	b.call(t, adminKey, "PATCH", path, `{"deprecated":true}`).want(t, http.StatusOK)
	want := before
	want["deprecated"], want["built_in"] = true, false
	if diff := cmp.Diff(want, b.call(t, viewerKey, "GET", path, nil).want(t, http.StatusOK)); diff != "" {
		t.Error(diff)
	}
	// The built-in one is back.
	b.call(t, adminKey, "DELETE", path, nil).want(t, http.StatusNoContent)
	want["deprecated"], want["built_in"] = false, true
	if diff := cmp.Diff(want, b.call(t, viewerKey, "GET", path, nil).want(t, http.StatusOK)); diff != "" {
		t.Error(diff)
	}
	b.call(t, adminKey, "DELETE", path, nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
	b.call(t, adminKey, "PATCH", orderPaid, `{"deprecated":true}`).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
}

// TestPatchEventTypeBehindTheCache: a patch neither overwrites nor restores what another process
// has changed since.
func TestPatchEventTypeBehindTheCache(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := realCatalogue(t, b.db) // of a second process
	b.call(t, adminKey, "PUT", orderPaid, `{"vendor_name":"Order Paid","entity":"order"}`).want(t, http.StatusOK)
	second := setup(t, func(c *Config) { c.Catalogue, c.Store = other, b.store })
	second.call(t, adminKey, "PATCH", orderPaid, `{"description":"An order was paid."}`).want(t, http.StatusOK)

	got := b.call(t, adminKey, "PATCH", orderPaid, `{"entity":"payment"}`).want(t, http.StatusOK)
	if got["description"] != "An order was paid." || got["entity"] != "payment" || got["vendor_name"] != "Order Paid" {
		t.Errorf("patched by both: %v", got)
	}
	second.call(t, adminKey, "DELETE", orderPaid, nil).want(t, http.StatusNoContent)
	b.call(t, adminKey, "PATCH", orderPaid, `{"deprecated":true}`).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
	if stored, err := b.db.EventTypes(t.Context()); err != nil || len(stored) != 0 {
		t.Errorf("stored again: %v, %v", stored, err)
	}
}

// TestPatchEventTypeOfNow: nor does it overwrite what is stored while the patch runs.
func TestPatchEventTypeOfNow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call(t, adminKey, "PUT", orderPaid, `{"entity":"order"}`).want(t, http.StatusOK)
	overtaken := setup(t, func(c *Config) {
		c.Catalogue, c.Store = frozen{realCatalogue(t, b.db)}, b.store
	})
	b.call(t, adminKey, "PATCH", orderPaid, `{"entity":"payment"}`).want(t, http.StatusOK)
	got := overtaken.call(t, adminKey, "PATCH", orderPaid, `{"description":"x"}`).want(t, http.StatusOK)
	if got["entity"] != "payment" || got["description"] != "x" {
		t.Errorf("got %v", got)
	}
}

// frozen is a catalogue that never refreshes.
type frozen struct{ Catalogue }

func (frozen) Refresh(context.Context) error { return nil }

// TestSamples: the sample is always the first of the samples.
func TestSamples(t *testing.T) {
	t.Parallel()
	b := setup(t)
	steps := []struct{ method, body, sample, samples string }{
		{"PUT", `{"samples":[{"name":"a","data":1},{"name":"b","data":2}]}`, `1`, `[{"name":"a","data":1},{"name":"b","data":2}]`},
		{"PATCH", `{"sample":3}`, `3`, `[{"name":"a","data":3},{"name":"b","data":2}]`},
		{"PATCH", `{"samples":[{"name":"c","data":4}]}`, `4`, ``},
		{"PATCH", `{"sample":null}`, `null`, ``},
		{"PATCH", `{"samples":[]}`, `null`, ``},
	}
	for _, s := range steps {
		b.call(t, adminKey, s.method, orderPaid, s.body).want(t, http.StatusOK)
		var got struct {
			Sample, Samples json.RawMessage
		}
		if err := json.Unmarshal(b.call(t, viewerKey, "GET", orderPaid, nil).body, &got); err != nil {
			t.Fatal(err)
		}
		if string(got.Sample) != s.sample || string(got.Samples) != s.samples {
			t.Errorf("%s %s: sample %s, samples %s", s.method, s.body, got.Sample, got.Samples)
		}
	}
}

// TestCatalogueIsEverybodys: a tenant's admin may not change the catalogue.
func TestCatalogueIsEverybodys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, call := range []string{"PUT " + orderPaid, "PATCH /v1/event_types/ziwo/call.created", "DELETE /v1/event_types/ziwo/call.created"} {
		method, path, _ := strings.Cut(call, " ")
		b.call(t, acmeAdminKey, method, path, `{}`).wantProblem(t, http.StatusForbidden, switchboard.CodeForbidden, "")
	}
	if b.stored(t) {
		t.Error("something was stored")
	}
}

func TestListPlatforms(t *testing.T) {
	t.Parallel()
	got := setup(t).call(t, publisherKey, "GET", "/v1/platforms", nil).want(t, http.StatusOK)
	var found []string
	for _, entry := range asList(got["data"]) {
		p := entry.(map[string]any)
		found = append(found, p["name"].(string))
		ours := p["name"] == switchboard.OperationalPlatform // the platform without use cases
		if p["title"] == "" || p["profile"].(map[string]any)["request"] == nil || (len(asList(p["use_cases"])) == 0) != ours {
			t.Errorf("%v", p)
		}
	}
	if diff := cmp.Diff([]string{"commbox", "firstline", "iomnihub", "signalzen", "switchboard", "ziwo"}, found); diff != "" {
		t.Error(diff)
	}
}
