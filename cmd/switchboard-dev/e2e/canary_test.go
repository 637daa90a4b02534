package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// canaries are words for what nobody may find.
type canaries struct {
	secret  string // in credentials, queries, params: readable nowhere
	payload string // in events, paths, plain headers, answers: readable in Postgres, and with read_payload
}

// TestNothingLeaks: with traffic of every kind, secrets are in no log, metric, audit or history,
// and in no table that is readable without the encryption keys. Payloads are only in the tables of
// events, attempts and subscriptions, and in no answer to a key without read_payload.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	c := canaries{switchboard.NewID("canary-secret-", time.Now()), switchboard.NewID("canary-payload-", time.Now())}
	s := newSystem(t)
	acme := s.leakyTraffic(c)

	words := map[string][]string{"secret": {c.secret}, "payload": {c.payload}, "key": {s.key.Reveal(), acme.secret.Reveal()}}
	metrics, err := s.try("", http.MethodGet, "/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	var histories string // Temporal lists a workflow some time after its start
	await(t, "all deliveries in the histories", func() bool {
		histories = s.histories()
		return !slices.ContainsFunc(acme.posted, func(id string) bool { return !strings.Contains(histories, id) })
	})
	places := map[string]string{
		"log": s.log.String(), "metrics": string(metrics.body), "histories": histories,
		"audit": string(s.call(http.MethodGet, "/v1/actions?limit=250", nil).body),
	}
	for kind, found := range words {
		for place, text := range places {
			if len(text) < 100 {
				t.Errorf("there is next to nothing in the %s: %q", place, text)
			}
			for _, word := range found {
				if at := strings.Index(text, word); at >= 0 {
					t.Errorf("a %s is in the %s: %q", kind, place, text[max(0, at-200):at+len(word)])
				}
			}
		}
		for _, word := range found {
			s.searchDumps(kind, word)
		}
	}
	shown := 0
	for _, role := range []string{"support", "viewer"} {
		key := s.newKey(role, "acme") // without read_payload
		for _, path := range s.readable(acme.property) {
			masked, whole := s.as(key, http.MethodGet, path, nil), s.call(http.MethodGet, path, nil)
			if whole.status == http.StatusOK && masked.status != http.StatusOK && masked.status != http.StatusForbidden {
				t.Errorf("%s %s: answered %d %s", role, path, masked.status, masked.body)
			}
			for _, word := range []string{c.secret, c.payload} {
				if strings.Contains(string(masked.body), word) {
					t.Errorf("%s reads %s in %s:\n%s", role, word, path, masked.body)
				}
			}
			if strings.Contains(string(whole.body), c.payload) {
				shown++
			}
		}
	}
	if shown < 6 { // of an event, of deliveries, and of subscriptions; for each role
		t.Errorf("only %d answers show the payload to who may read it: the search proves nothing", shown)
	}
}

// searchDumps searches all databases for a word, without the encryption keys.
func (s *system) searchDumps(kind, word string) {
	s.t.Helper()
	for _, url := range []string{s.config.DatabaseURL, shared.databases.Server(s.t).URL("temporal"), shared.databases.Server(s.t).URL("temporal_visibility")} {
		for _, table := range holding(s.t, url, word) {
			belongs := kind == "payload" && url == s.config.DatabaseURL &&
				slices.ContainsFunc([]string{"events", "attempts", "subscriptions"}, func(name string) bool { return table == name || strings.HasPrefix(table, name+"_") })
			if !belongs {
				s.t.Errorf("a %s is readable in the table %s", kind, table)
			}
		}
	}
}

// readable returns the paths of all GET calls of the API, with the ids of p.
func (s *system) readable(p property) []string {
	s.t.Helper()
	document := as[struct {
		Paths map[string]map[string]any `json:"paths"`
	}](s.t, s.call(http.MethodGet, "/openapi.json", nil))
	var paths []string
	for path, item := range document.Paths {
		if item["get"] == nil || strings.Contains(path, "/event_types/") || strings.Contains(path, "/jwks") {
			continue
		}
		if before, after, of := strings.Cut(path, "{id}"); of {
			path = before + idFor(http.MethodGet+" "+path, p) + after
		}
		paths = append(paths, strings.Replace(path, "{n}", "1", 1))
	}
	slices.Sort(paths)
	return paths
}

// leaky is what leakyTraffic made.
type leaky struct {
	property
	secret switchboard.Secret // the first signing secret
	posted []string           // the deliveries of its events
}

// leakyTraffic makes subscriptions, events, deliveries and mistakes that contain canaries, for
// acme.
func (s *system) leakyTraffic(c canaries) leaky {
	s.t.Helper()
	r := newReceiverFunc(s.t, func(_ int, w http.ResponseWriter, request *http.Request) {
		w.Header().Set("X-Canary", c.payload)
		w.Header().Set("Location", "https://"+request.Host+"/"+c.payload+"?token="+c.secret)
		body, _ := io.ReadAll(request.Body)
		switch {
		case strings.Contains(string(body), "fail"):
			w.WriteHeader(http.StatusServiceUnavailable)
		case strings.Contains(string(body), "move"):
			w.WriteHeader(http.StatusFound)
		}
		_, _ = fmt.Fprintf(w, `{"error":%q}`, c.payload)
	})
	request := func(base, text string) fields {
		return fields{
			"url": base + "/" + c.payload + "?token=" + c.secret, "headers": fields{"X-Plain": c.payload, "X-Api-Key": c.secret},
			"body": "params", "params": fields{"text": c.secret + text},
		}
	}
	auth := fields{"type": "basic", "username": "me", "password": c.secret}
	closed := freeAddr(s.t)
	out := leaky{property: s.populate("acme", newReceiver(s.t, http.StatusServiceUnavailable).URL)}
	// Every failure describes itself in words: of the receiver, of the connection, of the template.
	out.subscription, out.secret = s.subscribe(r.URL, fields{"retry": hourly["retry"], "auth": auth, "request": request(r.URL, " {{ what }}")})
	s.subscribe(r.URL, fields{"retry": hourly["retry"], "auth": auth, "request": request("http://"+closed, "")})
	s.subscribe(r.URL, fields{"retry": hourly["retry"], "auth": auth, "request": request(r.URL, " {{ nothing.there }}")})
	for _, what := range []string{"done", "fail", "move"} {
		a := s.call(http.MethodPost, "/v1/events", fields{"tenant": "acme", "type": "ticket.created", "data": fields{"what": what, c.payload: c.payload}})
		accepted := as[client.Acceptance](s.t, a)
		out.ownEvent = accepted.ID
		for _, d := range accepted.Deliveries {
			out.posted = append(out.posted, d.ID)
			if d.SubscriptionID == out.subscription {
				out.delivery = d.ID
			}
		}
	}
	for _, id := range out.posted {
		await(s.t, "the first attempt", func() bool { return s.delivery(id).AttemptsMade > 0 })
	}
	s.operate(out.delivery, "retry", "asked")
	await(s.t, "the second attempt", func() bool { return s.delivery(out.delivery).AttemptsMade > 1 })
	s.operate(out.delivery, "hold", "asked")
	s.operate(out.delivery, "cancel", "asked")

	of := "/v1/subscriptions/" + out.subscription
	for _, call := range []struct {
		path string
		body any
	}{
		{of + "/preview", fields{"event_id": out.ownEvent}},
		{of + "/match", fields{"event_id": out.ownEvent}},
		{of + "/rotate_secret", fields{}},
		{of + "/pause", fields{"reason": "asked"}},
		{of + "/resume", fields{}},
		{of + "/trigger?wait=10s", fields{"data": fields{"what": c.payload}}},
		{"/v1/events", `{"tenant":"acme","type":"t","data":{"` + c.payload + `":` + c.payload + `}}`},
		{"/v1/events", fields{"tenant": "acme", "type": "t", "data": 1, c.payload: 1}},
		{"/v1/events?token=" + c.secret, fields{"tenant": "acme", "type": "t", "data": 1}},
		{"/v1/subscriptions", fields{"tenant": "acme", "name": "bad", "events": []string{"*"}, "request": fields{"url": "ftp://" + c.payload + "?" + c.secret}}},
	} {
		s.call(http.MethodPost, call.path, call.body)
	}
	version := as[struct{ Version int }](s.t, s.call(http.MethodGet, of, nil)).Version
	if a := s.call(http.MethodPatch, of, fields{"version": version, "request": fields{"url": r.URL + "/changed/" + c.payload + "?token=" + c.secret + "2", "params": fields{"other": c.secret}, "headers": fields{"X-Api-Key": c.secret, "X-Plain": c.payload + "2"}}}); a.status != http.StatusOK {
		s.t.Errorf("change: answered %d %s", a.status, a.body)
	}
	if a, err := s.try(switchboard.Secret(c.secret), http.MethodGet, "/v1/me", nil); err != nil || a.status != http.StatusUnauthorized {
		s.t.Errorf("a wrong key: answered %d, %v", a.status, err)
	}
	return out
}
