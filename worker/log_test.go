package worker

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSDKLogReadsLikeOurs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := SDKLog(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})))
	for want, say := range map[string]func(){
		`{"level":"INFO","msg":"started Worker","namespace":"default","task_queue":"deliveries","worker_id":"1"}`: func() {
			log.Info("Started Worker", "Namespace", "default", "TaskQueue", "deliveries", "WorkerID", "1")
		},
		`{"level":"WARN","msg":"failed to poll for task","worker_type":"ActivityWorker","error":"away"}`: func() {
			log.Warn("Failed to poll for task.", "WorkerType", "ActivityWorker", "Error", errors.New("away"))
		},
		`{"level":"INFO","msg":"worker graceful stop timed out","stop_timeout":"5s"}`: func() { log.Info("Worker graceful stop timed out.", "Stop timeout", "5s") },
		`{"level":"ERROR","msg":"RPC failed","cached_previous_started_event_id":7}`:   func() { log.Error("RPC failed", "CachedPreviousStartedEventID", 7) },
	} {
		out.Reset()
		if say(); strings.TrimSpace(out.String()) != want {
			t.Errorf("%swant %s", out.String(), want)
		}
	}
}

// TestSDKLogCountsWhatRepeats: an outage does not fill the log.
func TestSDKLogCountsWhatRepeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := SDKLog(slog.New(slog.NewJSONHandler(&out, nil)))
		for range 544 {
			log.Error("Activity error.", "Attempt", 1)
			time.Sleep(sdkRepeatAfter / 1000)
		}
		log.Warn("Failed to poll for task.")
		if lines := strings.Count(out.String(), "\n"); lines != 2 {
			t.Errorf("%d lines, want one of each:\n%s", lines, &out)
		}
		time.Sleep(sdkRepeatAfter)
		out.Reset()
		log.Error("Activity error.")
		if !strings.Contains(out.String(), `"repeated":543`) {
			t.Errorf("it does not say how often: %s", &out)
		}
		out.Reset()
		for range 3 {
			log.Info("Started Worker")
		}
		if lines := strings.Count(out.String(), "\n"); lines != 3 {
			t.Errorf("%d lines of what is no warning, want 3", lines)
		}
		out.Reset()
		for range 3 {
			log.Info("Task processing failed with error", "Error", errors.New("away"))
		}
		if lines := strings.Count(out.String(), "\n"); lines != 1 {
			t.Errorf("%d lines of an error, want 1", lines)
		}
		out.Reset()
		for _, run := range []string{"a", "b"} {
			log.Warn("[TMPRL1104] " + run + ":4:1 Workflow task duration exceeded 5 seconds.")
		}
		log.Warn("[TMPRL1100] nondeterministic workflow")
		if lines := strings.Count(out.String(), "\n"); lines != 1 || strings.Contains(out.String(), longTask) {
			t.Errorf("want the other warning alone:\n%s", &out)
		}
	})
}
