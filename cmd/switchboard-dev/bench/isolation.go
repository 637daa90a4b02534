package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// isolation compares healthy deliveries with and without bad endpoints of others.
type isolation struct {
	Rate      int          `json:"rate"`
	Without   []window     `json:"without"` // one before each scenario and one after the last
	Scenarios []besideBad  `json:"scenarios"`
	Idle      cpuPerSecond `json:"idle_cpu_ms_per_second"`
}

// window is a time span in which healthy events were posted at a steady pace.
type window struct {
	Events      int          `json:"events"`
	NotAccepted int          `json:"not_accepted"` // posts that were not answered 202
	NotArrived  int          `json:"not_arrived"`  // counted with the time that the bench waited for them
	Duplicates  int          `json:"duplicates"`
	Answer      spread       `json:"answer_ms"`
	Arrival     spread       `json:"arrival_ms"`
	Slices      []spread     `json:"arrival_ms_by_slice"` // of sliceLength each, in order
	CPU         cpuPerSecond `json:"cpu_ms_per_second"`
	Others      float64      `json:"others_cores"`
}

// cpuPerSecond is CPU in milliseconds per second, by process.
type cpuPerSecond map[string]float64

func (c cpuPerSecond) total() float64 {
	sum := 0.0
	for _, ms := range c {
		sum += ms
	}
	return sum
}

// besideBad is one scenario: its first time, in which breakers open, and the time after that.
type besideBad struct {
	Scenario  string         `json:"scenario"`
	What      string         `json:"what"`
	Onset     window         `json:"onset"`
	Later     window         `json:"later"`
	BadRate   float64        `json:"bad_events_per_second"` // accepted, in the later time
	BadFailed int            `json:"bad_posts_failed"`
	Overdue   int            `json:"overdue"` // at the end
	States    map[string]int `json:"states"`  // of the bad deliveries at the end
	DrainS    float64        `json:"drain_seconds"`
	Drained   bool           `json:"drained"` // within drainTimeout
	Tabs      int            `json:"tabs,omitempty"`
	Polls     int            `json:"polls,omitempty"` // of the tabs
	dead      bool           // its endpoints never answer, so an event for them is only parked
	control   bool           // its endpoints answer at once, so others have no limit next to it
}

const (
	sliceLength     = 5 * time.Second
	isolationRate   = 20 // healthy events a second
	isolationTenant = "isolation-healthy"
	// arrivalTimeout is how long to wait for healthy events after the last was posted.
	arrivalTimeout = 30 * time.Second
)

// measureIsolation alternates windows without bad traffic and scenarios.
func (b *bench) measureIsolation(ctx context.Context) (err error) {
	db, err := sql.Open("postgres", b.stack.postgres.URL(database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	healthy := switchboard.Subscription{
		Tenant: isolationTenant, Name: "healthy", Events: []string{ticketCreated}, Request: switchboard.Request{URL: b.stack.receiver.url + pathWell},
	}
	if _, err := b.stack.poster.api.CreateSubscription(ctx, client.NewSubscription{Subscription: healthy}); err != nil {
		return fmt.Errorf("isolation: %w", err)
	}
	if _, err := b.healthy(ctx, nil, warmUp); err != nil {
		return fmt.Errorf("isolation, warming up: %w", err)
	}
	if err := errors.Join(pause(ctx, taskTimeout), b.stack.rest(ctx), b.watchIdle(ctx)); err != nil {
		return err
	}
	result := &isolation{Rate: isolationRate, Idle: b.report.IdleCPU}
	b.report.Isolation = result
	length := time.Duration(b.IsolationSeconds) * time.Second
	without := func() error {
		found, err := b.healthy(ctx, nil, length)
		if err != nil {
			return fmt.Errorf("isolation, without bad traffic: %w", err)
		}
		b.progressOf("without", found[0])
		result.Without = append(result.Without, found[0])
		return nil
	}
	for _, s := range b.chosenScenarios() {
		if err := without(); err != nil {
			return err
		}
		found, err := b.beside(ctx, db, s, time.Duration(b.OnsetSeconds)*time.Second, length)
		if err != nil {
			return fmt.Errorf("isolation, scenario %s: %w", s.name, err)
		}
		result.Scenarios = append(result.Scenarios, found)
	}
	return without()
}

// warmUp is how long healthy events are posted before any measurement.
const warmUp = 5 * time.Second

func (b *bench) progressOf(what string, w window) {
	b.progress("%s: receiver p50 %.0f p95 %.0f p99 %.0f ms, 202 p99 %.0f ms, %d of %d did not arrive, %.0f ms CPU a second; others used %.2f cores",
		what, w.Arrival.P50, w.Arrival.P95, w.Arrival.P99, w.Answer.P99, w.NotArrived+w.NotAccepted, w.Events, w.CPU.total(), w.Others)
}

// chosenScenarios are the scenarios of --scenario.
func (b *bench) chosenScenarios() []scenario {
	var chosen []scenario
	for _, s := range scenarios(b.IsolationCap) {
		if strings.Contains(b.Scenario, s.name) {
			chosen = append(chosen, s)
		}
	}
	return chosen
}

// beside measures healthy events while the scenario's endpoints get theirs, and removes everything
// of the scenario.
func (b *bench) beside(ctx context.Context, db *sql.DB, s scenario, onset, later time.Duration) (besideBad, error) {
	result := besideBad{Scenario: s.name, What: s.what(), Tabs: s.tabs, dead: s.dead(), control: s.behaviour == answers}
	bad, err := b.startBad(ctx, s)
	if err != nil {
		return besideBad{}, err
	}
	var accepted []int // at the end of each window
	found, err := b.healthy(ctx, func() { accepted = append(accepted, bad.count()) }, onset, later)
	result.BadFailed = bad.stopPosting()
	if err != nil {
		return besideBad{}, errors.Join(err, bad.remove(ctx))
	}
	result.Onset, result.Later = found[0], found[1]
	result.BadRate = float64(accepted[1]-accepted[0]) / later.Seconds()
	if result.Overdue, err = countOverdue(ctx, db); err == nil {
		result.States, err = badStates(ctx, db)
	}
	if err != nil {
		return besideBad{}, errors.Join(err, bad.remove(ctx))
	}
	b.progressOf("("+s.name+") first "+onset.String(), result.Onset)
	b.progressOf("("+s.name+") after that", result.Later)
	b.progress("(%s) %d overdue; bad deliveries: %v", s.name, result.Overdue, result.States)
	start := time.Now()
	if err := bad.remove(ctx); err != nil {
		return besideBad{}, err
	}
	result.Drained, err = b.drainBad(ctx, db)
	result.DrainS = time.Since(start).Seconds()
	if bad.tabs != nil {
		result.Polls = bad.tabs.polls
	}
	b.progress("(%s) deleted; drained %t after %.0f s", s.name, result.Drained, result.DrainS)
	return result, err
}
