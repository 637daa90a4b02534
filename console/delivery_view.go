package console

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// looker is the person who views a delivery, with the time and the address.
type looker struct {
	switchboard.Session
	link       string // of the page, in the form for a ticket
	now        time.Time
	everything bool // all attempts are shown, not only the newest
}

// deliveryPageOf depends only on its arguments. A nil subscription means a deleted one.
func deliveryPageOf(d *client.Delivery, sub *client.Subscription, by looker) deliveryPage {
	p := deliveryPage{Delivery: *d, List: linkDeliveries(switchboard.DeliveryFilter{}, "")}
	if d.Diagnosis != nil {
		p.Diagnosis = *d.Diagnosis
	}
	p.Next = nextOf(&p.Diagnosis, by.now)
	p.Side = sideInWords(p.Diagnosis.Side)
	if !d.State.Final() {
		p.Live = liveSeconds
	}
	p.Alike = alikeOf(d)
	p.Buttons = deliveryButtons(d, by.Portal)
	if !by.Portal {
		p.Temporal = d.TemporalURL
	}
	p.Timeline, p.Older = timelineOf(d, sub, by.everything)
	p.OlderLink = linkAllAttempts(d.ID)
	p.Facts = factsOf(d)
	p.Subscription = subscriptionFactsOf(d, sub)
	if d.ResendOf != "" {
		p.Original = &resendLink{d.ResendOf, linkDelivery(d.ResendOf), linkResendChanges(d.ID), orNothing(strings.Join(d.Changed, ", "))}
	}
	for _, id := range d.ResentAs {
		p.Copies = append(p.Copies, resendLink{ID: id, Address: linkDelivery(id), Changes: linkResendChanges(id)})
	}
	p.Tickets = ticketsOf(d, sub, by)
	return p
}

// nextOf writes its own beginning of the sentence about a date, because the API's sentence also
// names every cause. It does not repeat causes that the diagnosis names.
func nextOf(d *client.Diagnosis, now time.Time) nextLine {
	next, said := nextLine{Text: d.Next.Text}, d.Why
	if d.Next.At == nil {
		said += " " + d.Next.Text
	} else {
		verb := "follows at"
		if !d.Next.At.After(now) {
			verb = "has been due since"
		}
		next.Text, next.At = fmt.Sprintf("Attempt %d of %d %s", d.Next.Number, d.Next.Of, verb), *d.Next.At
	}
	for _, cause := range d.Next.Because {
		if !strings.Contains(said, cause.Text) {
			next.Causes = append(next.Causes, cause.Text)
		}
	}
	return next
}

func orNothing(changed string) string { return cmp.Or(changed, "nothing") }

// sideInWords says who can end the failure.
func sideInWords(side switchboard.Side) string {
	switch side {
	case switchboard.SideReceiver:
		return "Their side"
	case switchboard.SideSettings:
		return "Settings of the subscription"
	case switchboard.SideSwitchboard:
		return "Our side"
	case switchboard.SideOperator:
		return "An operator did it on purpose"
	}
	return ""
}

// alikeOf leads to the other deliveries that the diagnosis counted.
func alikeOf(d *client.Delivery) alikeLink {
	if d.Diagnosis == nil || d.Diagnosis.Alike == nil || d.Diagnosis.Alike.Count == 0 || len(d.Attempts) == 0 {
		return alikeLink{}
	}
	alike, last := d.Diagnosis.Alike, d.Attempts[len(d.Attempts)-1]
	filter := switchboard.DeliveryFilter{Host: d.Host, States: []switchboard.State{d.State}, Failure: last.Failure}
	if last.StatusCode != nil {
		filter.StatusCode = *last.StatusCode
	}
	number := counted(&switchboard.Count{Value: alike.Count, More: alike.More})
	text := number + " other deliveries to this host fail in the same way."
	if alike.Count == 1 && !alike.More {
		text = "1 other delivery to this host fails in the same way."
	}
	return alikeLink{text, linkDeliveries(filter, "all")}
}

// deliveryButtons are the possible actions. People from a portal link may retry.
func deliveryButtons(d *client.Delivery, portal bool) []actionButton {
	var buttons []actionButton
	for _, offered := range d.Available {
		if portal && offered.Action != switchboard.ActionRetry {
			continue
		}
		words := wordsOfAction(offered.Action, d.State)
		b := actionButtonOf(words.Button, linkDeliveryAction(d.ID, string(offered.Action)), offered)
		b.Danger, b.Key = words.Danger, words.Key
		buttons = append(buttons, b)
	}
	return buttons
}

// factsOf returns the facts next to the timeline.
func factsOf(d *client.Delivery) []fact {
	facts := []fact{{Name: "Accepted", At: d.CreatedAt}}
	add := func(name string, at *time.Time) {
		if at != nil {
			facts = append(facts, fact{Name: name, At: *at})
		}
	}
	text := func(name, text string) {
		if text != "" {
			facts = append(facts, fact{Name: name, Text: text})
		}
	}
	add("Ended", d.CompletedAt)
	text("Reason", d.Reason)
	text("Run", plural(d.Generation, "start", "starts")+", "+plural(d.AttemptsMade, "attempt", "attempts"))
	if n := len(d.Attempts); n > 0 {
		last := &d.Attempts[n-1]
		text("Timeout", milliseconds(last.TimeoutMS))
		if last.MaxAttempts > 0 {
			text("Policy", fmt.Sprintf("%d attempts, as of the last one", last.MaxAttempts))
		}
	}
	add("Held since", d.ParkedAt)
	text("Released", d.ReleasedBy)
	add("The hold ends", d.HeldUntil)
	if d.BlockedBy != "" {
		facts = append(facts, fact{Name: "Waits for", Text: d.BlockedBy, Link: linkDelivery(d.BlockedBy)})
	}
	add("Fails unless delivered by", d.ExpiresAt)
	text("Ordering key", d.Key)
	return facts
}

// subscriptionFactsOf returns the known facts of the subscription; nil: it was erased.
func subscriptionFactsOf(d *client.Delivery, sub *client.Subscription) *subscriptionFacts {
	if d.Subscription == nil {
		return nil
	}
	f := &subscriptionFacts{Name: cmp.Or(d.Subscription.Name, short(d.SubscriptionID)), State: string(d.Subscription.State), Version: d.Subscription.Version, Matched: d.Matched}
	if sub == nil {
		f.State = "deleted"
		return f
	}
	f.Address, f.URL = linkSubscription(d.SubscriptionID), sub.Request.URL
	f.Policy = plural(sub.Retry.MaxAttempts, "attempt", "attempts") + " over " + durationInWords(time.Duration(sub.RetrySpan))
	if h := sub.Health; h != nil && h.Breaker != "" && h.Breaker != switchboard.BreakerClosed {
		f.Breaker = strings.TrimSpace(stateOf(h.Breaker).Word + ": " + h.Reason)
	}
	return f
}
