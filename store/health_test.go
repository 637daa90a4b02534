package store_test

import (
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
	"github.com/seed-49a43567/switchboard/store"
)

// failure is the report of an attempt of the subscription with status 503, now.
func (b *bundle) failure(sub *switchboard.Subscription, deliveryID string) switchboard.HealthReport {
	return sub.Report(switchboard.Attempt{DeliveryID: deliveryID, At: b.clock(), Outcome: switchboard.Outcome{StatusCode: 503, Failure: switchboard.FailureHTTP5xx}})
}

// success is the report of an attempt with status 200.
func (b *bundle) success(sub *switchboard.Subscription, deliveryID string) switchboard.HealthReport {
	return sub.Report(switchboard.Attempt{DeliveryID: deliveryID, At: b.clock(), Outcome: switchboard.Outcome{StatusCode: 200}})
}

func (b *bundle) report(s *store.Store, r switchboard.HealthReport) switchboard.HealthResult {
	b.t.Helper()
	result, err := s.ReportHealth(b.t.Context(), r)
	must(b.t, err)
	return result
}

// openBreaker opens the breaker of the subscription.
func (b *bundle) openBreaker(sub *switchboard.Subscription) switchboard.Health {
	b.t.Helper()
	for range 9 {
		b.report(b.Store, b.failure(sub, "dlv_x"))
	}
	result := b.report(b.Store, b.failure(sub, "dlv_x"))
	equal(b.t, "opened", result.Change, switchboard.HealthChange{Opened: true})
	return result.Health
}

func (b *bundle) flow(id string) (flow int) {
	b.t.Helper()
	must(b.t, b.sql.Get(&flow, "SELECT flow FROM subscriptions WHERE id = $1", id))
	return flow
}

// health returns what an attempt of the delivery finds in the process with that store.
func (b *bundle) health(s *store.Store, deliveryID string) switchboard.Health {
	b.t.Helper()
	loaded, err := s.LoadForAttempt(b.t.Context(), deliveryID)
	must(b.t, err)
	return loaded.Health
}

// TestBreakerAcrossProcesses: two workers that each see half of the failures open the breaker at
// the documented thresholds, and each hears of it with its next attempt.
func TestBreakerAcrossProcesses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "ticket.*")
	before := b.accept(event("acme", "")).Deliveries[0]
	both := [2]*store.Store{b.Store, b.open(ring)}
	for _, s := range both {
		equal(t, "healthy", b.health(s, before.ID), switchboard.Health{})
	}
	for n := range 9 {
		b.advance(time.Second)
		equal(t, "below the threshold", b.report(both[n%2], b.failure(&sub, "dlv_x")).Change, switchboard.HealthChange{})
	}
	flow := b.flow(sub.ID)
	b.advance(time.Second)
	result := b.report(both[1], b.failure(&sub, "dlv_x"))
	equal(t, "the tenth", result.Change, switchboard.HealthChange{Opened: true})
	want := switchboard.Health{
		SubscriptionID: sub.ID, Breaker: switchboard.BreakerOpen, BreakerSince: b.clock(), BreakerReason: "10 attempts in a row failed, the last with http_503",
		FailingSince: begin().Add(time.Second), ProbeAt: result.Health.ProbeAt, ProbeInterval: 30 * time.Second, WindowAt: begin().Add(time.Second),
		Attempts: 10, Failures: 10, FailuresInARow: 10, LastFailureReason: "http_503",
	}
	equal(t, "health", result.Health, want)
	equal(t, "changes of the flow", b.flow(sub.ID)-flow, 1)
	for _, s := range both {
		equal(t, "each process", b.health(s, before.ID), want)
	}
	stats, err := b.Stats(t.Context())
	must(t, err)
	equal(t, "breakers that are open", stats.Breakers, map[string]int{"http_503": 1})
	held := b.accept(event("acme", "")).Deliveries[0]
	equal(t, "accepted then", [2]string{string(held.State), held.Reason}, [2]string{"held", switchboard.ReasonBreakerOpen})

	b.advance(time.Minute)
	result = b.report(both[0], b.success(&sub, "dlv_x"))
	equal(t, "an answer", result.Change, switchboard.HealthChange{Closed: true})
	operation, err := b.Operation(t.Context(), root(), result.Operation)
	must(t, err)
	equal(t, "release", [2]string{operation.SubscriptionID, operation.Reason}, [2]string{sub.ID, "the breaker of the endpoint has closed"})
	for _, s := range both {
		equal(t, "closed", b.health(s, before.ID), switchboard.Health{SubscriptionID: sub.ID, Breaker: switchboard.BreakerClosed, WindowAt: b.clock()})
	}
}

// TestFlowOfReports: every process hears of the first failure, so that it reports its successes
// from then on. While only counts change, none hears of anything.
func TestFlowOfReports(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "ticket.*")
	flow := b.flow(sub.ID)
	b.report(b.Store, b.success(&sub, "dlv_x"))
	b.report(b.Store, b.failure(&sub, "dlv_x"))
	first := b.flow(sub.ID)
	equal(t, "heard of", first > flow, true)
	for range 3 {
		b.report(b.Store, b.failure(&sub, "dlv_x"))
		b.report(b.Store, b.success(&sub, "dlv_x"))
	}
	equal(t, "counts alone", b.flow(sub.ID), first)
}

// TestReportsTogether: the reports of one transaction are counted one after the other, and one of them opens the
// breaker.
func TestReportsTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var subs [3]switchboard.Subscription
	for i := range subs {
		subs[i] = b.subscribe("acme", "ticket.*")
	}
	opened := make(chan int, 30)
	for i := range 30 {
		go func() {
			n := 0
			result, err := b.ReportHealth(t.Context(), b.failure(&subs[i%3], "dlv_x"))
			if err != nil {
				t.Error(err)
			}
			if result.Change.Opened {
				n = 1
			}
			opened <- n
		}()
	}
	sum := 0
	for range 30 {
		sum += <-opened
	}
	equal(t, "breakers that opened", sum, 3)
}

// TestDisabledByReceiver: which responses disable a subscription, and how that is shown.
func TestDisabledByReceiver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		state switchboard.SubscriptionState
		want  bool
	}{
		"active":     {switchboard.SubscriptionActive, true},
		"paused":     {switchboard.SubscriptionPaused, true},
		"unverified": {switchboard.SubscriptionUnverified, true},
		"disabled":   {switchboard.SubscriptionDisabled, false},
	} {
		sub := b.subscribe("acme", "ticket.*")
		_, err := b.sql.Exec("UPDATE subscriptions SET state = $2, state_by = 'somebody' WHERE id = $1", sub.ID, string(c.state))
		must(t, err)
		b.advance(time.Second)
		gone := switchboard.Outcome{StatusCode: 410, Failure: switchboard.FailureHTTP4xx}
		result := b.report(b.Store, sub.Report(switchboard.Attempt{At: b.clock(), Outcome: gone}))
		equal(t, name, result.Change.Disable != "", c.want)
		got, err := b.Subscription(t.Context(), root(), sub.ID)
		must(t, err)
		if c.want {
			equal(t, name, []any{got.State, got.StateReason, got.StateBy, got.StateSince},
				[]any{switchboard.SubscriptionDisabled, "the receiver answered 410 Gone", "switchboard", b.clock()})
		} else {
			equal(t, name, []any{got.State, got.StateBy}, []any{c.state, "somebody"})
		}
		equal(t, name+", version", got.Version, sub.Version)
	}
	var rows int
	must(t, b.sql.Get(&rows, "SELECT count(*) FROM subscription_health"))
	equal(t, "rows of healthy endpoints", rows, 0)
}

// TestReportOfAnInactiveSubscription: attempts that end after a pause have no effect.
func TestReportOfAnInactiveSubscription(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "ticket.*")
	_, err := b.sql.Exec("UPDATE subscriptions SET state = 'paused' WHERE id = $1", sub.ID)
	must(t, err)
	for range 20 {
		equal(t, "paused", b.report(b.Store, b.failure(&sub, "dlv_x")), switchboard.HealthResult{Health: switchboard.Health{SubscriptionID: sub.ID}})
	}
	must(t, b.DeleteSubscription(t.Context(), root(), sub.ID, ""))
	equal(t, "deleted", b.report(b.Store, b.failure(&sub, "dlv_x")), switchboard.HealthResult{})
}

// TestProbeOfTheOldest: the oldest held delivery is the probe, and no other; its earlier attempts
// count.
func TestProbeOfTheOldest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "ticket.*")
	health := b.openBreaker(&sub)
	var held [3]switchboard.Delivery
	for i := range held {
		b.advance(time.Second)
		held[i] = b.accept(event("acme", "")).Deliveries[0]
	}
	step, err := b.NextRecovery(t.Context(), sub.ID)
	must(t, err)
	equal(t, "not yet", step, switchboard.RecoveryStep{Breaker: switchboard.BreakerOpen, WaitFor: switchboard.WaitForProbe, WaitUntil: health.ProbeAt})

	b.advance(health.ProbeAt.Sub(b.clock()))
	flow := b.flow(sub.ID)
	for range 2 { // the second time has no effect
		step, err = b.NextRecovery(t.Context(), sub.ID)
		must(t, err)
		equal(t, "probe", step, switchboard.RecoveryStep{
			Breaker: switchboard.BreakerOpen, WaitFor: switchboard.WaitForProbeResult, WaitUntil: b.clock().Add(time.Minute), Probe: held[0].ID,
		})
	}
	equal(t, "changes of the flow", b.flow(sub.ID)-flow, 1)
	probe := b.read(held[0].ID)
	equal(t, "released", []any{probe.State, probe.Generation, probe.DispatchAt, probe.NextAttemptAt}, []any{switchboard.StatePending, 2, b.clock(), b.clock()})
	equal(t, "actions", b.actions(probe.ID), []string{"switchboard release it is the probe of the endpoint, whose breaker is open"})
	for _, d := range held[1:] {
		equal(t, "the others", b.read(d.ID), d)
	}

	// It fails: the next probe comes after twice the time, and is the next delivery.
	failed := b.record(probe, 1, 503)
	equal(t, "it waits for its next attempt", failed.State, switchboard.StateRetrying)
	result := b.report(b.Store, b.failure(&sub, probe.ID))
	equal(t, "reopened", result.Change, switchboard.HealthChange{Reopened: true})
	b.advance(result.Health.ProbeAt.Sub(b.clock()) - time.Microsecond)
	step, err = b.NextRecovery(t.Context(), sub.ID)
	must(t, err)
	equal(t, "the next probe", []any{step.WaitFor, step.Probe}, []any{switchboard.WaitForProbe, ""})
	b.advance(time.Microsecond)
	step, err = b.NextRecovery(t.Context(), sub.ID)
	must(t, err)
	equal(t, "the next probe", []any{step.WaitFor, step.Probe}, []any{switchboard.WaitForProbeResult, held[1].ID})

	// Its result is lost: the last one is the next, and none is left after it.
	b.advance(time.Minute)
	step, err = b.NextRecovery(t.Context(), sub.ID)
	must(t, err)
	equal(t, "after a lost result", []any{step.WaitFor, step.Probe}, []any{switchboard.WaitForProbeResult, held[2].ID})
	b.advance(time.Minute)
	step, err = b.NextRecovery(t.Context(), sub.ID)
	must(t, err)
	equal(t, "none is held", step, switchboard.RecoveryStep{Breaker: switchboard.BreakerHalfOpen})
	next := b.accept(event("acme", "")).Deliveries[0]
	equal(t, "the next delivery", next.State, switchboard.StatePending)
	result = b.report(b.Store, b.failure(&sub, next.ID))
	equal(t, "opens again", []any{result.Change, result.Health.ProbeInterval}, []any{switchboard.HealthChange{Reopened: true}, 2 * time.Minute})
}

// TestProbePassesWhatOthersHold: a delivery that is held for another reason, or whose hold is over,
// is never the probe.
func TestProbePassesWhatOthersHold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "ticket.*")
	health := b.openBreaker(&sub)
	var held [3]switchboard.Delivery
	for i := range held {
		held[i] = b.accept(event("acme", "")).Deliveries[0]
	}
	_, err := b.sql.Exec("UPDATE deliveries SET reason = 'operator' WHERE id = $1", held[0].ID)
	must(t, err)
	_, err = b.sql.Exec("UPDATE deliveries SET held_until = $2 WHERE id = $1", held[1].ID, health.ProbeAt)
	must(t, err)
	b.advance(health.ProbeAt.Sub(b.clock()))
	step, err := b.NextRecovery(t.Context(), sub.ID)
	must(t, err)
	equal(t, "probe", step.Probe, held[2].ID)
}

// TestDeferralEnds: deliveries that are held because the receiver asked to wait are released when
// the time is over.
func TestDeferralEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "ticket.*")
	busy := switchboard.Outcome{StatusCode: 429, Failure: switchboard.FailureHTTP4xx, RetryAfter: time.Minute}
	result := b.report(b.Store, sub.Report(switchboard.Attempt{At: b.clock(), Outcome: busy}))
	equal(t, "deferred", []any{result.Change, result.Health.DeferredUntil}, []any{switchboard.HealthChange{Deferred: true}, b.clock().Add(time.Minute)})
	held := b.accept(event("acme", "")).Deliveries[0]
	equal(t, "held", [2]string{string(held.State), held.Reason}, [2]string{"held", switchboard.ReasonReceiverAskedToWait})
	step, err := b.NextRecovery(t.Context(), sub.ID)
	must(t, err)
	equal(t, "not yet", step, switchboard.RecoveryStep{Breaker: switchboard.BreakerClosed, WaitFor: switchboard.WaitForReceiver, WaitUntil: b.clock().Add(time.Minute)})
	b.advance(time.Minute)
	step, err = b.NextRecovery(t.Context(), sub.ID)
	must(t, err)
	operation, err := b.Operation(t.Context(), root(), step.Operation)
	must(t, err)
	equal(t, "release", [2]string{operation.SubscriptionID, operation.Reason}, [2]string{sub.ID, "the time is over for which the receiver asked to wait"})
	step, err = b.NextRecovery(t.Context(), sub.ID)
	must(t, err)
	equal(t, "nothing more", step, switchboard.RecoveryStep{Breaker: switchboard.BreakerClosed})
}

// TestNextRecoveryOfOthers: a healthy or inactive subscription waits for nothing.
func TestNextRecoveryOfOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, statement := range map[string]string{
		"healthy": "DELETE FROM subscription_health WHERE subscription_id = $1", "paused": "UPDATE subscriptions SET state = 'paused' WHERE id = $1",
		"disabled": "UPDATE subscriptions SET state = 'disabled' WHERE id = $1", "deleted": "UPDATE subscriptions SET deleted_at = now() WHERE id = $1",
	} {
		sub := b.subscribe("acme", "ticket.*")
		b.openBreaker(&sub)
		_, err := b.sql.Exec(statement, sub.ID)
		must(t, err)
		b.advance(time.Hour)
		step, err := b.NextRecovery(t.Context(), sub.ID)
		must(t, err)
		equal(t, name, step, switchboard.RecoveryStep{})
		late, err := b.LateRecoveries(t.Context(), time.Minute)
		must(t, err)
		equal(t, name+", late", late, []switchboard.Endpoint{})
	}
	step, err := b.NextRecovery(t.Context(), "sub_none")
	must(t, err)
	equal(t, "no such subscription", step, switchboard.RecoveryStep{})
}

// TestLateRecoveries: those that have been due for longer than the slack, and nothing else.
func TestLateRecoveries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	at := func(d time.Duration) any { return b.clock().Add(d) }
	for name, c := range map[string]struct {
		breaker           string
		probeAt, deferred any
		late              bool
	}{
		"due for long":                      {"open", at(-time.Minute), nil, true},
		"due":                               {"open", at(-time.Minute + time.Millisecond), nil, false},
		"the receiver asked for longer":     {"open", at(-time.Hour), at(-time.Second), false},
		"the receiver's time is over":       {"open", at(-time.Hour), at(-time.Minute), true},
		"deferred alone":                    {"closed", nil, at(-time.Minute), true},
		"deferred alone, not for long":      {"closed", nil, at(-time.Minute + time.Millisecond), false},
		"half open":                         {"half_open", nil, nil, false},
		"half open, the receiver's is over": {"half_open", nil, at(-time.Hour), true},
		"closed":                            {"closed", nil, nil, false},
	} {
		sub := b.subscribe("acme", "ticket.*")
		var since any
		if c.breaker != "closed" {
			since = b.clock()
		}
		_, err := b.sql.Exec("INSERT INTO subscription_health (subscription_id, breaker, breaker_since, probe_at, deferred_until, window_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6)",
			sub.ID, c.breaker, since, c.probeAt, c.deferred, b.clock())
		must(t, err)
		late, err := b.LateRecoveries(t.Context(), time.Minute)
		must(t, err)
		equal(t, name, len(late) == 1 && late[0].SubscriptionID == sub.ID && late[0].Host == "receiver.example:8443", c.late)
		_, err = b.sql.Exec("DELETE FROM subscription_health")
		must(t, err)
	}
}

// TestForgetHealthy: only rows that an endpoint no longer needs are removed, and then every process
// hears of it.
func TestForgetHealthy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := b.clock()
	for name, c := range map[string]struct {
		set  string // of a row that is removed
		gone bool
	}{
		"works":                          {"breaker = 'closed'", true},
		"the deferral is over":           {"deferred_until = $2", true},
		"deferred":                       {"deferred_until = $2 + interval '1 second'", false},
		"open":                           {"breaker = 'open', breaker_since = $2, probe_at = $2", false},
		"half open":                      {"breaker = 'half_open', breaker_since = $2", false},
		"a queue":                        {"queue_reason = 'rate_limited'", false},
		"slow":                           {"slow = true", false},
		"the last attempt failed":        {"failing_since = $2", false},
		"a week ago, and none since":     {"failing_since = $2, updated_at = $2 - interval '7 days'", true},
		"failures in the window":         {"failures = 1", false},
		"failures in the half before":    {"previous_failures = 1", false},
		"failures longer ago than count": {"failures = 1, previous_failures = 1, window_at = $2 - interval '1 hour'", true},
	} {
		sub := b.subscribe("acme", "ticket.*")
		_, err := b.sql.Exec("INSERT INTO subscription_health (subscription_id, window_at, updated_at) VALUES ($1, $2, $2)", sub.ID, now)
		must(t, err)
		_, err = b.sql.Exec("UPDATE subscription_health SET "+c.set+" WHERE subscription_id = $1 AND updated_at = $2", sub.ID, now)
		must(t, err)
		flow := b.flow(sub.ID)
		removed, err := b.ForgetHealthy(t.Context())
		must(t, err)
		equal(t, name, [2]int{removed, b.flow(sub.ID) - flow}, map[bool][2]int{true: {1, 1}, false: {}}[c.gone])
		_, err = b.sql.Exec("DELETE FROM subscription_health")
		must(t, err)
	}
}

// TestOperationalEventsOfTheBreaker: subscribers get one event for each change.
func TestOperationalEventsOfTheBreaker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "ticket.*")
	b.subscribe("acme", "switchboard.*")
	b.openBreaker(&sub)
	b.advance(time.Minute)
	b.report(b.Store, b.success(&sub, "dlv_x"))
	b.advance(time.Minute)
	b.report(b.Store, sub.Report(switchboard.Attempt{At: b.clock(), Outcome: switchboard.Outcome{StatusCode: 410, Failure: switchboard.FailureHTTP4xx}}))
	var types []string
	must(t, b.sql.Select(&types, "SELECT event_type FROM deliveries ORDER BY id"))
	equal(t, "events", types, []string{switchboard.EventBreakerOpened, switchboard.EventBreakerClosed, switchboard.EventSubscriptionDisabled})
}

// TestBreakerClosedByAPerson: the event of the closed breaker names the person who closed it.
func TestBreakerClosedByAPerson(t *testing.T) {
	t.Parallel()
	b := setup(t)
	own := b.subscribe("acme", "switchboard.breaker.closed")
	marta := switchboard.Caller{KeyID: "key_support", Role: switchboard.RoleAdmin, Person: "marta"}
	change := func(change func(*switchboard.Subscription)) func(switchboard.Subscription) error {
		return func(s switchboard.Subscription) error {
			return second(b.UpdateSubscription(t.Context(), marta, s.ID, s.Version, func(s *switchboard.Subscription) error { change(s); return nil }))
		}
	}
	states := func(actions ...switchboard.SubscriptionAction) func(switchboard.Subscription) error {
		return func(s switchboard.Subscription) (err error) {
			for _, action := range actions {
				_, _, err = b.ChangeSubscriptionState(t.Context(), marta, s.ID, action, "r")
			}
			return err
		}
	}
	for _, c := range []struct {
		open bool
		by   func(switchboard.Subscription) error
		want string
	}{
		{true, change(func(s *switchboard.Subscription) { s.Request.URL += "/2" }), "its address was changed by marta"},
		{true, change(func(s *switchboard.Subscription) { s.Breaker.Mode = switchboard.BreakerOff }), "its breaker was turned off by marta"},
		{true, states(switchboard.PauseSubscription, switchboard.ResumeSubscription), "the subscription was resumed by marta"},
		{true, states(switchboard.DisableSubscription, switchboard.EnableSubscription), "the subscription was enabled by marta"},
		{true, states(switchboard.PauseSubscription), ""},
		{false, states(switchboard.PauseSubscription, switchboard.ResumeSubscription), ""},
		{false, change(func(s *switchboard.Subscription) { s.Request.URL += "/2" }), ""},
	} {
		sub := b.subscribe("acme", "ticket.*")
		if c.open {
			b.openBreaker(&sub)
		}
		must(t, c.by(sub))
		var got string
		must(t, b.sql.Get(&got, `SELECT coalesce(string_agg(convert_from(e.data, 'UTF8')::json->>'reason', ','), '')
FROM events e JOIN deliveries d ON d.event_id = e.id AND d.tenant = e.tenant WHERE d.subscription_id = $1 AND e.key = $2`, own.ID, sub.ID))
		equal(t, "announced: "+c.want, got, c.want)
		b.advance(time.Minute)
	}
}

// TestRenewedHealth: another address, or no breaker, closes the breaker at once and releases its
// deliveries.
func TestRenewedHealth(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		change  func(*switchboard.Subscription)
		renewed bool
	}{
		"another name":    {func(s *switchboard.Subscription) { s.Name += "2" }, false},
		"another address": {func(s *switchboard.Subscription) { s.Request.URL += "/2" }, true},
		"no breaker":      {func(s *switchboard.Subscription) { s.Breaker.Mode = switchboard.BreakerOff }, true},
		"not active": {func(s *switchboard.Subscription) {
			s.Request.URL, s.State = s.Request.URL+"/3", switchboard.SubscriptionUnverified
		}, true},
	} {
		sub := b.subscribe("acme", "ticket.*")
		open := b.openBreaker(&sub)
		d := b.accept(event("acme", "")).Deliveries[0]
		changed, err := b.UpdateSubscription(t.Context(), root(), sub.ID, sub.Version, func(s *switchboard.Subscription) error { c.change(s); return nil })
		must(t, err)
		want := open
		if c.renewed {
			want = switchboard.Health{SubscriptionID: sub.ID, Breaker: switchboard.BreakerClosed, WindowAt: open.WindowAt}
		}
		equal(t, name, b.health(b.Store, d.ID), want)
		var releases int
		must(t, b.sql.Get(&releases, "SELECT count(*) FROM operations WHERE subscription_id = $1", sub.ID))
		equal(t, name+", releases", releases == 1, c.renewed && changed.State == switchboard.SubscriptionActive)
		must(t, b.DeleteSubscription(t.Context(), root(), sub.ID, ""))
	}
}

// TestBreakerDefaults: a subscription's own thresholds count before the configuration's, and those
// before Switchboard's own.
func TestBreakerDefaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keyring, err := store.ParseKeyring(ring)
	must(t, err)
	s, err := store.Open(store.Config{URL: b.url, Keyring: keyring, Now: b.clock, Breaker: switchboard.Breaker{FailuresInARow: 3, FailurePercent: 50}})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	given := switchboard.Subscription{
		Tenant: "acme", Name: "own", Events: []string{"*"}, Request: switchboard.Request{URL: "https://receiver.example"}, Breaker: switchboard.Breaker{FailurePercent: 90},
		Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}},
	}
	must(t, s.CreateSubscription(t.Context(), root(), &given))
	want := switchboard.Breaker{
		Mode: switchboard.BreakerAuto, MinimumAttempts: 10, FailurePercent: 90, Window: switchboard.Duration(5 * time.Minute), FailuresInARow: 3, DisableAfter: switchboard.Duration(120 * time.Hour),
	}
	equal(t, "created", given.Breaker, want)
	read, err := s.Subscription(t.Context(), root(), given.ID)
	must(t, err)
	equal(t, "read", read.Breaker, want)
	accepted, err := s.Accept(t.Context(), root(), []switchboard.Event{event("acme", "")})
	must(t, err)
	loaded, err := s.LoadForAttempt(t.Context(), accepted[0].Deliveries[0].ID)
	must(t, err)
	equal(t, "of an attempt", loaded.Subscription.Breaker, want)
	stored, err := b.GivenSubscription(t.Context(), root(), given.ID)
	must(t, err)
	equal(t, "stored", stored.Breaker, switchboard.Breaker{FailurePercent: 90})
}

// TestBreakersTurnedOff: a breaker that is open when the configuration turns breakers off closes at
// the date of its next probe, and its deliveries are released, because nobody counts the probe's
// result any more. The breaker of a subscription that asks for one stays.
func TestBreakersTurnedOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keyring, err := store.ParseKeyring(ring)
	must(t, err)
	off, err := store.Open(store.Config{URL: b.url, Keyring: keyring, Now: b.clock, Breaker: switchboard.Breaker{Mode: switchboard.BreakerOff}})
	must(t, err)
	defer func() { must(t, off.Close()) }()
	for wanted, want := range map[switchboard.BreakerMode]string{"": "closed pending", switchboard.BreakerAuto: "open pending"} {
		sub := switchboard.Subscription{
			Tenant: "tenant " + string(wanted), Name: "one", Events: []string{"*"}, Request: switchboard.Request{URL: "https://receiver.example"},
			Breaker: switchboard.Breaker{Mode: wanted}, Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}},
		}
		must(t, b.CreateSubscription(t.Context(), root(), &sub))
		open := b.openBreaker(&sub)
		held := b.accept(event(sub.Tenant, "")).Deliveries[0]
		equal(t, "held", held.Reason, switchboard.ReasonBreakerOpen)
		b.advance(open.ProbeAt.Sub(b.clock()))
		step, err := off.NextRecovery(t.Context(), sub.ID)
		must(t, err)
		if step.Operation != "" {
			b.operate(step.Operation)
		}
		equal(t, "mode "+string(wanted), string(step.Breaker)+" "+string(b.read(held.ID).State), want)
		equal(t, "as every process hears", b.health(b.Store, held.ID).Breaker, step.Breaker)
	}
}
