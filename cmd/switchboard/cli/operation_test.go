package cli

import (
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// TestStartAsks: an operation starts after its plan was shown and its number confirmed.
func TestStartAsks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer  string
		started bool
	}{{"3412\n", true}, {"yes\n", false}, {"3411\n", false}, {"", false}} {
		api := &fakeAPI{answers: answersOf(t)}
		got := try(t, api, func(terminal *Terminal) {
			terminal.Ask, terminal.In = true, strings.NewReader(c.answer)
		}, "operations", "start", "retry", "--host", "crm.example.com", "-r", "repaired")
		started := len(api.asked) == 2
		if started != c.started || !strings.Contains(got.err, "http_5xx 3,102") || !strings.Contains(got.err, "Retry 3,412 deliveries?") {
			t.Errorf("%q: %q, %+v", c.answer, api.asked, got)
		}
		if !started && (ExitCode(got.failure) != exitNotConfirmed || len(api.asked) != 1) {
			t.Errorf("%q: %v, asked %q", c.answer, got.failure, api.asked)
		}
	}
}

// TestStartOfNothing: if nothing matches, nothing is asked or started.
func TestStartOfNothing(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{answers: map[string]string{"POST /v1/operations": `{"plan":"p","action":"retry","rate":50,"count":{"value":0,"exact":true}}`}}
	got := try(t, api, nil, "operations", "start", "retry", "--tenant", "acme", "-r", "x")
	if len(api.asked) != 1 || got.failure != nil || !strings.Contains(got.err, "Nothing matches") {
		t.Errorf("%q, %+v", api.asked, got)
	}
	for _, line := range []string{"operations start -r x --yes", "operations start retry --plan p -r x --yes"} {
		if got := try(t, api, nil, strings.Fields(line)...); ExitCode(got.failure) != exitUsage {
			t.Errorf("%s: %v", line, got.failure)
		}
	}
}

// TestWatchEnds: the exit code says how an operation has ended.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	for state, code := range map[string]int{
		`"state":"finished","done":3`:            0,
		`"state":"cancelled","done":1`:           exitError,
		`"state":"finished","done":2,"failed":1`: exitError,
	} {
		api := &fakeAPI{answers: map[string]string{"GET /v1/operations/op_1": `{"id":"op_1","action":"retry","total":3,` + state + `}`}}
		if got := try(t, api, nil, "operations", "watch", "op_1"); ExitCode(got.failure) != code {
			t.Errorf("%s: %d, %+v", state, ExitCode(got.failure), got)
		}
		if got := try(t, api, nil, "operations", "watch", "op_1", "-o", "json"); !strings.HasPrefix(got.out, "{\n") {
			t.Errorf("%s: %q", state, got.out)
		}
	}
}

// TestProgressLine: the bar fits the terminal, and is omitted if there is no space.
func TestProgressLine(t *testing.T) {
	t.Parallel()
	o := client.Operation{Operation: switchboard.Operation{State: switchboard.OperationRunning, Total: 3412, Done: 1700, Skipped: 6}}
	for width, want := range map[int]string{
		0:   "1,706 of 3,412, 6 skipped",
		200: "[####################....................]  50% 1,706 of 3,412, 6 skipped",
		50:  "[########.........]  50% 1,706 of 3,412, 6 skipped",
		30:  "1,706 of 3,412, 6 skipped",
	} {
		s := (&Commands{}).Session(&Terminal{Width: width, Live: width > 0})
		got := s.progressLine(o)
		if got != want || width > 0 && len(got) > width {
			t.Errorf("%d columns: %q, want %q", width, got, want)
		}
	}
	o.State, o.Total = switchboard.OperationPaused, 0
	if got := (&Commands{}).Session(&Terminal{Live: true, Width: 80}).progressLine(o); got != "1,706, paused, 6 skipped" {
		t.Errorf("%q", got)
	}
}
