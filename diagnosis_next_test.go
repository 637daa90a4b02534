package switchboard

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// dueByPolicy sets the date that the policy gives after the last attempt, which has just ended.
func dueByPolicy(d *DeliveryDetail) {
	last := &d.Attempts[len(d.Attempts)-1]
	last.At = diagnosedAt().Add(-time.Second)
	decision := Next(d.Subscription.Retry, Limits{IntervalFactor: last.IntervalFactor}, d.Delivery.ID, last.Number-d.Delivery.PriorAttempts, last.Outcome)
	d.Delivery.NextAttemptAt, _ = Record{Attempt: *last, Decision: decision}.Dates()
}

// TestNextNamesWhatMadeTheDate: each part of the date has its cause, in order.
func TestNextNamesWhatMadeTheDate(t *testing.T) {
	t.Parallel()
	at := diagnosedAt()
	down := Outcome{Failure: FailureHTTP5xx, StatusCode: 503}
	wants := func(after time.Duration) Outcome { o := down; o.RetryAfter = after; return o }
	parts := func(codes ...CauseCode) string { return fmt.Sprint(codes) }
	for _, c := range []struct {
		name   string
		detail *DeliveryDetail
		change func(*DeliveryDetail)
		codes  string
		text   string // part of the sentence
	}{
		{"first", diagnosable(StatePending, ""), nil, parts(CauseAccepted), "Attempt 1 of 38 follows at 2026-01-31T12:01:00Z: "},
		{"policy", diagnosable(StateRetrying, "http_503", down, down), dueByPolicy, parts(CausePolicy, CauseJitter), "15s by the policy"},
		{"the longest", diagnosable(StateRetrying, "http_503", down, down, down, down, down, down, down, down, down, down), dueByPolicy, parts(CausePolicy, CauseJitter), "4h by the policy, its maximum_interval"},
		{"load", diagnosable(StateRetrying, "http_503", down), func(d *DeliveryDetail) {
			d.Attempts[0].IntervalFactor, d.Attempts[0].Load = float64(float32(1.4)), 0.4
			dueByPolicy(d)
		}, parts(CausePolicy, CauseLoad, CauseJitter), "×1.40 for our load of 40 %"},
		{"load of no effect", diagnosable(StateRetrying, "http_503", down), func(d *DeliveryDetail) {
			d.Attempts[0].IntervalFactor, d.Attempts[0].Load = float64(float32(1.004)), 0.004
			dueByPolicy(d)
		}, parts(CausePolicy, CauseJitter), "5s by the policy; "},
		{"Retry-After", diagnosable(StateRetrying, "http_503", wants(2*time.Minute)), dueByPolicy, parts(CauseRetryAfter, CauseJitter), "asked to wait 2m by Retry-After, longer than the 5s"},
		{"Retry-After, bounded", diagnosable(StateRetrying, "http_503", wants(9*time.Hour)), dueByPolicy, parts(CauseRetryAfter, CauseJitter), "; maximum_interval limits this to 4h"},
		{"short Retry-After", diagnosable(StateRetrying, "http_503", wants(time.Second)), dueByPolicy, parts(CausePolicy, CauseRetryAfter, CauseJitter), "Retry-After, 1s, is not longer"},
		{"an operator's", diagnosable(StateRetrying, "http_503", down), func(d *DeliveryDetail) {
			d.Actions = []Action{{At: at, Person: "Ana", Actor: "key_1", Kind: ActionRetry, Reason: "repaired"}}
		}, parts(CauseOperator), "requested by Ana (key_1) at 2026-01-31T12:00:00Z (repaired)"},
		{"an operator's before", diagnosable(StateRetrying, "http_503", down), func(d *DeliveryDetail) {
			d.Actions = []Action{{At: at.Add(-time.Hour), Actor: "key_1", Kind: ActionRetry}}
			dueByPolicy(d)
		}, parts(CausePolicy, CauseJitter), ""},
		{"next generation", diagnosable(StatePending, "", down), func(d *DeliveryDetail) {
			d.Delivery.PriorAttempts, d.Delivery.Generation = 1, 2
			d.Actions = []Action{{At: at, Actor: "key_1", Kind: ActionRetry}}
		}, parts(CauseOperator), "Attempt 2 of 39 follows"},
		{"released", diagnosable(StatePending, "", down), func(d *DeliveryDetail) {
			d.Actions = []Action{{At: at, Actor: ActorSwitchboard, Kind: ActionRelease, Reason: "the breaker of the endpoint has closed"}}
		}, parts(CauseReleased), "released by switchboard at 2026-01-31T12:00:00Z (the breaker"},
		{"reset", diagnosable(StatePending, "", down), func(d *DeliveryDetail) { d.Actions = []Action{{At: at, Actor: ActorTemporal, Kind: ActionReset}} }, parts(CauseReset), "reset in Temporal"},
		{"another policy", diagnosable(StateRetrying, "http_503", down), func(d *DeliveryDetail) { d.Attempts[0].SubscriptionVersion = 6 }, parts(CauseMoved), "at version 6 of the subscription, which is now at version 7"},
		{"no slot", diagnosable(StatePending, ReasonWaitingForSlot), nil, parts(CauseAccepted, CauseReason), "all slots of the worker are taken"},
		{"overdue", diagnosable(StatePending, ""), func(d *DeliveryDetail) { d.Delivery.NextAttemptAt = at.Add(-time.Hour) }, parts(CauseAccepted, CauseReason), "has been due since 2026-01-31T11:00:00Z"},
		{"deadline", diagnosable(StatePending, ""), func(d *DeliveryDetail) { d.Delivery.ExpiresAt = at.Add(time.Hour) }, parts(CauseAccepted, CauseDeadline), "It fails unless it is delivered by 2026-01-31T13:00:00Z."},
		{"breaker", diagnosable(StateHeld, ReasonBreakerOpen), func(d *DeliveryDetail) { d.Health = Health{Breaker: BreakerOpen, ProbeAt: at.Add(time.Minute)} },
			parts(CauseReason, CauseReleasedBy, CauseHoldEnds), "follows when the endpoint has answered a probe, the next is at 2026-01-31T12:01:00Z; otherwise it fails at 2026-03-02T12:00:00Z."},
		{"queue", diagnosable(StateHeld, ReasonRateLimited), nil, parts(CauseReason, CauseReleasedBy, CauseHoldEnds), "in order of acceptance"},
		{"used up", diagnosable(StateFailed, "http_503", down), nil, parts(CauseAttemptsUsedUp), "all attempts are used up: attempt 1 was the last. A retry gives it 38 attempts."},
		{"permanent", diagnosable(StateFailed, "http_410", Outcome{Failure: FailureHTTP4xx, StatusCode: 410}), func(d *DeliveryDetail) { d.Delivery.Permanent = true }, parts(CausePermanent), "no later attempt can succeed"},
		{"deleted", diagnosable(StateCancelled, ReasonSubscriptionDeleted), func(d *DeliveryDetail) { d.Subscription.DeletedAt = at }, parts(CauseReason, CauseNoRetry), "It cannot be retried: its subscription is deleted."},
		{"erased", diagnosable(StateFailed, "http_503", down), func(d *DeliveryDetail) { d.Event.ErasedAt = at }, parts(CauseAttemptsUsedUp, CauseNoRetry), "the data of its event are erased."},
		{"delivered", diagnosable(StateDelivered, "", Outcome{StatusCode: 200}), nil, parts(CauseDelivered), "Nothing follows: it is delivered."},
	} {
		if c.change != nil {
			c.change(c.detail)
		}
		next := Diagnose(c.detail, at).Next
		var codes []CauseCode
		for _, cause := range next.Because {
			codes = append(codes, cause.Code)
		}
		if parts(codes...) != c.codes || !strings.Contains(next.Text, c.text) {
			t.Errorf("%s: %v %q\nwant %s %q", c.name, codes, next.Text, c.codes, c.text)
		}
	}
}
