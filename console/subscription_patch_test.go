package console

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/signing"
)

// stored is a subscription in the form of the API.
func stored() *client.Subscription {
	sub := &client.Subscription{Subscription: switchboard.Subscription{
		ID: "sub_1", Tenant: "acme", Name: "CRM", Events: []string{"ticket.*", "call.rang"}, Filter: json.RawMessage(`{"data":{"n":{"$gte":12345678901234567890}}}`),
		Request: switchboard.Request{
			URL: "https://crm.example.com/hook", Headers: switchboard.Headers{"X-Env": "prod", "X-Api-Key": "hunter2"},
			Envelope: &switchboard.EnvelopeFields{ID: "id", Type: "event"},
		},
		Auth:      switchboard.Auth{Type: switchboard.AuthBasic, Username: "joe", Password: "hunter2"},
		RateLimit: switchboard.RateLimit{PerSecond: 2.5}, Adaptive: switchboard.Adaptive{Enabled: true}, Version: 6,
	}}
	sub.SetDefaults()
	sub.Subscription.Signature.Scheme = "standard"
	sub.Signature.Signature = sub.Subscription.Signature
	return sub
}

// TestFields: every member that callers set is in the form, once, with its words.
func TestFields(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range subscriptionFields(true) {
		if seen[f.Path] || f.Kind == "" || f.Doc == "" && f.Path != "signature.scheme" {
			t.Errorf("%s: %+v", f.Path, f)
		}
		seen[f.Path] = true
	}
	for _, path := range []string{"tenant", "name", "profile", "events", "filter", "request.url", "request.soap", "request.headers", "signature.scheme", "secret", "auth.type",
		"auth.private_key", "verification", "retry.maximum_attempts", "timeout", "adaptive.enabled", "rate_limit.per_second", "ordering", "release_rate", "breaker.disable_after"} {
		if !seen[path] {
			t.Errorf("%s is not in the form", path)
		}
	}
	for _, path := range []string{"id", "version", "state", "unreadable", "created_at"} {
		if seen[path] {
			t.Errorf("%s is in the form", path)
		}
	}
	var known []string
	for _, scheme := range signing.Schemes() {
		known = append(known, string(scheme))
	}
	if diff := cmp.Diff(known, schemes()); diff != "" {
		t.Errorf("schemes: %s", diff)
	}
}

func TestPatch(t *testing.T) {
	t.Parallel()
	fields := subscriptionFields(false)
	base, err := textsOf(fields, stored())
	must(t, err)
	for _, c := range []struct {
		name  string
		typed map[string]string
		want  string
	}{
		{"nothing", nil, `{}`},
		{"a name", map[string]string{"name": "<b>CRM</b>"}, `{"name":"<b>CRM</b>"}`},
		{"no name", map[string]string{"name": " "}, `{"name":null}`},
		{"events", map[string]string{"events": "ticket.*\n\n  call.ended "}, `{"events":["ticket.*","call.ended"]}`},
		{"a number as it was written", map[string]string{"filter": `{"data":{"n":12345678901234567891}}`}, `{"filter":{"data":{"n":12345678901234567891}}}`},
		{"no filter", map[string]string{"filter": ""}, `{"filter":null}`},
		{"a header more, and one less", map[string]string{"request.headers": "X-Api-Key: ••••\nX-New: a: b"}, `{"request":{"headers":{"X-Env":null,"X-New":"a: b"}}}`},
		{"another secret header", map[string]string{"request.headers": "X-Api-Key: other\nX-Env: prod"}, `{"request":{"headers":{"X-Api-Key":"other"}}}`},
		{"a member of an object less", map[string]string{"request.envelope": `{"id":"uid"}`}, `{"request":{"envelope":{"id":"uid","type":null}}}`},
		{"no object", map[string]string{"request.envelope": ""}, `{"request":{"envelope":null}}`},
		{"a secret", map[string]string{"auth.password": "new"}, `{"auth":{"password":"new"}}`},
		{"another auth", map[string]string{"auth.type": "bearer", "auth.token": "t"}, `{"auth":{"token":"t","type":"bearer"}}`},
		{"no auth", map[string]string{"auth.type": "", "auth.username": ""}, `{"auth":null}`},
		{"no rate limit", map[string]string{"rate_limit.per_second": "", "rate_limit.burst": "3"}, `{"rate_limit":null}`},
		{"a timeout is not fixed", map[string]string{"timeout": "5s"}, `{"adaptive":{"enabled":true},"timeout":"5s"}`},
		{"a timeout is fixed", map[string]string{"timeout": "5s", "adaptive.enabled": "false"}, `{"adaptive":{"enabled":false},"timeout":"5s"}`},
		{"no number", map[string]string{"max_in_flight": "many"}, `{"max_in_flight":"many"}`},
		{"a number", map[string]string{"max_in_flight": " 7 "}, `{"max_in_flight":7}`},
	} {
		typed := maps.Clone(base)
		maps.Copy(typed, c.typed)
		patch, err := patchOf(fields, base, typed)
		must(t, err)
		if got := string(encoded(patch)); got != c.want {
			t.Errorf("%s: %s; want %s", c.name, got, c.want)
		}
	}
	for path, text := range map[string]string{"filter": "{", "request.headers": "no colon", "auth.parameters": "a: 1\na: 2"} {
		typed := maps.Clone(base)
		typed[path] = text
		if _, err := patchOf(fields, base, typed); switchboard.CodeOf(err) != switchboard.CodeInvalid {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestSecretsAreNotShown: neither a form nor a list of settings contains them.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	fields := subscriptionFields(false)
	texts, err := textsOf(fields, stored())
	must(t, err)
	if texts["auth.password"] != "" || texts["request.headers"] != "X-Api-Key: ••••\nX-Env: prod" {
		t.Errorf("%q", texts)
	}
	typed := typedForm{texts: texts, base: texts}
	typed.texts["auth.password"] = "hunter3"
	shown, err := formOf(fields, typed, stored())
	must(t, err)
	for _, s := range shown.Sections {
		for _, f := range s.Fields {
			if f.Path == "auth.password" && (f.Value != "" || !f.Kept || f.Fault == "") {
				t.Errorf("%+v", f)
			}
		}
	}
	sections, err := settingsOf(stored())
	must(t, err)
	text, err := json.Marshal(sections)
	must(t, err)
	if diff := cmp.Diff([]bool{true, false}, []bool{json.Valid(text), strings.Contains(string(text), "hunter2")}); diff != "" {
		t.Errorf("%s: %s", diff, text)
	}
}

func TestMergeForms(t *testing.T) {
	t.Parallel()
	fields := []formField{{Path: "name"}, {Path: "url"}, {Path: "timeout"}, {Path: "rate"}, {Path: "token", Kind: fieldSecret}}
	base := map[string]string{"name": "a", "url": "b", "timeout": "1s", "rate": "1"}
	typed := map[string]string{"name": "mine", "url": "b", "timeout": "2s", "rate": "1", "token": "t"}
	theirs := map[string]string{"name": "theirs", "url": "c", "timeout": "2s", "rate": "1"}
	merged, rows := mergeForms(fields, base, typed, theirs)
	if diff := cmp.Diff(map[string]string{"name": "mine", "url": "c", "timeout": "2s", "rate": "1", "token": "t"}, merged); diff != "" {
		t.Error(diff)
	}
	want := []conflictRow{
		{Path: "name", Before: "a", Yours: "mine", Stored: "theirs", Both: true},
		{Path: "url", Before: "b", Yours: "b", Stored: "c"},
		{Path: "timeout", Before: "1s", Yours: "2s", Stored: "2s"},
		{Path: "token", Before: kept, Yours: "another " + kept, Stored: kept},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
}

// TestBlame: a fault inside a member is shown at the member.
func TestBlame(t *testing.T) {
	t.Parallel()
	p := subscriptionForm{Sections: []formSection{{Fields: []formField{{Path: "request.url"}, {Path: "request.headers"}}}}}
	p.blame([]fieldFault{{"subscription.request.headers.X-Api-Key", "must be given again"}, {"request.url", "is required"}, {"data", "is not JSON"}})
	fields := p.Sections[0].Fields
	if fields[0].Fault != "is required" || fields[1].Fault != "X-Api-Key must be given again" {
		t.Errorf("%+v", fields)
	}
	if diff := cmp.Diff([]fieldFault{{"request.headers", "X-Api-Key must be given again"}, {"request.url", "is required"}, {"data", "is not JSON"}}, p.Faults); diff != "" {
		t.Error(diff)
	}
}

func TestReleasePlan(t *testing.T) {
	t.Parallel()
	sub := func(held, rate, inFlight, p50 int, perSecond float64) *client.Subscription {
		s := &client.Subscription{Subscription: switchboard.Subscription{ReleaseRate: rate, MaxInFlight: inFlight, RateLimit: switchboard.RateLimit{PerSecond: perSecond}}}
		s.Health = &client.EndpointHealth{Held: client.HeldDeliveries{Count: held}}
		s.Activity = &client.Activity{Attempts: switchboard.TrafficCount{P50: p50}}
		return s
	}
	for _, c := range []struct {
		name string
		sub  *client.Subscription
		want time.Duration
	}{
		{"none", sub(0, 50, 16, 100, 0), 0},
		{"one", sub(1, 50, 16, 100, 0), time.Second},
		{"by the release", sub(1000, 50, 16, 100, 0), 20 * time.Second},
		{"by requests at a time", sub(1000, 50, 2, 500, 0), 250 * time.Second},
		{"by the rate limit", sub(1000, 50, 16, 100, 2), 500 * time.Second},
		{"of a healthy one", &client.Subscription{}, 0},
	} {
		if got := releasePlanOf(c.sub).Takes; got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestStanding(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	later, before := now.Add(time.Minute), now.Add(-time.Minute)
	active, closed := switchboard.SubscriptionActive, switchboard.BreakerClosed
	for name, c := range map[string]struct {
		state  switchboard.SubscriptionState
		health *client.EndpointHealth
		want   standing
	}{
		"healthy":             {active, nil, standing{Healthy: true}},
		"held by an operator": {active, &client.EndpointHealth{Breaker: closed}, standing{Healthy: true}},
		"paused":              {switchboard.SubscriptionPaused, nil, standing{Paused: true}},
		"asked to wait":       {active, &client.EndpointHealth{Breaker: closed, DeferredUntil: &later}, standing{Wait: &later}},
		"has waited":          {active, &client.EndpointHealth{Breaker: closed, DeferredUntil: &before}, standing{Healthy: true}},
		"queue":               {active, &client.EndpointHealth{Breaker: closed, Queue: "rate_limited"}, standing{Queue: "rate limited"}},
	} {
		sub := client.Subscription{Subscription: switchboard.Subscription{State: c.state}, Health: c.health}
		if diff := cmp.Diff(c.want, standingOf(&sub, now)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestSpark(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	a := &client.Activity{Since: since, Hours: []switchboard.ActivityHour{{At: since, Attempts: 100}, {At: since.Add(24 * time.Hour), Attempts: 1000, Failed: 3}}}
	if diff := cmp.Diff(spark{All: "M2 16v-1M98 16v-16", Failed: "M98 16v-1"}, sparkOf(a)); diff != "" {
		t.Error(diff)
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	changed := func(paths ...string) switchboard.AuditChanges {
		c := switchboard.AuditChanges{"version": {Before: json.RawMessage("6"), After: json.RawMessage("7")}}
		for _, p := range paths {
			c[p] = switchboard.AuditChange{Hidden: true}
		}
		return c
	}
	entries := []switchboard.AuditEntry{
		{At: at.Add(time.Hour), Verb: switchboard.AuditRotateSecret, Actor: "switchboard"},
		{At: at, Verb: switchboard.AuditUpdate, Actor: "key_01k00000000000000000000d2", ActorName: "desk", Person: "Ana", Changed: changed("auth", "name", "timeout", "events")},
	}
	want := []chartMark{
		{at, "update: auth, events, name and 1 more (version 6 → 7), by Ana with desk (…000000d2)"},
		{at.Add(time.Hour), "rotate secret, by switchboard"},
	}
	if diff := cmp.Diff(want, marksOf(entries)); diff != "" {
		t.Error(diff)
	}
}
