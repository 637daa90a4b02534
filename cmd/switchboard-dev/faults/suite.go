package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

const (
	// warmUp is how long events are posted before a fault.
	warmUp = 2 * time.Second
	// flowLimit is how long after a fault events must flow again.
	flowLimit = 5 * time.Minute
	// arriveLimit is how long after that everything that was accepted must have arrived. A later
	// attempt that was lost with its worker is repeated after 45 s and the wait of its policy.
	arriveLimit = 5 * time.Minute
	// repairLimit is how long after that every promise must be kept. Every 15 s, the reconciler
	// looks for what is 45 s late.
	repairLimit = 5 * time.Minute
)

// The tenants of the healthy receiver, each with one subscription.
const (
	tenantSteady = "faults-steady" // its events tell whether events flow
	tenantFlaky  = "faults-flaky"
	tenantSlow   = "faults-slow"
)

// suite is one run of the fault suite.
type suite struct {
	Command
	stack    *stack
	seen     *arrivals
	receiver *receiver
	hostile  map[string]*hostile // by tenant
	apis     []*client.Client
	log      func(format string, args ...any)
}

// run is a fault under load.
type run struct {
	*suite
	load *load
}

// subscribe makes the subscriptions, each with its own tenant.
func (s *suite) subscribe(ctx context.Context) error {
	wanted := map[string]string{
		tenantSteady: s.receiver.url + pathSteady, tenantFlaky: s.receiver.url + pathFlaky, tenantSlow: s.receiver.url + pathSlow,
	}
	for tenant, h := range s.hostile {
		wanted[tenant] = h.url
	}
	soon := switchboard.RetryPolicy{InitialInterval: switchboard.Duration(time.Second), BackoffCoefficient: 1, MaxAttempts: 100}
	for tenant, url := range wanted {
		subscription := switchboard.Subscription{Tenant: tenant, Name: "faults", Events: []string{"*"}, Request: switchboard.Request{URL: url}, Retry: soon}
		if s.hostile[tenant] != nil {
			// Every attempt must reach the receiver. An open breaker would keep most away.
			subscription.Breaker.Mode = switchboard.BreakerOff
			subscription.Timeout = switchboard.Duration(2 * time.Second)
		}
		if _, err := s.apis[0].CreateSubscription(ctx, client.NewSubscription{Subscription: subscription}); err != nil {
			return fmt.Errorf("subscribe %s: %w", tenant, err)
		}
	}
	return nil
}

// turns are the tenants that events are posted for, in turn. If the fault is about a hostile
// receiver, two more of each dozen are for that.
func turns(extra string) []string {
	all := []string{
		tenantSteady, tenantFlaky, tenantSteady, tenantSlow, tenantSteady,
		tenantSteady, tenantFlaky, tenantSteady, tenantSlow, tenantSteady,
	}
	if extra != "" {
		all = append(all, extra, extra)
	}
	return all
}

// try causes one fault and returns what happened to the events of that time. An error is an error
// of the suite itself.
func (s *suite) try(ctx context.Context, f fault) (outcome, error) {
	o := outcome{Fault: f.name, What: f.what, Ended: map[string]int{}}
	before := map[string]int{}
	for _, one := range s.stack.everything() {
		before[one.name] = one.ends()
	}
	l := startLoad(ctx, s.apis, f.name, s.Rate, turns(f.tenant))
	defer l.giveUp()
	if err := pause(ctx, warmUp); err != nil {
		return o, err
	}
	r := &run{suite: s, load: l}
	began := time.Now()
	if err := f.inflict(ctx, r); err != nil {
		o.Failed = err.Error()
	}
	o.ended = time.Now()
	o.Seconds = o.ended.Sub(began).Seconds()
	if err := s.await(ctx, l, &o); err != nil {
		return o, err
	}
	for _, one := range s.stack.everything() {
		if n := one.ends() - before[one.name]; n > 0 {
			o.Ended[one.name] = n
		}
	}
	return o, s.verify(ctx, &o)
}

// verify looks for broken promises, repeatedly for as long as the reconciler may take to repair
// what it finds. Deliveries that were open when databases were restored get their workflow a minute
// after their date.
func (s *suite) verify(ctx context.Context, o *outcome) error {
	var failed error
	err := until(ctx, repairLimit, "every promise is kept", func(context.Context) bool {
		var found switchboard.VerifyReport
		if found, failed = s.stack.verify(ctx); failed == nil {
			o.report(found)
		}
		return failed != nil || len(found.Violations) == 0
	})
	o.Clean = time.Since(o.ended).Seconds()
	if failed != nil {
		return fmt.Errorf("verify after %s: %w", o.Fault, failed)
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return nil // the outcome has what is broken
}

// await waits for the flow, ends the load, and waits for everything that was accepted.
func (s *suite) await(ctx context.Context, l *load, o *outcome) error {
	var after time.Duration
	flowing := until(ctx, flowLimit, "events flow", func(context.Context) bool {
		var settled bool
		after, settled = flow(o.ended, time.Now(), steady(l.all()), func(id string) time.Time { return s.seen.of(id).first })
		return settled
	})
	if o.Flow = after.Seconds(); flowing != nil {
		o.Flow = flowLimit.Seconds() // at least
	}
	posting := l.end()
	o.events = l.all()
	arriving := until(ctx, arriveLimit, "all that was accepted has arrived", func(context.Context) bool {
		o.count(s.seen)
		return o.Lost == 0
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, err := range []error{flowing, posting, arriving} {
		if err != nil {
			o.Failed = errors.Join(errorOf(o.Failed), err).Error()
		}
	}
	return nil
}

func errorOf(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// steady returns the events of the endpoint that answers at once.
func steady(all []posted) []posted {
	var of []posted
	for _, event := range all {
		if event.tenant == tenantSteady {
			of = append(of, event)
		}
	}
	return of
}

// untilNothingOpen waits until every delivery has ended, including those whose event has arrived
// but is repeated because nobody knows.
func (s *suite) untilNothingOpen(ctx context.Context) error {
	open := switchboard.DeliveryFilter{States: []switchboard.State{switchboard.StatePending, switchboard.StateRetrying, switchboard.StateHeld, switchboard.StateBlocked}}
	return until(ctx, arriveLimit, "no delivery is open", func(ctx context.Context) bool {
		page, err := s.apis[0].ListDeliveries(ctx, open, switchboard.PageRequest{Limit: 1})
		return err == nil && len(page.Items) == 0
	})
}

// hold lets a fault last.
func (r *run) hold(ctx context.Context) error {
	return pause(ctx, time.Duration(r.Seconds)*time.Second)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
