package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// parked is the cost of deliveries that wait for a release, and the result of the release.
type parked struct {
	Deliveries int      `json:"deliveries"`
	Rate       int      `json:"rate"` // at which they are released
	None       standing `json:"without"`
	Parked     standing `json:"with"`
	AcceptS    float64  `json:"accept_seconds"`
	AcceptCPU  float64  `json:"accept_cpu_ms_per_delivery"`
	Workflows  int64    `json:"workflows"` // started for them before the release
	Release    release  `json:"release"`
}

// standing is the stack at rest.
type standing struct {
	Idle     cpuPerSecond `json:"idle_cpu_ms_per_second"`
	RestartS []float64    `json:"restart_seconds"`
	RSS      []float64    `json:"serve_rss_mib"` // after each restart and some deliveries
}

// release is the result of the release, as the receiver saw it.
type release struct {
	Arrived    int                `json:"arrived"`
	Duplicates int                `json:"duplicates"`
	PerSecond  float64            `json:"per_second"` // without the longest gap if everything was killed
	Slowest    float64            `json:"per_second_slowest"`
	Fastest    float64            `json:"per_second_fastest"` // among the stretches of releaseStretch
	Displaced  spread             `json:"displaced"`          // places between the order of acceptance and that of arrival
	GapS       float64            `json:"longest_gap_seconds"`
	CPU        map[string]float64 `json:"cpu_ms_per_delivery"`
}

const (
	parkedTenant = "bench-parked"
	// releaseStretch is the time over which the rate is counted, in addition to the whole.
	releaseStretch = 10 * time.Second
	// parkedBatch is how many events one call posts.
	parkedBatch = 250
	// parkedCallers is how many callers post at the same time.
	parkedCallers = 4
	// standingSpan is how long the CPU at rest is measured.
	standingSpan = time.Minute
	// restarts is how many restarts are made with and without parked deliveries.
	restarts = 3
	// restartEvents are delivered after each restart, so that serve has the memory that it needs
	// for work.
	restartEvents = 200
	// parkedTimeout limits the phase without the release itself.
	parkedTimeout = 30 * time.Minute
)

// measureParked parks deliveries when they are accepted, and compares the stack at rest with and
// without them. Then it releases them.
func (b *bench) measureParked(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, parkedTimeout+2*time.Duration(b.Parked)*time.Second/time.Duration(b.ReleaseRate))
	defer cancel()
	result := &parked{Deliveries: b.Parked, Rate: b.ReleaseRate}
	made, err := b.stack.poster.api.CreateSubscription(ctx, client.NewSubscription{Subscription: switchboard.Subscription{
		Tenant: parkedTenant, Name: "parked", Events: []string{"*"}, Request: switchboard.Request{URL: b.stack.receiver.url + pathWell}, ReleaseRate: b.ReleaseRate,
	}})
	if err != nil {
		return fmt.Errorf("parked: %w", err)
	}
	if err := b.stack.poster.change(ctx, made.ID, "pause"); err != nil {
		return fmt.Errorf("parked: %w", err)
	}
	if err := b.atRest(ctx, result); err != nil {
		return err
	}
	b.report.Parked = result
	if err := b.release(ctx, made.ID, result); err != nil {
		return fmt.Errorf("parked, release: %w", err)
	}
	return nil
}

// atRest parks the deliveries, and compares the stack with and without them. It closes its
// connections before Postgres is killed.
func (b *bench) atRest(ctx context.Context, result *parked) (err error) {
	db, err := sql.Open("postgres", b.stack.postgres.URL(database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if result.None, err = b.standing(ctx, db); err != nil {
		return fmt.Errorf("parked, none: %w", err)
	}
	if err := b.park(ctx, db, result); err != nil {
		return fmt.Errorf("parked, accepting: %w", err)
	}
	if result.Parked, err = b.standing(ctx, db); err != nil {
		return fmt.Errorf("parked, at rest: %w", err)
	}
	return nil
}

// standing measures the stack at rest, and restarts Switchboard several times.
func (b *bench) standing(ctx context.Context, db *sql.DB) (standing, error) {
	var s standing
	for range restarts {
		if err := b.stack.serve.Stop(); err != nil {
			return standing{}, err
		}
		start := time.Now()
		if err := b.stack.startServe(ctx); err != nil {
			return standing{}, err
		}
		s.RestartS = append(s.RestartS, time.Since(start).Seconds())
		b.stack.receiver.expect(restartEvents)
		if _, err := b.stack.poster.burst(ctx, tenantName, restartEvents, b.Concurrency); err != nil {
			return standing{}, err
		}
		if err := errors.Join(b.stack.receiver.wait(ctx), pause(ctx, taskTimeout), b.stack.rest(ctx)); err != nil {
			return standing{}, err
		}
		held, err := readMemory(b.stack.serve.PID())
		if err != nil {
			return standing{}, err
		}
		s.RSS = append(s.RSS, mebibytes(held.RSS))
	}
	// Postgres now does what it would later do for new rows, and not during the measurement.
	for _, statement := range []string{"VACUUM (ANALYZE)", "CHECKPOINT"} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return standing{}, err
		}
	}
	if err := b.stack.rest(ctx); err != nil {
		return standing{}, err
	}
	var w window
	if err := b.watchUse(ctx, standingSpan, &w); err != nil {
		return standing{}, err
	}
	s.Idle = w.CPU
	b.progress("at rest: %.0f ms CPU a second, restarts in %.1f s, serve holds %.0f MiB", s.Idle.total(), median(s.RestartS), median(s.RSS))
	return s, nil
}

// park posts the events of the paused subscription.
func (b *bench) park(ctx context.Context, db *sql.DB, result *parked) error {
	running, err := b.stack.closed(ctx, deliverWorkflow)
	if err != nil {
		return err
	}
	before, err := b.stack.used()
	if err != nil {
		return err
	}
	start := time.Now()
	var next atomic.Int64
	group, posting := errgroup.WithContext(ctx)
	for range parkedCallers {
		group.Go(func() error {
			for first := next.Add(parkedBatch) - parkedBatch; first < int64(b.Parked); first = next.Add(parkedBatch) - parkedBatch {
				if err := b.stack.poster.batch(posting, int(min(parkedBatch, int64(b.Parked)-first))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	result.AcceptS = time.Since(start).Seconds()
	after, err := b.stack.used()
	if err != nil {
		return err
	}
	u := after.since(before)
	u.takeOthers()
	result.AcceptCPU = milliseconds(u.total()) / float64(b.Parked)
	var held int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM deliveries WHERE tenant = $1 AND state = 'held'", parkedTenant).Scan(&held); err != nil {
		return err
	}
	if held != b.Parked {
		return fmt.Errorf("%d deliveries are held, of %d", held, b.Parked)
	}
	if err := b.stack.rest(ctx); err != nil {
		return err
	}
	now, err := b.stack.closed(ctx, deliverWorkflow)
	result.Workflows = now - running
	b.progress("%d parked in %.0f s, %.2f ms CPU each", b.Parked, result.AcceptS, result.AcceptCPU)
	return err
}

// change pauses or resumes a subscription.
func (p *poster) change(ctx context.Context, subscription, what string) error {
	body := strings.NewReader(`{"reason":"switchboard-dev bench"}`)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/v1/subscriptions/"+subscription+"/"+what, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+p.key.Reveal())
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode >= http.StatusMultipleChoices {
		text, _ := io.ReadAll(answer.Body)
		return fmt.Errorf("%s the subscription: answered %d %s", what, answer.StatusCode, text)
	}
	return nil
}

// batch posts that many events of the paused subscription in one call.
func (p *poster) batch(ctx context.Context, count int) error {
	events := make([]client.NewEvent, count)
	for i := range events {
		events[i] = p.event(parkedTenant, ticketCreated, p.count.Add(1))
	}
	results, err := p.api.PostEvents(ctx, events)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Status != client.BatchAccepted || len(r.Deliveries) != 1 {
			return fmt.Errorf("an event of a batch is %s, with %d deliveries", r.Status, len(r.Deliveries))
		}
	}
	return nil
}

// release resumes the subscription and waits until all have arrived.
func (b *bench) release(ctx context.Context, subscription string, result *parked) error {
	b.stack.receiver.expect(b.Parked)
	before, err := b.stack.used()
	if err != nil {
		return err
	}
	if err := b.stack.poster.change(ctx, subscription, "resume"); err != nil {
		return err
	}
	if b.ParkedKill {
		if err := b.stack.receiver.waitFor(ctx, b.Parked/2); err != nil {
			return err
		}
		b.progress("killing Switchboard, Temporal and Postgres")
		if err := b.stack.killAll(ctx); err != nil {
			return err
		}
	}
	if err := b.stack.receiver.wait(ctx); err != nil {
		return err
	}
	if err := errors.Join(pause(ctx, taskTimeout), b.stack.rest(ctx)); err != nil {
		return err
	}
	result.Release = b.stack.receiver.released(b.ParkedKill)
	if !b.ParkedKill { // otherwise the processes are not those from before
		after, err := b.stack.used()
		if err != nil {
			return err
		}
		u := after.since(before)
		u.takeOthers()
		result.Release.CPU = perUnit(u, float64(b.Parked))
	}
	b.progress("released at %.1f/s, %d duplicates", result.Release.PerSecond, result.Release.Duplicates)
	return nil
}

// waitFor waits until that many have arrived.
func (r *receiver) waitFor(ctx context.Context, count int) error {
	for {
		r.mu.Lock()
		arrived := len(r.arrivals)
		r.mu.Unlock()
		if arrived >= count {
			return nil
		}
		if err := pause(ctx, pollPause); err != nil {
			return fmt.Errorf("%d of %d deliveries have arrived: %w", arrived, count, err)
		}
	}
}

// released returns the order and the rate in which the deliveries arrived. Their ids have the order
// in which they were accepted.
func (r *receiver) released(killed bool) release {
	r.mu.Lock()
	defer r.mu.Unlock()
	type arrival struct {
		id string
		at time.Time
	}
	var all []arrival
	for id, at := range r.arrivals {
		all = append(all, arrival{id, at})
	}
	slices.SortFunc(all, func(a, b arrival) int { return a.at.Compare(b.at) })
	ids := make([]string, len(all))
	for i, a := range all {
		ids[i] = a.id
	}
	slices.SortFunc(ids, strings.Compare)
	result := release{Arrived: len(all), Duplicates: r.duplicates}
	places := make([]time.Duration, len(all)) // a millisecond stands for a place
	var gap time.Duration
	perStretch := map[int]int{}
	for i, a := range all {
		accepted, _ := slices.BinarySearch(ids, a.id)
		places[i] = time.Duration(max(accepted-i, i-accepted)) * time.Millisecond
		if i > 0 {
			gap = max(gap, a.at.Sub(all[i-1].at))
		}
		perStretch[int(a.at.Sub(all[0].at)/releaseStretch)]++
	}
	result.Displaced, result.GapS = spreadOf(places), gap.Seconds()
	whole := all[len(all)-1].at.Sub(all[0].at)
	if killed {
		whole -= gap
	}
	result.PerSecond = float64(len(all)-1) / whole.Seconds()
	delete(perStretch, len(perStretch)-1) // the last is incomplete
	for _, n := range perStretch {
		perSecond := float64(n) / releaseStretch.Seconds()
		result.Fastest = max(result.Fastest, perSecond)
		if result.Slowest == 0 || perSecond < result.Slowest {
			result.Slowest = perSecond
		}
	}
	return result
}
