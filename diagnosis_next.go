package switchboard

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"
)

// dateTolerance is how much a date that is computed again may differ: Postgres stores the interval
// factor in four bytes.
const dateTolerance = 50 * time.Millisecond

// leastStretch is the lowest load factor that is named as a cause. A lower one is ×1.00 in two
// decimals, which says nothing.
const leastStretch = 1.005

// next returns what follows.
func (c *diagnosed) next() NextStep {
	d := &c.Delivery
	switch {
	case d.State.HasNextAttempt():
		return c.nextAttempt()
	case d.State.Parked():
		return c.parked()
	}
	return c.ended()
}

// nextAttempt is for a delivery whose next attempt has a date.
func (c *diagnosed) nextAttempt() NextStep {
	d := &c.Delivery
	step := NextStep{At: d.NextAttemptAt, Number: d.AttemptsMade + 1, Because: c.dateCauses()}
	step.Of = max(step.Number, d.PriorAttempts+c.Subscription.Retry.MaxAttempts)
	if e, found := explainReason(c.reason, d.State); found {
		step.Because = append(step.Because, Cause{Code: CauseReason, Text: c.fill(e.Says)})
	}
	verb := "follows"
	if !step.At.After(c.now) {
		verb = "has been due since"
	} else {
		verb += " at"
	}
	step.Text = fmt.Sprintf("Attempt %d of %d %s %s: %s.", step.Number, step.Of, verb, utc(step.At), texts(step.Because))
	return c.withDeadline(step)
}

// dateCauses returns the causes of the date of the next attempt.
func (c *diagnosed) dateCauses() []Cause {
	d := &c.Delivery
	if c.last != nil && c.last.Number > d.PriorAttempts {
		policy, applied := c.Subscription.Retry, Limits{IntervalFactor: c.last.IntervalFactor, MaxAttempts: c.last.MaxAttempts}
		attempt := c.last.Number - d.PriorAttempts
		wait := Next(policy, applied, d.ID, attempt, c.last.Outcome).Wait
		end := c.last.At.Add(c.last.Outcome.Latency)
		if wait > 0 && d.NextAttemptAt.Sub(end.Add(wait)).Abs() <= dateTolerance {
			return policy.waitOf(cmp.Or(applied.IntervalFactor, 1), d.ID, attempt, c.last.Outcome.RetryAfter).causes(policy, c.last)
		}
	}
	if a := c.lastAction(ActionRetry, ActionRelease, ActionReset); a != nil {
		switch a.Kind {
		case ActionRelease:
			return []Cause{{Code: CauseReleased, Text: "it was released by " + a.by(), At: a.At}}
		case ActionReset:
			return []Cause{{Code: CauseReset, Text: "its workflow was reset in Temporal", At: a.At}}
		}
		return []Cause{{Code: CauseOperator, Text: "requested by " + a.by(), At: a.At}}
	}
	if c.last == nil {
		return []Cause{{Code: CauseAccepted, Text: "the first attempt is due as soon as the event is accepted", At: d.CreatedAt}}
	}
	text := "its date was changed after attempt " + fmt.Sprint(c.last.Number)
	if v := c.last.SubscriptionVersion; v != 0 && v != c.Subscription.Version {
		text = fmt.Sprintf("the retry policy set it at version %d of the subscription, which is now at version %d", v, c.Subscription.Version)
	}
	return []Cause{{Code: CauseMoved, Text: text}}
}

// lastAction returns the latest action of one of the kinds since the last attempt began; nil: there
// is none.
func (c *diagnosed) lastAction(kinds ...ActionKind) *Action {
	for i := len(c.Actions) - 1; i >= 0; i-- {
		a := &c.Actions[i]
		if c.last != nil && a.At.Before(c.last.At) {
			return nil
		}
		for _, kind := range kinds {
			if a.Kind == kind {
				return a
			}
		}
	}
	return nil
}

// causes returns every part of the wait after that attempt.
func (w waitParts) causes(p RetryPolicy, after *Attempt) []Cause {
	var causes []Cause
	percent := fmt.Sprintf("%+.1f %%", 100*w.deviation)
	policy := fmt.Sprintf("%s by the policy", about(w.plain))
	if w.plain >= float64(p.MaximumInterval) {
		policy += ", its maximum_interval"
	}
	if w.asksMore() {
		asked := fmt.Sprintf("the receiver asked to wait %s by Retry-After, longer than the %s of the policy", about(float64(after.Outcome.RetryAfter)), about(w.plain))
		if float64(after.Outcome.RetryAfter) > w.asked {
			asked += fmt.Sprintf("; maximum_interval limits this to %s", p.MaximumInterval)
		}
		percent = fmt.Sprintf("%+.1f %%", 100*math.Abs(w.deviation))
		causes = append(causes, Cause{Code: CauseRetryAfter, Text: asked})
	} else {
		causes = append(causes, Cause{Code: CausePolicy, Text: policy})
		if w.stretched/w.plain >= leastStretch {
			causes = append(causes, Cause{Code: CauseLoad, Text: fmt.Sprintf("×%.2f for our load of %.0f %%", w.stretched/w.plain, 100*after.Load)})
		}
		if after.Outcome.RetryAfter > 0 {
			causes = append(causes, Cause{Code: CauseRetryAfter, Text: fmt.Sprintf("the receiver's Retry-After, %s, is not longer", about(float64(after.Outcome.RetryAfter)))})
		}
	}
	return append(causes, Cause{Code: CauseJitter, Text: percent + " so that deliveries that failed together are not retried together"})
}

// parked is for a delivery that waits for a release.
func (c *diagnosed) parked() NextStep {
	d := &c.Delivery
	step := NextStep{Number: d.AttemptsMade + 1}
	step.Of = max(step.Number, d.PriorAttempts+c.Subscription.Retry.MaxAttempts)
	released := Cause{Code: CauseReleasedBy, Text: d.ReleasedBy(c.Health)}
	switch d.Reason {
	case ReasonBreakerOpen:
		released.At = c.Health.ProbeAt
	case ReasonReceiverAskedToWait:
		released.At = c.Health.DeferredUntil
	}
	if e, found := explainReason(c.reason, d.State); found {
		step.Because = append(step.Because, Cause{Code: CauseReason, Text: c.fill(e.Says), At: d.ParkedAt})
	}
	step.Because = append(step.Because, released, Cause{Code: CauseHoldEnds, Text: "otherwise it fails at " + utc(d.HeldUntil), At: d.HeldUntil})
	step.Text = fmt.Sprintf("Attempt %d of %d follows %s; otherwise it fails at %s.", step.Number, step.Of, released.Text, utc(d.HeldUntil))
	return c.withDeadline(step)
}

// withDeadline adds when the delivery fails by deliver_within.
func (c *diagnosed) withDeadline(step NextStep) NextStep {
	if at := c.Delivery.ExpiresAt; !at.IsZero() {
		deadline := Cause{Code: CauseDeadline, Text: "it fails unless it is delivered by " + utc(at) + ", by deliver_within", At: at}
		step.Because = append(step.Because, deadline)
		if c.Delivery.State.HasNextAttempt() {
			step.Text += " It fails unless it is delivered by " + utc(at) + "."
		}
	}
	return step
}

// ended is for a delivery after which nothing follows by itself.
func (c *diagnosed) ended() NextStep {
	d := &c.Delivery
	code := CauseAttemptsUsedUp
	explained, isReason := explainReason(d.Reason, d.State)
	text := d.Ending()
	switch {
	case d.State == StateDelivered:
		return NextStep{Text: "Nothing follows: it is delivered.", Because: []Cause{{Code: CauseDelivered, Text: "it is delivered", At: d.CompletedAt}}}
	case isReason:
		code, text = CauseReason, c.fill(explained.Says)
	case d.Permanent:
		code = CausePermanent
	}
	step := NextStep{Because: []Cause{{Code: code, Text: text, At: d.CompletedAt}}}
	again := "A retry gives it " + plural(c.Subscription.Retry.MaxAttempts, "attempt") + "."
	switch {
	case !c.Subscription.DeletedAt.IsZero():
		again = "It cannot be retried: its subscription is deleted."
	case !c.Event.ErasedAt.IsZero():
		again = "It cannot be retried: the data of its event are erased."
	}
	if strings.HasPrefix(again, "It cannot") {
		step.Because = append(step.Because, Cause{Code: CauseNoRetry, Text: strings.TrimSuffix(again, ".")})
	}
	step.Text = "Nothing follows by itself: " + text + ". " + again
	return step
}

// about returns a wait as people read it: to a tenth of a second, or to a second.
func about(d float64) string {
	if d < float64(10*time.Second) {
		return Duration(time.Duration(d).Round(100 * time.Millisecond)).String()
	}
	return Duration(time.Duration(d).Round(time.Second)).String()
}

func texts(causes []Cause) string {
	parts := make([]string, len(causes))
	for i, cause := range causes {
		parts[i] = cause.Text
	}
	return strings.Join(parts, "; ")
}
