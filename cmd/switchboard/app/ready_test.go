package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api"
	"github.com/seed-49a43567/switchboard/store"
)

// fakeCheck is the check that is watched. The test sets its answers and their times.
type fakeCheck struct {
	problem, err error
	now          time.Time
}

func (x *fakeCheck) watch() *watch {
	if x.now.IsZero() {
		x.now = time.Now()
	}
	w := newWatch(watchPause, func(context.Context) (error, error) { return x.problem, x.err })
	w.now = func() time.Time { return x.now }
	return w
}

// TestWatch: an answer counts for a while, so only several failures in a row matter.
func TestWatch(t *testing.T) {
	t.Parallel()
	wrong, silent := errors.New("wrong"), errors.New("silent")
	x := &fakeCheck{now: time.Now()}
	w := x.watch()
	if known, _, _ := w.state(); known {
		t.Error("known before the first check")
	}
	for _, step := range []struct {
		name         string
		after        time.Duration
		problem, err error
		want, wants  string // problem, away
	}{
		{"silent from the start", 0, nil, silent, "", "since this process started"},
		{"there", watchPause, nil, nil, "", ""},
		{"silent once", watchPause, nil, silent, "", ""},
		{"silent twice", watchTimeout + watchPause, nil, silent, "", ""},
		{"silent three times", watchTimeout + watchPause, nil, silent, "", "has not answered for"},
		{"back", watchPause, nil, nil, "", ""},
		{"problem, at once", watchPause, wrong, nil, "wrong", ""},
		{"problem, and silent once", watchPause, nil, silent, "wrong", ""},
		{"repaired", watchPause, nil, nil, "", ""},
	} {
		x.now = x.now.Add(step.after)
		x.problem, x.err = step.problem, step.err
		w.once(t.Context())
		if step.name == "silent three times" {
			x.now = x.now.Add(watchTimeout)
		}
		_, problem, away := w.state()
		if !says(problem, step.want) || !says(away, step.wants) {
			t.Errorf("%s: problem %v, away %v; want %q, %q", step.name, problem, away, step.want, step.wants)
		}
	}
}

func says(err error, want string) bool {
	if want == "" || err == nil {
		return (want == "") == (err == nil)
	}
	return strings.Contains(err.Error(), want)
}

// TestMissing: the effect of each missing part on a load balancer.
func TestMissing(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	newer, tooNew, older := store.ErrNewerSchema, store.ErrTooNewSchema, errors.New("run `switchboard migrate`")
	for _, test := range []struct {
		name                   string
		schema, keys, temporal fakeCheck
		worker                 bool // has started
		parts                  Parts
		want                   string // names; those that do not take traffic away are in brackets
	}{
		{"all there", fakeCheck{}, fakeCheck{}, fakeCheck{}, true, Parts{API: true, Worker: true}, ""},
		{"Postgres", fakeCheck{err: away}, fakeCheck{err: away}, fakeCheck{}, true, Parts{API: true, Worker: true}, "postgres"},
		{"a newer schema", fakeCheck{problem: newer}, fakeCheck{}, fakeCheck{}, true, Parts{API: true, Worker: true}, "(schema)"},
		{"a schema that is too new", fakeCheck{problem: tooNew}, fakeCheck{}, fakeCheck{}, true, Parts{API: true, Worker: true}, "schema"},
		{"an older schema", fakeCheck{problem: older}, fakeCheck{}, fakeCheck{}, true, Parts{API: true, Worker: true}, "schema"},
		{"a wrong key", fakeCheck{}, fakeCheck{problem: away}, fakeCheck{}, true, Parts{API: true, Worker: true}, "encryption_key"},
		{"a wrong key of a worker", fakeCheck{}, fakeCheck{problem: away}, fakeCheck{}, true, Parts{Worker: true}, "encryption_key"},
		{"Temporal", fakeCheck{}, fakeCheck{}, fakeCheck{err: away}, true, Parts{API: true, Worker: true}, "(temporal)"},
		{"Temporal, from the start", fakeCheck{}, fakeCheck{}, fakeCheck{err: away}, false, Parts{API: true, Worker: true}, "(worker) (temporal)"},
		{"Temporal, of a worker, from the start", fakeCheck{}, fakeCheck{}, fakeCheck{err: away}, false, Parts{Worker: true}, "worker (temporal)"},
		{"the worker, for a moment", fakeCheck{}, fakeCheck{}, fakeCheck{}, false, Parts{API: true, Worker: true}, "worker"},
		{"Postgres and Temporal", fakeCheck{err: away}, fakeCheck{err: away}, fakeCheck{err: away}, true, Parts{API: true, Worker: true}, "postgres (temporal)"},
	} {
		r := &readiness{schema: test.schema.watch(), keys: test.keys.watch(), temporal: test.temporal.watch()}
		if got := names(r.missing(test.parts)); got != "start" {
			t.Errorf("%s: before the first check: %s", test.name, got)
		}
		for _, w := range r.watches() {
			w.once(t.Context())
		}
		r.worker.Store(test.worker)
		if got := names(r.missing(test.parts)); got != test.want {
			t.Errorf("%s: missing %q, want %q", test.name, got, test.want)
		}
	}
}

func names(missing []api.Missing) string {
	var all []string
	for _, m := range missing {
		if m.Optional {
			m.Name = "(" + m.Name + ")"
		}
		all = append(all, m.Name)
	}
	return strings.Join(all, " ")
}

// TestOneHangsAlone: a hanging check does not delay the others.
func TestOneHangsAlone(t *testing.T) {
	t.Parallel()
	hangs := newWatch(watchPause, func(ctx context.Context) (error, error) { <-ctx.Done(); return nil, ctx.Err() })
	healthy := &fakeCheck{now: time.Now()}
	r := &readiness{schema: hangs, keys: healthy.watch(), temporal: healthy.watch()}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { r.run(ctx); close(ended) }()
	await(t, func() bool { known, _, _ := r.temporal.state(); return known })
	stop()
	awaitClosed(t, ended)
}

// TestMetricsWhilePostgresHangs: a scrape shows the last counts, and does not wait.
func TestMetricsWhilePostgresHangs(t *testing.T) {
	t.Parallel()
	counts := make(chan switchboard.Stats, 1)
	cached := newCached(func(context.Context) (switchboard.Stats, error) {
		stats, open := <-counts
		if !open {
			return stats, errors.New("away")
		}
		return stats, nil
	})
	now := time.Now()
	cached.wait, cached.now = time.Millisecond, func() time.Time { return now }
	telemetry, err := newTelemetry(t.Context(), "me", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := observeStats(telemetry.meter, cached); err != nil {
		t.Fatal(err)
	}
	overdue := func() float64 {
		families, err := telemetry.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == "switchboard_deliveries_overdue" {
				return family.GetMetric()[0].GetGauge().GetValue()
			}
		}
		return -1
	}
	if got := overdue(); got != -1 {
		t.Errorf("before anything is counted: %v", got)
	}
	counts <- switchboard.Stats{Overdue: 7}
	await(t, func() bool { return overdue() == 7 })
	now = now.Add(statsAge)
	if got := overdue(); got != 7 {
		t.Errorf("while Postgres hangs: %v", got)
	}
	counts <- switchboard.Stats{Overdue: 8}
	await(t, func() bool { return overdue() == 8 })
	close(counts)
	now = now.Add(statsMemory)
	if got := overdue(); got != -1 {
		t.Errorf("when Postgres is away for long: %v", got)
	}
}
