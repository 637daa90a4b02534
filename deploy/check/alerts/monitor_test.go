package alerts

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb"
)

const (
	// interval is how far the monitor's clock advances with each scrape by default.
	interval = 30 * time.Second
	// pace is the real time between two scrapes. What a process shows from its database is at most
	// five seconds old.
	pace = 100 * time.Millisecond
	// waitLimit is the maximum real time to wait for an alert. The slowest fault shows after two
	// minutes.
	waitLimit = 3 * time.Minute
)

// target is a scraped process.
type target struct{ job, instance string }

// monitor does what Prometheus does, with its own storage and rules: it scrapes processes, stores
// the values, and evaluates the alerts. Its clock advances by a fixed step with each scrape, so
// that an alert that must last for hours takes seconds. The scraped values are real.
type monitor struct {
	t       *testing.T
	db      *tsdb.DB
	engine  *promql.Engine
	rules   map[string]*rules.AlertingRule
	targets []target
	wanted  map[string]bool // the metrics that expressions select: Temporal's server shows thousands of others
	began   time.Time
	now     time.Time
	shown   map[target]map[string]labels.Labels // the series of each target's last scrape
	fired   map[string]bool                     // since [monitor.forget]
}

func newMonitor(t *testing.T, targets ...target) *monitor {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), slog.New(slog.DiscardHandler), nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	began := time.Now().Truncate(time.Minute)
	return &monitor{
		t: t, db: db, engine: promql.NewEngine(promql.EngineOpts{MaxSamples: 50_000_000, Timeout: time.Minute}),
		rules: readRules(t), targets: targets, wanted: selected(t), began: began, now: began, shown: map[target]map[string]labels.Labels{}, fired: map[string]bool{},
	}
}

// step scrapes every target once, and evaluates every alert.
func (m *monitor) step(by time.Duration) {
	m.t.Helper()
	m.now = m.now.Add(by)
	appender := m.db.Appender(m.t.Context())
	at := timestamp.FromTime(m.now)
	for _, one := range m.targets {
		series := m.scrape(one)
		present := make(map[string]labels.Labels, len(series))
		for _, s := range series {
			if _, err := appender.Append(0, s.labels, at, s.value); err != nil {
				m.t.Fatal(err)
			}
			present[s.labels.String()] = s.labels
		}
		// What is no longer shown is stale at once, as in Prometheus.
		for name, gone := range m.shown[one] {
			if _, still := present[name]; !still {
				if _, err := appender.Append(0, gone, at, math.Float64frombits(value.StaleNaN)); err != nil {
					m.t.Fatal(err)
				}
			}
		}
		m.shown[one] = present
	}
	if err := appender.Commit(); err != nil {
		m.t.Fatal(err)
	}
	query := rules.EngineQueryFunc(m.engine, m.db)
	for name, rule := range m.rules {
		if _, err := rule.Eval(m.t.Context(), 0, m.now, query, &url.URL{}, 0); err != nil {
			m.t.Fatalf("%s: %v", name, err)
		}
		rule.SetEvaluationTimestamp(m.now) // otherwise the state is unknown
		if rule.State() == rules.StateFiring {
			m.fired[name] = true
		}
	}
}

// sample is a value of a series.
type sample struct {
	labels labels.Labels
	value  float64
}

// scrape returns what a target shows, or nothing if it does not answer.
func (m *monitor) scrape(one target) []sample {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+one.instance+"/metrics", http.NoBody)
	if err != nil {
		m.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	decoder := expfmt.NewDecoder(response.Body, expfmt.ResponseFormat(response.Header))
	vector, err := samplesOf(decoder, m.wanted)
	if err != nil || response.StatusCode != http.StatusOK {
		m.t.Fatalf("%s shows no metrics: %d, %v", one.instance, response.StatusCode, err)
	}
	samples := make([]sample, 0, len(vector))
	for _, s := range vector {
		b := labels.NewBuilder(labels.EmptyLabels())
		for name, text := range s.Metric {
			b.Set(string(name), string(text))
		}
		samples = append(samples, sample{b.Set("job", one.job).Set("instance", one.instance).Labels(), float64(s.Value)})
	}
	return samples
}

// samplesOf reads the samples of the wanted metrics.
func samplesOf(from expfmt.Decoder, wanted map[string]bool) (model.Vector, error) {
	options := &expfmt.DecodeOptions{Timestamp: model.Now()}
	var all model.Vector
	for {
		var family dto.MetricFamily
		if err := from.Decode(&family); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if !wanted[family.GetName()] {
			continue
		}
		some, err := expfmt.ExtractSamples(options, &family)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
}

// until scrapes until the condition is true.
func (m *monitor) until(what string, by time.Duration, before func(), condition func() bool) {
	m.t.Helper()
	deadline := time.NewTimer(waitLimit)
	defer deadline.Stop()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		if before != nil {
			before()
		}
		m.step(by)
		if condition() {
			return
		}
		select {
		case <-deadline.C:
			m.t.Fatalf("not %s within %s; now firing: %v; fired: %v", what, waitLimit, m.firing(), sorted(m.fired))
		case <-tick.C:
		}
	}
}

// firing lists the alerts that fire now.
func (m *monitor) firing() []string {
	var names []string
	for name, rule := range m.rules {
		if rule.State() == rules.StateFiring {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// forget forgets which alerts have fired.
func (m *monitor) forget() { clear(m.fired) }

// haveFired reports whether all of the alerts have fired since then.
func (m *monitor) haveFired(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !m.fired[name] })
}

// clear reports whether none of the alerts fires or is about to.
func (m *monitor) clear(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return m.rules[name].State() != rules.StateInactive })
}

// has reports whether a series for the matchers was ever scraped.
func (m *monitor) has(matchers ...*labels.Matcher) bool {
	m.t.Helper()
	querier, err := m.db.Querier(timestamp.FromTime(m.began), timestamp.FromTime(m.now))
	if err != nil {
		m.t.Fatal(err)
	}
	defer querier.Close()
	found := querier.Select(m.t.Context(), false, nil, matchers...)
	there := found.Next()
	if err := found.Err(); err != nil {
		m.t.Fatal(err)
	}
	return there
}

// awaitReal returns when a condition is true, in real time and without scraping.
func awaitReal(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(waitLimit)
	defer deadline.Stop()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("not %s within %s", what, waitLimit)
		case <-tick.C:
		}
	}
}

// read reads a file of deploy/.
func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sorted lists the keys of a map.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// must ends the test at an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
