package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard/client"
)

// TestExitCodes: what exit codes tell scripts.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	show := []string{"deliveries", "show", "dlv_1"}
	for _, c := range []struct {
		name   string
		answer string // of GET /v1/deliveries/dlv_1
		line   []string
		code   int
		says   string
	}{
		{"right", `{"id":"dlv_1","state":"delivered"}`, show, 0, ""},
		{"not there", `404 {"status":404,"code":"not_found","detail":"no delivery dlv_1"}`, show, exitNotFound, "404 (not_found): no delivery dlv_1"},
		{"no key", `401 {"status":401,"code":"unauthenticated"}`, show, exitForbidden, "401"},
		{"not allowed", `403 {"status":403,"code":"forbidden"}`, show, exitForbidden, "403"},
		{"conflict", `409 {"status":409,"code":"conflict"}`, show, exitConflict, "409"},
		{"invalid", `422 {"status":422,"code":"invalid"}`, show, exitUsage, "422"},
		{"our fault", `500 {"status":500,"code":"internal"}`, show, exitError, "500"},
		{"away", `503 {"status":503,"code":"unavailable"}`, show, exitUnavailable, "503"},
		{"a proxy", `502 <html>`, show, exitUnavailable, "502"},
		{"not JSON", `<html>`, show, exitError, "not the API's"},
		{"data are not JSON", ``, []string{"events", "send", "--tenant", "a", "--type", "t", "--data", "{"}, exitUsage, "--data is not JSON"},
		{"a file that is not there", ``, []string{"events", "send", "--tenant", "a", "--type", "t", "--data", "@nowhere.json"}, exitUsage, "nowhere.json"},
		{"a member without a value", ``, []string{"subscriptions", "update", "sub_1", "--set", "x"}, exitUsage, "member=value"},
		{"nothing to change", ``, []string{"subscriptions", "update", "sub_1"}, exitUsage, "nothing to change"},
		{"two spans", ``, []string{"deliveries", "list", "--last", "1h", "--after", "12:00"}, exitUsage, "--after and --last"},
		{"several, and nobody to ask", ``, []string{"deliveries", "cancel", "dlv_1", "dlv_2", "-r", "x"}, exitNotConfirmed, "Cancel 2 deliveries?"},
	} {
		got := try(t, &fakeAPI{answers: map[string]string{"GET /v1/deliveries/dlv_1": c.answer}}, nil, c.line...)
		if code := ExitCode(got.failure); code != c.code || !strings.Contains(fmt.Sprint(got.failure), c.says) {
			t.Errorf("%s: %d, want %d: %v", c.name, code, c.code, got.failure)
		}
	}
	if code := ExitCode(errors.New("anything")); code != exitError {
		t.Errorf("any other error: %d", code)
	}
}

// TestWrongLines: a command line that kong refuses is the caller's mistake.
func TestWrongLines(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"deliveries", "deliveries shwo", "deliveries list --state lost", "deliveries cancel dlv_1", "deliveries hold dlv_1", "deliveries list --after yesterday",
		"deliveries list -o xml", "subscriptions pause sub_1", "completion csh", "events send --tenant a --data 1",
	} {
		if err := runLine(t.Context(), &Terminal{}, strings.Fields(line)...); ExitCode(err) != exitUsage {
			t.Errorf("%s: %d %v", line, ExitCode(err), err)
		}
	}
}

// TestAway: a missing server is a reason to try again, and its address is named.
func TestAway(t *testing.T) {
	t.Parallel()
	got := try(t, http.NotFoundHandler(), func(terminal *Terminal) {
		terminal.Getenv = func(name string) string {
			return map[string]string{urlVariable: "http://127.0.0.1:1", keyVariable: "k"}[name]
		}
	}, "deliveries", "cancel", "dlv_1", "-r", "x")
	if ExitCode(got.failure) != exitUnavailable || !strings.Contains(fmt.Sprint(got.failure), "127.0.0.1:1") {
		t.Errorf("%d %v", ExitCode(got.failure), got.failure)
	}
}

// TestConfirm: only the right word continues; for many items it is their number.
func TestConfirm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer string
		count  int
		yes    bool
		done   bool
	}{
		{"yes\n", 2, false, true}, {"Y\n", 2, false, true}, {"no\n", 2, false, false}, {"\n", 2, false, false}, {"", 2, false, false},
		{"yes\n", 1001, false, false}, {"1001\n", 1001, false, true}, {"1000\n", 1001, false, false}, {"", 1001, true, true},
	} {
		var errs strings.Builder
		s := (&Commands{}).Session(&Terminal{In: strings.NewReader(c.answer), Err: &errs, Ask: true})
		err := s.confirm(t.Context(), "Retry?", c.count, c.yes)
		if (err == nil) != c.done || !c.done && ExitCode(err) != exitNotConfirmed {
			t.Errorf("%q for %d: %v", c.answer, c.count, err)
		}
		if asked := strings.Contains(errs.String(), "Retry?"); asked == c.yes {
			t.Errorf("asked: %q", errs.String())
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	in, _ := newBlockedReader(t)
	s := (&Commands{}).Session(&Terminal{In: in, Err: &strings.Builder{}, Ask: true})
	if err := s.confirm(gone, "Retry?", 2, false); ExitCode(err) != exitNotConfirmed {
		t.Errorf("Ctrl-C: %v", err)
	}
}

// TestSeveral: if one of several does not allow the action, the others are not affected.
func TestSeveral(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{answers: map[string]string{
		"POST /v1/deliveries/dlv_1/cancel": `409 {"status":409,"code":"conflict","detail":"it is delivered"}`,
		"POST /v1/deliveries/dlv_2/cancel": `{"id":"dlv_2","state":"cancelled"}`,
	}}
	got := try(t, api, nil, "deliveries", "cancel", "dlv_1", "dlv_2", "-r", "x", "--yes", "--actor", "ana")
	if len(api.asked) != 2 || got.out != "dlv_2 is cancelled\n" || !strings.Contains(got.err, "dlv_1") || ExitCode(got.failure) != exitConflict {
		t.Errorf("%q %+v", api.asked, got)
	}
	keys := map[string]bool{}
	for _, h := range api.headers {
		keys[h.Get("Idempotency-Key")] = true
		if h.Get("Switchboard-Actor") != "ana" {
			t.Errorf("actor %q", h.Get("Switchboard-Actor"))
		}
	}
	if len(keys) != 2 || keys[""] {
		t.Errorf("keys %v", keys)
	}
	if _, ok := errors.AsType[*client.Error](got.failure); !ok {
		t.Errorf("%v", got.failure)
	}
}
