package activities_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/webhook"
)

// TestOutagesAreLoggedOnce: however many uses fail, there is one line when the outage begins and
// one when it ends; a single failure is no outage.
func TestOutagesAreLoggedOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		uses  string // of Postgres, each a failure (f) or not (.)
		lines int
		news  int // failures that are worth a line of their own
	}{
		"none":                    {"....", 0, 0},
		"alone":                   {".f..", 0, 1},
		"twice":                   {".ff.", 0, 2},
		"alone again and again":   {"f.f.f.f.", 0, 4},
		"away":                    {"..ffff", 1, 2},
		"away for long, and back": {"f" + strings.Repeat("f", 544) + "....", 2, 2},
		"away twice":              {"fff.fff.", 4, 4},
	} {
		var log bytes.Buffer
		o := &activities.Outages{Log: slog.New(slog.NewJSONHandler(&log, nil))}
		news := 0
		for _, use := range c.uses {
			var err error
			if use == 'f' {
				err = errors.New("connection refused")
			}
			if o.Observe(t.Context(), activities.Postgres, err) {
				news++
			}
			o.Observe(t.Context(), activities.Temporal, nil) // another's health is its own
		}
		if lines := strings.Count(log.String(), "\n"); lines != c.lines || news != c.news {
			t.Errorf("%s: %d lines and %d of their own, want %d and %d:\n%s", name, lines, news, c.lines, c.news, &log)
		}
		if c.lines > 1 && (!strings.Contains(log.String(), `"msg":"back","dependency":"postgres","away_since":"`) || !strings.Contains(log.String(), `"failures":`)) {
			t.Errorf("%s: it does not say for how long:\n%s", name, &log)
		}
	}
	if (*activities.Outages)(nil).Observe(t.Context(), activities.Postgres, nil) {
		t.Error("without a log, a success is news")
	}
}

// TestLogOfAttempts: missing values are left out, above all a date in the year 1.
func TestLogOfAttempts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcome switchboard.Outcome
		with    []string
		without []string
	}{
		"delivered": {switchboard.Outcome{StatusCode: 200}, []string{`"state":"delivered"`, `"status_code":200`}, []string{"next_attempt_at", "reason", "failure", "0001-01-01"}},
		"retrying": {switchboard.Outcome{Failure: switchboard.FailureDNS}, []string{`"state":"retrying"`, `"failure":"dns"`, `"reason":"dns"`, `"next_attempt_at":"20`},
			[]string{"status_code", "0001-01-01", "permanent"}},
		"failed": {switchboard.Outcome{StatusCode: 410, Failure: switchboard.FailureHTTP4xx}, []string{`"state":"failed"`, `"reason":"http_410"`, `"permanent":true`}, []string{"next_attempt_at"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeStore(t)
			var log bytes.Buffer
			d.Log = slog.New(slog.NewJSONHandler(&log, nil))
			d.outcome = c.outcome
			_, _ = d.attempt(activities.AttemptInput{}) // a retried one ends as an error with its date
			for _, want := range c.with {
				if !strings.Contains(log.String(), want) {
					t.Errorf("no %s in %s", want, &log)
				}
			}
			for _, not := range c.without {
				if strings.Contains(log.String(), not) {
					t.Errorf("%s in %s", not, &log)
				}
			}
		})
	}
}

// TestInfraErrorIsTheReasonOfItsDelivery: what prevents an attempt is in the delivery's row and
// once in the log; an outage of Postgres is in neither.
func TestInfraErrorIsTheReasonOfItsDelivery(t *testing.T) {
	t.Parallel()
	const unreadable = "waiting_for_switchboard: its subscription or its event cannot be read"
	for name, c := range map[string]struct {
		loadErr, sendErr error
		reason           string
		lines            int // of five executions
	}{
		"unreadable": {errors.New("sealed with another key: 10.1.2.3"), nil, unreadable, 1},
		"not sent":   {nil, errors.New("too many open files"), "waiting_for_switchboard: its request was interrupted before it was sent", 1},
		"no egress proxy": {
			nil, &webhook.Interrupted{Err: switchboard.Errorf(switchboard.CodeUnavailable, "the egress proxy is away")},
			"waiting_for_switchboard: the egress proxy cannot be used", 1,
		},
		"Postgres is away": {switchboard.Errorf(switchboard.CodeUnavailable, "Postgres is away"), nil, "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeStore(t)
			var log bytes.Buffer
			d.Log = slog.New(slog.NewJSONHandler(&log, nil))
			d.Outages = &activities.Outages{Log: d.Log}
			d.loadErr, d.sendErr = c.loadErr, c.sendErr
			due := d.loaded.Delivery.NextAttemptAt
			for range 5 {
				if _, err := d.attempt(activities.AttemptInput{}); err == nil {
					t.Fatal("ended, want an error of our own")
				}
			}
			if got := d.loaded.Delivery; got.Reason != c.reason || !got.NextAttemptAt.Equal(due) {
				t.Errorf("reason %q, due %s; want %q, %s", got.Reason, got.NextAttemptAt.Format(time.RFC3339Nano), c.reason, due.Format(time.RFC3339Nano))
			}
			if lines := strings.Count(log.String(), `"level":"WARN"`); lines != c.lines {
				t.Errorf("%d warnings, want %d:\n%s", lines, c.lines, &log)
			}
		})
	}
}
