package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// metrics reads /metrics: the values by the metric's name, summed over all labels.
func (s *system) metrics() map[string]float64 {
	s.t.Helper()
	a, err := s.try("", http.MethodGet, "/metrics", nil)
	if err != nil || a.status != http.StatusOK {
		s.t.Fatalf("metrics: answered %d, %v", a.status, err)
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(a.body)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, _, labelled := strings.Cut(name, "{")
		if labelled {
			text = line[strings.LastIndexByte(line, ' ')+1:]
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			s.t.Fatalf("metrics: %q: %v", line, err)
		}
		values[name] += value
	}
	return values
}

// awaitNothingOpen waits until, according to the metrics, nothing is open, overdue or due to start.
func (s *system) awaitNothingOpen() {
	s.t.Helper()
	await(s.t, "nothing open in the metrics", func() bool {
		values := s.metrics()
		for _, name := range []string{"switchboard_deliveries_open", "switchboard_deliveries_overdue", "switchboard_relay_backlog"} {
			if value, shown := values[name]; !shown || value != 0 {
				return false
			}
		}
		return true
	})
}

func TestMetricsCountWhatIsOpen(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.subscribe(newReceiver(t, 503).URL, hourly)
	id := s.post("ticket.created", `{}`)
	s.awaitState(id, "retrying")
	await(t, "one delivery open in the metrics", func() bool { return s.metrics()["switchboard_deliveries_open"] == 1 })
	s.operate(id, "cancel", "r")
	s.awaitNothingOpen()
	for name, want := range map[string]float64{
		"switchboard_attempts_total": 1, "switchboard_requests_in_flight": 0, "switchboard_deliveries_overdue": 0,
		"switchboard_load": 0, "switchboard_applied_timeout_seconds_count": 1,
	} {
		if got, shown := s.metrics()[name]; !shown || got != want {
			t.Errorf("%s is %v, shown %t; want %v", name, got, shown, want)
		}
	}
}
