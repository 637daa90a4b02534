package alerts

import (
	"fmt"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// once is a policy of one attempt.
const once = `,"retry":{"maximum_attempts":1},"breaker":{"mode":"off"}`

// receiverFaults are the faults of receivers, and of what they are sent.
func receiverFaults() []fault {
	return []fault{
		{name: "a large receiver is down", alerts: []string{"SwitchboardRetryingGrows"}, fail: func(l *lab) (repair, meanwhile func()) {
			down := l.subscribe("acme", "down.event", "fails/down", `,"retry":{"initial_interval":"1h"},"breaker":{"mode":"off"}`)
			l.post("acme", "down.event", 200)
			return func() { l.unsubscribe(down) }, nil
		}},
		{name: "many endpoints fail", alerts: []string{"SwitchboardManyBreakers", "SwitchboardBreakerOpenLong"}, fail: func(l *lab) (repair, meanwhile func()) {
			const endpoints = 6
			for i := range endpoints {
				l.subscribe(fmt.Sprintf("customer-%d", i), "broken.event", "fails/broken", `,"breaker":{"failures_in_a_row":3},"retry":{"initial_interval":"1s"}`)
				l.post(fmt.Sprintf("customer-%d", i), "broken.event", 12)
			}
			awaitReal(l.t, "all breakers open", func() bool {
				return l.number("SELECT count(*) FROM subscription_health WHERE breaker <> 'closed'") == endpoints
			})
			// The test does not wait for them to be open for a day.
			l.sql("UPDATE subscription_health SET breaker_since = breaker_since - interval '25 hours' WHERE breaker <> 'closed'")
			return func() { l.receiver.repair("broken") }, nil // the next probes succeed
		}},
		{name: "nobody listens", alerts: []string{"SwitchboardEgressFails", "SwitchboardManyFailed"}, fail: func(l *lab) (repair, meanwhile func()) {
			unreachable := l.subscribe("acme", "unreachable.event", "closed", once)
			failing := true
			return func() {
					failing = false
					l.unsubscribe(unreachable)
				}, func() {
					if failing {
						l.post("acme", "unreachable.event", 2)
					}
					l.post("acme", "fine.event", 1)
				}
		}},
		{name: "a receiver is slow", alerts: []string{"SwitchboardDeliveriesSlow"}, fail: func(l *lab) (repair, meanwhile func()) {
			slow := l.subscribe("acme", "slow.event", "slow/always", "")
			failing := true
			return func() {
					failing = false
					l.unsubscribe(slow)
				}, func() {
					if failing {
						l.post("acme", "slow.event", 2)
						return
					}
					l.post("acme", "fine.event", 1)
				}
		}},
		{name: "more than the rate limit", alerts: []string{"SwitchboardLimitTooLow"}, fail: func(l *lab) (repair, meanwhile func()) {
			limited := l.subscribe("acme", "limited.event", "ok", `,"rate_limit":{"per_second":0.1}`)
			l.post("acme", "limited.event", 150)
			return func() { l.unsubscribe(limited) }, nil
		}},
		{name: "receivers hang in every slot", alerts: []string{"SwitchboardWorkersFull"}, fail: func(l *lab) (repair, meanwhile func()) {
			l.startWorker("SWITCHBOARD_SLOTS=2", "SWITCHBOARD_SLOW_SLOTS=2")
			for _, tenant := range []string{"acme", "globex"} { // no tenant has all slots
				l.subscribe(tenant, "hanging.event", "hangs/hanging", `,"timeout":"30s"`)
				l.post(tenant, "hanging.event", 1)
			}
			return func() {
				l.receiver.repair("hanging")
				l.startWorker()
			}, nil
		}},
		{name: "events do not fit", alerts: []string{"SwitchboardSchemaMismatch", "SwitchboardFiltersUndecided"}, fail: func(l *lab) (repair, meanwhile func()) {
			l.subscribe("acme", "costly.event", "ok", `,"filter":{"data":{"text":{"$regex":"(?:a?){60}a{60}z"}}}`)
			l.postData("acme", "costly.event", fmt.Sprintf(`{"text":%q}`, strings.Repeat("ab", 100_000))) // more than a filter may cost
			l.postData("acme", "call.ringing", `"no object"`)
			return func() {}, nil
		}},
	}
}

// operatorFaults are the mistakes of people.
func operatorFaults() []fault {
	return []fault{
		{name: "holds are about to end", alerts: []string{"SwitchboardHoldsEnding", "SwitchboardHoldForgotten"}, fail: func(l *lab) (repair, meanwhile func()) {
			paused := l.subscribe("acme", "paused.event", "ok", `,"hold_for":"1h"`)
			_, err := l.client.PauseSubscription(l.t.Context(), paused, "a fault")
			must(l.t, err)
			l.post("acme", "paused.event", 1)
			aside := l.subscribe("acme", "aside.event", "fails/aside", `,"retry":{"initial_interval":"1h"}`)
			l.post("acme", "aside.event", 1)
			l.awaitOpen(aside, "retrying", 1)
			_, err = l.client.StartOperation(l.t.Context(), client.NewOperation{Action: switchboard.ActionHold, Filter: &switchboard.Selection{Subscription: aside}, Reason: "a fault"})
			must(l.t, err)
			l.awaitOpen(aside, "held", 1)
			// The test does not wait for a week to pass.
			l.sql("UPDATE deliveries SET parked_at = parked_at - interval '8 days' WHERE subscription_id = $1", aside)
			return func() {
				_, err := l.client.ResumeSubscription(l.t.Context(), paused, "the fault is over")
				must(l.t, err)
				l.unsubscribe(aside)
			}, nil
		}},
		{name: "a replay of events that the subscription does not take", alerts: []string{"SwitchboardOperationSkips"}, fail: func(l *lab) (repair, meanwhile func()) {
			narrow := l.subscribe("acme", "narrow.event", "ok", `,"filter":{"data":{"n":2}}`)
			l.post("acme", "narrow.event", 40) // with another n
			_, err := l.client.StartOperation(l.t.Context(), client.NewOperation{
				Action: switchboard.ActionReplay, Filter: &switchboard.Selection{Subscription: narrow}, Reason: "a fault",
			})
			must(l.t, err)
			return func() {}, nil
		}},
	}
}
