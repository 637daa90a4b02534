package switchboard

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// Diagnosis says in words why a delivery is in its state, what follows, and what to do.
type Diagnosis struct {
	Why string
	// ReceiverSaid is the beginning of the receiver's last response, if that was a failure and is
	// text. It is not part of Why, so that it can be left out for callers who may not read it.
	ReceiverSaid string
	Next         NextStep
	Side         Side
	Advice       string // empty: there is nothing to do
}

// NextStep is what follows for a delivery.
type NextStep struct {
	Text    string    // the whole step in words
	At      time.Time // of the next attempt; zero: it has no date
	Number  int       // of the next attempt; 0: none follows by itself
	Of      int       // the last number that the policy allows
	Because []Cause   // the reasons of that date, or the obstacles
}

// Cause is one reason for the date of the next attempt, or for the lack of a next attempt.
type Cause struct {
	Code CauseCode
	Text string
	At   time.Time // the date of the cause; zero: it has none
}

// CauseCode is the kind of a cause, from a closed list.
type CauseCode string

// The closed list of causes.
const (
	CauseAccepted       CauseCode = "accepted"        // the first attempt is due as soon as the event is accepted
	CausePolicy         CauseCode = "policy_interval" // the wait of the retry policy after that attempt
	CauseLoad           CauseCode = "load"            // Switchboard's load lengthened it
	CauseJitter         CauseCode = "jitter"          // spreads deliveries that fail together, so that they do not return together
	CauseRetryAfter     CauseCode = "retry_after"     // the receiver asked to wait
	CauseOperator       CauseCode = "operator"        // a person retried, held or cancelled it
	CauseReleased       CauseCode = "released"        // a release dispatched it
	CauseReset          CauseCode = "reset"           // its workflow was reset in Temporal
	CauseMoved          CauseCode = "moved"           // neither the policy nor an action explains the date
	CauseReason         CauseCode = "reason"          // the reason of the delivery, such as breaker_open
	CauseReleasedBy     CauseCode = "released_by"     // what ends the hold
	CauseHoldEnds       CauseCode = "hold_ends"       // when it fails if nothing ends the hold
	CauseDeadline       CauseCode = "deadline"        // when it fails by deliver_within
	CauseAttemptsUsedUp CauseCode = "attempts_used_up"
	CausePermanent      CauseCode = "permanent" // no later attempt can succeed
	CauseDelivered      CauseCode = "delivered"
	CauseNoRetry        CauseCode = "no_retry" // it cannot even be retried
)

// Alike counts the other deliveries to the same host that are in the same state after the same
// failure, among those that were checked.
type Alike struct {
	Count int
	More  bool // there may be more than those that were checked
}

// MaxAlike is how many deliveries of a host and state are checked, the newest first.
const MaxAlike = 1_000

// longestQuote is how many characters of the receiver's response are shown in one line.
const longestQuote = 200

// Diagnose explains a delivery at that time. It depends only on its arguments.
func Diagnose(detail *DeliveryDetail, now time.Time) Diagnosis {
	c := &diagnosed{DeliveryDetail: detail, now: now, reason: detail.Delivery.ReasonAt(now)}
	if n := len(detail.Attempts); n > 0 {
		c.last = &detail.Attempts[n-1]
	}
	d := Diagnosis{Next: c.next()}
	d.Why, d.Side, d.Advice = c.why()
	if c.last != nil && c.last.Outcome.Failure != "" {
		d.ReceiverSaid = quote(c.last.Outcome.Response.Body)
	}
	return d
}

// diagnosed is a delivery that is being explained.
type diagnosed struct {
	*DeliveryDetail
	now    time.Time
	reason string   // of the delivery at that time
	last   *Attempt // nil: none was made
}

// why returns the first sentence, the side that can act, and the advice.
func (c *diagnosed) why() (text string, side Side, advice string) {
	d := &c.Delivery
	explained, isReason := explainReason(c.reason, d.State)
	switch {
	case d.State == StateDelivered:
		return c.deliveredText(), SideNobody, ""
	case isReason:
		text = stateWords(d.State) + ": " + c.fill(explained.Says) + "."
		if c.last != nil {
			text += " " + c.lastText()
		}
		return text, explained.Side, explained.Advice
	case c.last == nil || c.last.Outcome.Failure == "":
		return c.untriedText(), SideNobody, ""
	}
	explained = explainFailure(c.last.Outcome, d.State, c.isCut())
	return c.lastText() + c.sinceText() + c.changedText(explained.Side), explained.Side, explained.Advice
}

// stateWords begins the sentence for a delivery in that state.
func stateWords(state State) string {
	switch state {
	case StateHeld:
		return "It is held"
	case StateBlocked:
		return "It is blocked"
	case StateFailed:
		return "It has failed"
	case StateCancelled:
		return "It is cancelled"
	}
	return "It is late"
}

func (c *diagnosed) deliveredText() string {
	if c.last == nil {
		return "It is delivered."
	}
	text := fmt.Sprintf("%s accepted it in attempt %d with %s, at %s, after %s.", c.Delivery.Host, c.last.Number, statusText(c.last.Outcome.StatusCode), utc(c.last.At), rounded(c.last.Outcome.Latency))
	if before := c.last.Number - 1; before > 0 {
		text += fmt.Sprintf(" %s before had failed.", plural(before, "attempt"))
	}
	return text
}

// untriedText is for a delivery without a failed attempt that explains it.
func (c *diagnosed) untriedText() string {
	if c.last != nil {
		return fmt.Sprintf("It is to be sent again: attempt %d was answered with %s, at %s.", c.last.Number, statusText(c.last.Outcome.StatusCode), utc(c.last.At))
	}
	return "No attempt has been made since it was accepted at " + utc(c.Delivery.CreatedAt) + "."
}

// lastText says how the last attempt ended.
func (c *diagnosed) lastText() string {
	o := &c.last.Outcome
	if o.Failure == "" {
		return fmt.Sprintf("Attempt %d was answered with %s, at %s.", c.last.Number, statusText(o.StatusCode), utc(c.last.At))
	}
	text := fmt.Sprintf("Attempt %d failed at %s: %s", c.last.Number, utc(c.last.At), c.fill(explainFailure(*o, c.Delivery.State, c.isCut()).Says))
	if o.Detail != "" && o.Failure != FailureHTTP4xx && o.Failure != FailureHTTP5xx {
		text += " (" + o.Detail + ")"
	}
	return text + "."
}

// sinceText counts the attempts before the last one that ended in the same way.
func (c *diagnosed) sinceText() string {
	alike, first := 0, c.last
	for i := len(c.Attempts) - 2; i >= 0 && c.Attempts[i].Outcome.Reason() == c.last.Outcome.Reason(); i-- {
		alike, first = alike+1, &c.Attempts[i]
	}
	if alike == 0 {
		return ""
	}
	return fmt.Sprintf(" %s before it ended the same way, since %s.", plural(alike, "attempt"), utc(first.At))
}

// changedText says, for a failure that an edit can end, whether there was an edit.
func (c *diagnosed) changedText(side Side) string {
	sub := &c.Subscription
	switch {
	case side != SideSettings || sub.ID == "":
		return ""
	case c.last.SubscriptionVersion != 0 && c.last.SubscriptionVersion != sub.Version:
		return fmt.Sprintf(" The subscription has been changed since: from version %d to %d, at %s.", c.last.SubscriptionVersion, sub.Version, utc(sub.UpdatedAt))
	case c.SecretMadeAt.After(sub.CreatedAt):
		return fmt.Sprintf(" The subscription was last changed at %s, and its secret at %s.", utc(sub.UpdatedAt), utc(c.SecretMadeAt))
	}
	return " The subscription was last changed at " + utc(sub.UpdatedAt) + "."
}

// isCut reports whether Switchboard's load had shortened the time limit of the last attempt.
func (c *diagnosed) isCut() bool {
	return c.last.Load > 0 && c.last.Timeout > 0 && c.last.Timeout < time.Duration(c.Subscription.Timeout)
}

// fill puts the facts into a sentence of the table.
func (c *diagnosed) fill(says string) string {
	d, sub := &c.Delivery, &c.Subscription
	facts := []string{
		"{host}", d.Host, "{address}", d.Host, "{subscription}", "the subscription " + cmp.Or(sub.Name, d.SubscriptionID), "{limit}", sub.Timeout.String(), "{blocked_by}", d.BlockedBy,
		"{by}", c.stateText(), "{breaker}", c.breakerText(), "{who}", c.whoText(), "{ours}", strings.TrimPrefix(c.reason, ReasonWaitingForSwitchboard),
	}
	if c.last != nil {
		if c.last.Outcome.RemoteIP != "" {
			facts[3] += " (" + c.last.Outcome.RemoteIP + ")"
		}
		facts = append(facts, "{code}", statusText(c.last.Outcome.StatusCode), "{timeout}", Duration(c.last.Timeout).String(), "{latency}", rounded(c.last.Outcome.Latency))
	}
	return strings.NewReplacer(facts...).Replace(says)
}

// stateText says since when, by whom and why the subscription is in its state; empty: it is no
// longer in the state that the reason names.
func (c *diagnosed) stateText() string {
	sub := &c.Subscription
	if c.reason != "subscription_"+string(sub.State) {
		return ""
	}
	text := dated(" since ", sub.StateSince)
	if sub.StateBy != "" {
		text += " by " + sub.StateBy
	}
	if sub.StateReason != "" {
		text += " (" + sub.StateReason + ")"
	}
	return text
}

func (c *diagnosed) breakerText() string {
	if c.Health.BreakerSince.IsZero() {
		return ""
	}
	return dated(" since ", c.Health.BreakerSince) + " (" + c.Health.BreakerReason + ")"
}

// whoText names the operator who caused the state.
func (c *diagnosed) whoText() string {
	kind := ActionCancel
	if c.Delivery.State == StateHeld {
		kind = ActionHold
	}
	for i := len(c.Actions) - 1; i >= 0; i-- {
		if c.Actions[i].Kind == kind {
			return c.Actions[i].by()
		}
	}
	return "an operator"
}

// by says who made the action, when and why.
func (a *Action) by() string {
	who := cmp.Or(a.Person, a.KeyName, a.Actor)
	if key := cmp.Or(a.KeyName, a.Actor); a.Person != "" && key != "" {
		who += " (" + key + ")"
	}
	who += " at " + utc(a.At)
	if a.Reason != "" {
		who += " (" + a.Reason + ")"
	}
	return who
}

// statusText returns a status with its usual name.
func statusText(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// rounded returns a measured time as people read it.
func rounded(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// quote returns the beginning of a text in one line; empty: it is not text.
func quote(body []byte) string {
	head := body[:min(len(body), longestQuote*utf8.UTFMax)]
	for len(head) > 0 && len(head) < len(body) && !utf8.Valid(head) && len(body)-len(head) < utf8.UTFMax {
		head = head[:len(head)-1]
	}
	line := strings.Join(strings.Fields(string(head)), " ")
	if !utf8.ValidString(line) || strings.ContainsFunc(line, IsControl) {
		return ""
	}
	if runes := []rune(line); len(runes) > longestQuote {
		return string(runes[:longestQuote]) + "…"
	}
	return line
}
