package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

type showDeliveryCommand struct {
	ID      string `arg:"" help:"The delivery (dlv_…)."`
	Attempt int    `placeholder:"N" help:"Show what attempt N sent, whether these are the same bytes, and the answer."`
	watchFlag
}

func (showDeliveryCommand) Help() string {
	return `With --watch it ends when the delivery has ended.

Examples:

    switchboard deliveries show dlv_01k0000000000000000000000
    switchboard deliveries show dlv_01k0000000000000000000000 --attempt 2
    switchboard deliveries show dlv_01k0000000000000000000000 --watch
    switchboard deliveries show dlv_01k0000000000000000000000 -o json`
}

func (c showDeliveryCommand) Run(ctx context.Context, s *Session) error {
	api, err := s.api()
	if err != nil {
		return err
	}
	if c.Attempt != 0 {
		return s.showAttempt(ctx, api, c.ID, c.Attempt)
	}
	return s.watch(ctx, c.Watch, func() (bool, error) {
		d, err := api.GetDelivery(ctx, c.ID)
		if err != nil {
			return false, err
		}
		return d.State.Final(), s.print(s.answers.last, func() { s.showDelivery(d) })
	})
}

// showDelivery prints the reason, the next step, and then everything that happened.
func (s *Session) showDelivery(d client.Delivery) {
	s.showDiagnosis(d.Diagnosis)
	s.printFacts(
		fact{"Delivery", d.ID}, fact{"State", string(d.State)}, fact{"Reason", d.Reason}, fact{"Ended because", d.Ending},
		fact{"Tenant", d.Tenant}, fact{"Event", d.EventType + " " + d.EventID}, fact{"Subscription", d.SubscriptionID}, fact{"Key", d.Key},
		fact{"Accepted", s.moment(d.CreatedAt)}, fact{"Next attempt", s.moment(value(d.NextAttemptAt))}, fact{"Ended", s.moment(value(d.CompletedAt))},
		fact{"Held since", s.moment(value(d.ParkedAt))}, fact{"Held until", s.moment(value(d.HeldUntil))}, fact{"Released", d.ReleasedBy}, fact{"Blocked by", d.BlockedBy},
		fact{"Expires", s.moment(value(d.ExpiresAt))}, fact{"Copy of", d.ResendOf}, fact{"Sent again as", strings.Join(d.ResentAs, ", ")}, fact{"You can", possible(d.Available)}, fact{"Temporal", d.TemporalURL},
	)
	if len(d.Attempts) > 0 {
		s.printf("\n")
		printTable(s, s.attemptColumns(), d.Attempts)
	}
	if len(d.Actions) > 0 {
		s.printf("\n")
		printTable(s, s.actionColumns(), d.Actions)
	}
}

// showDiagnosis prints the two sentences that most people look for, and what to do.
func (s *Session) showDiagnosis(d *client.Diagnosis) {
	if d == nil {
		return
	}
	why := d.Why
	if d.ReceiverSaid != "" {
		why += " They said: " + d.ReceiverSaid
	}
	s.printIndented("", clean(why))
	s.printIndented("", clean(d.Next.Text))
	if d.Advice != "" {
		s.printIndented("", clean(d.Advice))
	}
	if d.Alike != nil && d.Alike.Count > 0 {
		others := count(d.Alike.Count, "other delivery")
		if d.Alike.More {
			others = "At least " + others
		}
		s.printIndented("", others+" to this host with the same failure.")
	}
	s.printf("\n")
}

// possible lists the actions that the delivery and the key allow.
func possible(actions []switchboard.AvailableAction) string {
	var allowed []string
	for _, a := range actions {
		if a.Allowed {
			allowed = append(allowed, string(a.Action))
		}
	}
	return strings.Join(allowed, ", ")
}

func (s *Session) attemptColumns() []column[client.Attempt] {
	return []column[client.Attempt]{
		{title: "attempt", text: func(a client.Attempt) string { return fmt.Sprint(a.Number) }},
		{title: "at (UTC)", text: func(a client.Attempt) string { return a.At.UTC().Format("01-02 15:04:05") }},
		{title: "answer", text: answerOf, color: func(a client.Attempt) text.Color {
			if a.Failure == "" {
				return text.FgGreen
			}
			return text.FgRed
		}},
		{title: "took", text: func(a client.Attempt) string { return milliseconds(a.DurationMS) }},
		{title: "of", text: func(a client.Attempt) string { return milliseconds(a.TimeoutMS) }, rank: 3},
		{title: "detail", text: func(a client.Attempt) string { return a.Detail }, least: 12, rank: 1},
		{title: "request", text: func(a client.Attempt) string { return a.Request.Method + " " + a.Request.URL }, least: 24, rank: 2},
		{title: "they said", text: func(a client.Attempt) string {
			if a.Response == nil {
				return ""
			}
			return a.Response.Body
		}, least: 16, rank: 4},
	}
}

// answerOf is the status of the receiver's answer, or why there was none.
func answerOf(a client.Attempt) string {
	switch {
	case a.StatusCode == nil:
		return string(a.Failure)
	case a.Failure == "":
		return fmt.Sprint(*a.StatusCode)
	}
	return fmt.Sprintf("%d %s", *a.StatusCode, a.Failure)
}

func milliseconds(ms int64) string {
	if ms < 1000 {
		return fmt.Sprintf("%d ms", ms)
	}
	return fmt.Sprintf("%.1f s", (time.Duration(ms) * time.Millisecond).Seconds())
}

func (s *Session) actionColumns() []column[client.Action] {
	return []column[client.Action]{
		{title: "action", text: func(a client.Action) string { return string(a.Action) }},
		{title: "at (UTC)", text: func(a client.Action) string { return a.At.UTC().Format("01-02 15:04:05") }},
		{title: "who", text: func(a client.Action) string { return who(a.Person, a.Name, a.Actor) }, least: 12},
		{title: "reason", text: func(a client.Action) string { return a.Reason }, least: 16},
	}
}

// who names the person who acted, in their own words, and the key.
func who(person, name, key string) string {
	if name == "" {
		name = key
	}
	if person == "" {
		return name
	}
	return person + " (" + name + ")"
}
