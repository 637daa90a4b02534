package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// TestServe: a process with every part starts while Temporal is away, shows its metrics, and ends
// without an error. Its parts fit together, including the observers of every metric.
func TestServe(t *testing.T) {
	t.Parallel()
	config := configOf(pg.Database(t))
	config.Listen = freeAddress(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, config, Parts{API: true, Worker: true}, slog.New(slog.DiscardHandler)) }()
	var shown string
	await(t, func() bool {
		select {
		case err := <-ended:
			t.Fatalf("it does not start: %v", err)
		default:
		}
		shown = metricsAt(t, config.Listen)
		return strings.Contains(shown, "switchboard_slots") // the worker's
	})
	for _, name := range []string{
		"switchboard_deliveries_overdue", "switchboard_relay_backlog", "switchboard_partition_days_ahead", "switchboard_endpoints_slow",
		"switchboard_operations_running", "switchboard_slots_taken",
	} {
		if !strings.Contains(shown, "\n"+name) {
			t.Errorf("there is no metric %s", name)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
}

// metricsAt returns what /metrics answers, or "" if there is no answer yet.
func metricsAt(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("answered %d, %v", response.StatusCode, err)
	}
	return string(text)
}
