package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// scenario is bad traffic next to which healthy events are measured.
type scenario struct {
	name      string // its name for --scenario
	behaviour behaviour
	endpoints int
	rate      float64 // events per second for each endpoint; 0: only the burst
	burst     int     // events at once at the beginning
	sameOwner bool    // the endpoints belong to the tenant whose healthy events are measured
	timeout   time.Duration
	cap       int // max_in_flight; 0: the default
	tabs      int // open tabs of the console's overview
}

// scenarios are the scenarios of the issue. h and i repeat c and d with endpoints that answer at
// once. largestCap is the max_in_flight of f.
func scenarios(largestCap int) []scenario {
	return []scenario{
		{name: "a", behaviour: hangs, endpoints: 30, rate: 0.5},
		{name: "b", behaviour: hangs, endpoints: 60, rate: 1},
		{name: "c", behaviour: answersLate, endpoints: 60, rate: 0.5},
		{name: "d", behaviour: refuses, endpoints: 200, rate: 1},
		{name: "e", behaviour: hangs, endpoints: 30, rate: 0.5, sameOwner: true},
		{name: "f", behaviour: hangs, endpoints: 1, burst: 520, timeout: time.Duration(switchboard.MaxTimeout), cap: largestCap},
		{name: "g", tabs: 50},
		{name: "h", behaviour: answers, endpoints: 60, rate: 0.5},
		{name: "i", behaviour: answers, endpoints: 200, rate: 1},
	}
}

func (s scenario) what() string {
	text := fmt.Sprintf("%d that %s, %v/s each", s.endpoints, s.behaviour, s.rate)
	switch {
	case s.tabs > 0:
		text = fmt.Sprintf("%d tabs of the console's overview", s.tabs)
	case s.burst > 0:
		text = fmt.Sprintf("%d events for one that %s, cap %d, time limit %s", s.burst, s.behaviour, s.cap, s.timeout)
	}
	if s.sameOwner {
		text += ", same tenant"
	}
	return text
}

// dead reports whether its endpoints constantly get events and answer none.
func (s scenario) dead() bool { return s.rate > 0 && (s.behaviour == hangs || s.behaviour == refuses) }

// tenant returns the owner of the endpoint with that number.
func (s scenario) tenant(i int) string {
	if s.sameOwner {
		return isolationTenant
	}
	return fmt.Sprintf("isolation-%s-%d", s.name, i)
}

// badTraffic is a running scenario.
type badTraffic struct {
	poster        *poster
	via           *client.Client // its own connections, which healthy events do not use
	idle          func()         // closes unused connections
	endpoints     *badEndpoints
	subscriptions []string
	tabs          *tabs // nil: none
	stop          context.CancelFunc
	ended         chan struct{} // closed when posting has ended

	mu               sync.Mutex
	accepted, failed int
}

// badEvent is the prefix of the type of every event for a bad endpoint.
const badEvent = "dead."

// badPosts limits how many events for bad endpoints are posted at a time.
const badPosts = 500

// startBad subscribes the scenario's endpoints and posts their events until it is stopped.
func (b *bench) startBad(ctx context.Context, s scenario) (_ *badTraffic, err error) {
	transport := &http.Transport{MaxIdleConns: badPosts, MaxIdleConnsPerHost: badPosts}
	t := &badTraffic{poster: b.stack.poster, idle: transport.CloseIdleConnections, ended: make(chan struct{})}
	if t.via, err = t.poster.over(&http.Client{Transport: transport, Timeout: callTimeout}); err != nil {
		return nil, err
	}
	if t.endpoints, err = startEndpoints(s.behaviour, s.endpoints); err != nil {
		return nil, err
	}
	for i, url := range t.endpoints.urls {
		bad := switchboard.Subscription{
			Tenant: s.tenant(i), Name: fmt.Sprintf("bad %s %d", s.name, i), Events: []string{fmt.Sprint(badEvent, i)}, Request: switchboard.Request{URL: url},
			Timeout: switchboard.Duration(s.timeout), MaxInFlight: s.cap,
		}
		made, err := t.via.CreateSubscription(ctx, client.NewSubscription{Subscription: bad})
		if err != nil {
			return nil, errors.Join(err, t.remove(ctx))
		}
		t.subscriptions = append(t.subscriptions, made.ID)
	}
	if s.tabs > 0 {
		if t.tabs, err = b.startTabs(ctx, s.tabs); err != nil {
			return nil, errors.Join(err, t.remove(ctx))
		}
	}
	posting, stop := context.WithCancel(ctx)
	t.stop = stop
	go t.post(posting, s)
	return t, nil
}

// post posts the burst, and then for each endpoint in turn.
func (t *badTraffic) post(ctx context.Context, s scenario) {
	defer close(t.ended)
	var group errgroup.Group
	group.SetLimit(badPosts)
	one := func(i int) {
		group.Go(func() error {
			event := t.poster.event(s.tenant(i), fmt.Sprint(badEvent, i), t.poster.count.Add(1))
			_, err := t.via.PostEvent(ctx, event)
			t.mu.Lock()
			defer t.mu.Unlock()
			switch {
			case err == nil:
				t.accepted++
			case ctx.Err() == nil:
				t.failed++
			}
			return nil
		})
	}
	for range s.burst {
		one(0)
	}
	if s.rate > 0 {
		tick := time.NewTicker(time.Duration(float64(time.Second) / s.rate / float64(s.endpoints)))
		defer tick.Stop()
		for i := 0; ctx.Err() == nil; i = (i + 1) % s.endpoints {
			select {
			case <-tick.C:
				one(i)
			case <-ctx.Done():
			}
		}
	}
	_ = group.Wait() // none of them fails
}

// count returns how many events have been accepted so far.
func (t *badTraffic) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.accepted
}

// stopPosting ends posting, and returns how many posts failed.
func (t *badTraffic) stopPosting() (failed int) {
	t.stop()
	<-t.ended
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// remove deletes the subscriptions and closes the endpoints.
func (t *badTraffic) remove(ctx context.Context) error {
	var errs []error
	for _, id := range t.subscriptions {
		errs = append(errs, t.via.DeleteSubscription(ctx, id, "the scenario is over"))
	}
	t.idle()
	if t.tabs != nil {
		errs = append(errs, t.tabs.close())
	}
	return errors.Join(errors.Join(errs...), t.endpoints.close())
}

// drainBad waits until nothing of the scenario is open and the stack is at rest. It reports whether
// that happened within drainTimeout.
func (b *bench) drainBad(ctx context.Context, db *sql.DB) (drained bool, err error) {
	draining, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	for {
		open, err := countOpen(draining, db)
		if err == nil && open == 0 {
			err = errors.Join(pause(draining, taskTimeout), b.stack.rest(draining))
			if err == nil {
				return true, nil
			}
		}
		if err == nil {
			err = pause(draining, time.Second)
		}
		if draining.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			return false, err
		}
	}
}

// countOverdue counts deliveries whose date passed so long ago that we have a fault.
func countOverdue(ctx context.Context, db *sql.DB) (n int, err error) {
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM deliveries WHERE next_attempt_at < $1", time.Now().Add(-switchboard.StuckAfter)).Scan(&n)
	return n, err
}

// countOpen counts the bad deliveries that are not final.
func countOpen(ctx context.Context, db *sql.DB) (n int, err error) {
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM deliveries WHERE event_type LIKE $1 AND completed_at IS NULL", badEvent+"%").Scan(&n)
	return n, err
}

// badStates counts the bad deliveries that are not final by state, and parked ones by reason.
func badStates(ctx context.Context, db *sql.DB) (states map[string]int, err error) {
	rows, err := db.QueryContext(ctx, `SELECT CASE state WHEN 'held' THEN 'held ' || reason ELSE state END, count(*)
FROM deliveries WHERE event_type LIKE $1 AND completed_at IS NULL GROUP BY 1`, badEvent+"%")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	states = map[string]int{}
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return nil, err
		}
		states[state] = n
	}
	return states, rows.Err()
}
