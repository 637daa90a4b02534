package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// overviewAt is the time in tests of pages without a server.
var overviewAt = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// trafficOf has one point for each outcome, in the first of two steps.
func trafficOf(succeeded, failed int64) switchboard.Traffic {
	t := switchboard.Traffic{From: overviewAt.Add(-2 * time.Hour), To: overviewAt, Step: switchboard.Duration(time.Hour), CountedTo: overviewAt}
	for _, g := range []struct {
		value string
		n     int64
	}{{"succeeded", succeeded}, {"failed", failed}} {
		if g.n > 0 {
			c := switchboard.TrafficCount{Attempts: g.n, P50: 80, P95: 2400}
			t.Groups = append(t.Groups, switchboard.TrafficGroup{Value: g.value, TrafficCount: c, Points: []switchboard.TrafficPoint{{At: t.From, TrafficCount: c}}})
		}
	}
	return t
}

func answered[T any](value T) read[T] { return read[T]{Value: value} }

func TestStatusInWords(t *testing.T) {
	t.Parallel()
	failing := switchboard.FailureGroups{Groups: []switchboard.FailureGroup{{Host: "a", Open: 1}, {Host: "a", Open: 2}, {Host: "b"}, {Host: "c", Open: 1}}}
	good, warning, fault := goodLevel(), warningLevel(), faultLevel()
	for _, c := range []struct {
		name  string
		data  overviewData
		level statusLevel
		want  string
	}{
		{"all well", overviewData{hour: answered(trafficOf(982, 18))}, good, "Nothing is overdue. 98.2 % of the attempts of the last hour were delivered."},
		{"nothing sent", overviewData{}, good, "Nothing is overdue. No attempt was made in the last hour."},
		{"the least share", overviewData{hour: answered(trafficOf(95, 5))}, good, "Nothing is overdue. 95.0 % of the attempts of the last hour were delivered."},
		{"less than that", overviewData{hour: answered(trafficOf(9499, 501))}, warning, "Nothing is overdue. 94.9 % of the attempts of the last hour were delivered."},
		{"nothing delivered", overviewData{hour: answered(trafficOf(0, 3))}, warning, "Nothing is overdue. 0.0 % of the attempts of the last hour were delivered."},
		{"hosts fail", overviewData{hour: answered(trafficOf(99, 1)), failures: answered(failing)}, warning, "Nothing is overdue. 99.0 % of the attempts of the last hour were delivered. 2 hosts fail."},
		{"a host has failed", overviewData{hour: answered(trafficOf(99, 1)), failures: answered(switchboard.FailureGroups{Groups: failing.Groups[2:3]})}, good, "Nothing is overdue. 99.0 % of the attempts of the last hour were delivered."},
		{"overdue", overviewData{now: answered(switchboard.OpenStatus{Overdue: 14, OldestAt: overviewAt.Add(-6 * time.Minute)}), hour: answered(trafficOf(1, 0)), failures: answered(failing)}, fault,
			"14 deliveries are overdue. The oldest open one was accepted 6 min ago. 100 % of the attempts of the last hour were delivered. 2 hosts fail."},
		{"not started", overviewData{now: answered(switchboard.OpenStatus{Backlog: 7})}, fault, "Nothing is overdue. 7 deliveries wait to be started in Temporal. No attempt was made in the last hour."},
		{"unknown", overviewData{now: read[switchboard.OpenStatus]{Failed: &problem{}}}, fault, "The current state could not be read."},
		{"traffic unknown", overviewData{hour: read[switchboard.Traffic]{Failed: &problem{}}}, good, "Nothing is overdue."},
	} {
		if got := statusInWords(&c.data, overviewAt); got.Text != c.want || got.Level != c.level {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestStatusLevels: no level depends on its colour alone.
func TestStatusLevels(t *testing.T) {
	t.Parallel()
	for hosts, want := range []string{`<p class="line delivered"><svg`, `<p class="line retrying"><svg`} {
		data := overviewData{}
		for range hosts {
			data.failures.Value.Groups = []switchboard.FailureGroup{{Host: "a", Open: 1}}
		}
		page := newOverviewPage(&data, &switchboard.Session{Caller: switchboard.Caller{Role: switchboard.RoleSupport}}, overviewRanges()[0], overviewAt)
		got := execute(t, "overview", page)
		if !strings.Contains(got, want) || strings.Contains(got, "<strong>Warning.</strong> Nothing is overdue.") != (hosts > 0) {
			t.Errorf("%d hosts fail:\n%s", hosts, got)
		}
	}
}

// TestOverviewTemplate executes the template with everything possible, and with nothing.
func TestOverviewTemplate(t *testing.T) {
	t.Parallel()
	day := overviewRanges()[1]
	full := overviewData{
		now: answered(switchboard.OpenStatus{Open: map[switchboard.State]int{"pending": 4000, "held": 310}, Overdue: 2, Oldest: "dlv_1", OldestAt: overviewAt, Breakers: 3, Backlog: 7,
			Workers: []switchboard.WorkerStatus{{Version: "1", Slots: 100, SlowSlots: 50, SlotsTaken: 12}, {Version: "2", Slots: 100}}}),
		hour: answered(trafficOf(10, 1)), traffic: answered(trafficOf(98, 2)),
		failures: answered(switchboard.FailureGroups{More: true, Bounded: true, Groups: []switchboard.FailureGroup{
			{Host: "crm.example.com", Failure: switchboard.FailureHTTP5xx, StatusCode: 503, Tenants: 1, Open: 312, Attempts: 1840, OldestAt: overviewAt},
			{Host: "<b>", Failure: switchboard.FailureTLSExpired, Tenants: 2, Attempts: 88},
		}}),
		operations: answered([]client.Operation{{Operation: switchboard.Operation{ID: "op_1", Action: "retry", State: "running", Total: 100, Done: 40}}, {Operation: switchboard.Operation{ID: "op_2", Action: "cancel", State: "paused"}}}),
		health:     answered(client.Health{Status: "degraded", Missing: []client.Missing{{Name: "temporal", Message: "does not answer"}}}),
	}
	support := &switchboard.Session{Caller: switchboard.Caller{Role: switchboard.RoleSupport}}
	got := execute(t, "overview", newOverviewPage(&full, support, day, overviewAt))
	for _, want := range []string{
		"2 deliveries are overdue.", "4,310", "/console/deliveries?last=all&amp;stuck=true", "/console/deliveries/dlv_1", "Not started", "/console/subscriptions?failing=true",
		"98.0 % of 100 attempts in the last 24 hours were delivered; 2 failed.", "Half of them took up to 80 ms, 95 of 100 up to 2.4 s.", "<td>98<td>2", "2026-01-31T11:00Z",
		"crm.example.com", "503 Service Unavailable", "TLS expired", "&lt;b&gt;", "There are more groups",
		"/console/deliveries?failure=http_5xx&amp;host=crm.example.com&amp;last=all&amp;state=retrying&amp;state=held&amp;state=blocked&amp;status_code=503",
		"/console/operations/plan?action=retry&amp;failure=tls_expired&amp;host=%3Cb%3E&amp;last=24h&amp;state=failed",
		"40 of 100", "0 so far", "temporal: does not answer.", "2 workers, 12 of 250 slots in use.", "different versions",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
	if len(got) > 80_000 {
		t.Errorf("the page has %d bytes", len(got))
	}
	viewer := &switchboard.Session{Caller: switchboard.Caller{Role: switchboard.RoleViewer, Tenant: "acme"}}
	got = execute(t, "overview", newOverviewPage(&full, viewer, day, overviewAt))
	for _, hidden := range []string{"Act on all", "Not started", "slots in use"} {
		if strings.Contains(got, hidden) {
			t.Errorf("a viewer of one tenant sees %q", hidden)
		}
	}
	got = execute(t, "overview", newOverviewPage(&overviewData{none: true}, support, day, overviewAt))
	for _, want := range []string{"No deliveries yet", "curl $API/v1/events", "Nothing fails.", "None. ", "No worker runs"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
}

// TestOverviewSize: with the maximum content, the page stays below 80 kB.
func TestOverviewSize(t *testing.T) {
	t.Parallel()
	data := overviewData{}
	for range shownGroups {
		data.failures.Value.Groups = append(data.failures.Value.Groups, switchboard.FailureGroup{
			Host: "a-rather-long-name.eu-central-1.example.com", Failure: switchboard.FailureHTTP5xx, StatusCode: 503, Open: 12345, OldestAt: overviewAt,
		})
	}
	data.traffic.Value = trafficOf(1234, 56)
	data.traffic.Value.Step = switchboard.Duration(time.Minute)
	for i := range 120 {
		for g := range data.traffic.Value.Groups {
			group := &data.traffic.Value.Groups[g]
			group.Points = append(group.Points, switchboard.TrafficPoint{At: data.traffic.Value.From.Add(time.Duration(i) * time.Minute), TrafficCount: group.TrafficCount})
		}
	}
	page := newOverviewPage(&data, &switchboard.Session{Caller: switchboard.Caller{Role: switchboard.RoleSupport}}, overviewRanges()[0], overviewAt)
	if got := len(execute(t, "overview", page)); got > 76_000 { // the rest of the page has less than 4 kB
		t.Errorf("the page has %d bytes", got)
	} else {
		t.Logf("the page has %d bytes", got)
	}
}

// TestOverview: failures are visible, and lead to the deliveries with that failure.
func TestOverview(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana := f.as(switchboard.RoleSupport, "")
	ana.get("/console").want(t, http.StatusOK, "No deliveries yet", "Nothing fails.")
	s := f.subscribe("acme")
	f.attempt(s, f.accept("acme", "e1", `{}`)[0], switchboard.Outcome{StatusCode: 503, Failure: switchboard.FailureHTTP5xx})

	again := newFixtureOn(t, f) // another process, which has not cached any answers yet
	ben := again.as(switchboard.RoleSupport, "")
	ben.get("/console").want(t, http.StatusOK, "crm.acme.example.com", "503 Service Unavailable", "Act on all").without(t, "No deliveries yet")
	ben.get("/console?part=failing").want(t, http.StatusOK, "crm.acme.example.com").without(t, "Engine")
	ben.get("/console?part=work").want(t, http.StatusOK, "Engine").without(t, "crm.acme.example.com")
	ben.get("/console?last=7d").want(t, http.StatusOK, "in the last 7 days")
	ben.get("/console?last=2h").want(t, http.StatusUnprocessableEntity, "must be 1h, 24h, 7d or 30d")
	ben.get("/console?lats=7d").want(t, http.StatusUnprocessableEntity, "lats", "it knows last")
	again.as(switchboard.RoleViewer, "globex").get("/console").want(t, http.StatusOK).without(t, "crm.acme", "Act on all")
}
