package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

type deliveriesCommand struct {
	List    listDeliveriesCommand  `cmd:"" help:"List deliveries, newest first."`
	Facets  deliveryFacetsCommand  `cmd:"" help:"Count the deliveries of a list by state, failure, host and so on."`
	Show    showDeliveryCommand    `cmd:"" help:"Show one delivery: why it is in its state, what happens next, every attempt and action."`
	Retry   retryDeliveryCommand   `cmd:"" help:"Send deliveries now, or at a given time. Final ones start again."`
	Cancel  cancelDeliveryCommand  `cmd:"" help:"Cancel deliveries. A request in flight is aborted."`
	Hold    holdDeliveryCommand    `cmd:"" help:"Hold deliveries until they are released."`
	Release releaseDeliveryCommand `cmd:"" help:"Release deliveries that an operator holds."`
	Resend  resendDeliveryCommand  `cmd:"" help:"Send a copy of a delivery, optionally with another URL, headers, body or timeout."`
}

// deliveryFilter narrows a list of deliveries.
type deliveryFilter struct {
	Tenant       string               `help:"Only this tenant."`
	Subscription string               `help:"Only deliveries to this subscription."`
	Event        string               `help:"Only deliveries of this event."`
	EventType    string               `help:"Only deliveries of this event type, in upper or lower case."`
	State        []switchboard.State  `enum:"pending,retrying,held,blocked,delivered,failed,cancelled" help:"Only these states: ${enum}."`
	Failure      switchboard.Failure  `help:"Only if the last attempt failed like this, such as timeout or http_5xx."`
	StatusCode   int                  `placeholder:"503" help:"Only if the last attempt was answered with this status code."`
	Host         string               `help:"Only deliveries to this host."`
	After        timeFlag             `placeholder:"TIME" help:"Only if accepted at this time or later: 2026-01-31T12:00:00Z, or in UTC \"2026-01-31 12:00\", or 12:00 for today."`
	Before       timeFlag             `placeholder:"TIME" help:"Only if accepted before this time."`
	Last         switchboard.Duration `placeholder:"24h" help:"Only if accepted within this time before now."`
	Stuck        bool                 `help:"Only overdue ones."`
	Text         string               `help:"Only if an id, the event type, the host or the reason contains this."`
}

func (f *deliveryFilter) filter(now time.Time) (switchboard.DeliveryFilter, error) {
	after, err := since(f.After, f.Last, now)
	return switchboard.DeliveryFilter{
		Tenant: f.Tenant, Subscription: f.Subscription, Event: f.Event, EventType: f.EventType, States: f.State,
		Failure: f.Failure, StatusCode: f.StatusCode, Host: f.Host, After: after, Before: f.Before.Time, Stuck: f.Stuck, Text: f.Text,
	}, err
}

// since is the time from --after or --last; zero: neither is given.
func since(after timeFlag, last switchboard.Duration, now time.Time) (time.Time, error) {
	switch {
	case last == 0:
		return after.Time, nil
	case !after.IsZero():
		return time.Time{}, usage("--after and --last say the same: give one")
	case last < 0:
		return time.Time{}, usage("--last may not be negative")
	}
	return now.Add(-time.Duration(last)), nil
}

// watchFlag is for commands that can show their answer repeatedly.
type watchFlag struct {
	Watch bool `short:"w" help:"Repeat every 2 seconds, until Ctrl-C."`
}

type listDeliveriesCommand struct {
	deliveryFilter
	Limit int  `default:"50" help:"How many; 0: all."`
	Count bool `help:"Also show how many match, counted up to 10,000."`
	watchFlag
}

func (listDeliveriesCommand) Help() string {
	return `Examples:

    switchboard deliveries list --tenant acme --state retrying,held
    switchboard deliveries list --host crm.example.com --state failed --after 14:00 --before 16:00
    switchboard deliveries list --state failed --last 24h --count --limit 5
    switchboard deliveries list --event ticket-20817-created -o json`
}

func (c listDeliveriesCommand) Run(ctx context.Context, s *Session) error {
	api, err := s.api()
	if err != nil {
		return err
	}
	return s.watch(ctx, c.Watch, func() (bool, error) {
		filter, err := c.filter(s.Now())
		if err != nil {
			return false, err
		}
		var matches *switchboard.Count
		items, raw, err := gather(s, c.Limit, func(asked switchboard.PageRequest) (switchboard.Page[client.Delivery], error) {
			asked.Count = c.Count && asked.Cursor == ""
			found, err := api.ListDeliveries(ctx, filter, asked)
			if asked.Count {
				matches = found.Count
			}
			return found, err
		})
		if err != nil {
			return false, err
		}
		if c.Count {
			s.note("%s", howMany(matches))
		}
		return false, printList(s, items, raw, s.deliveryColumns(), "No delivery matches.")
	})
}

// howMany says how many match. nil: they could not be counted in time.
func howMany(matches *switchboard.Count) string {
	switch {
	case matches == nil:
		return "how many match could not be counted in time: narrow the list by --last or by more filters"
	case matches.More:
		return "more than " + count(matches.Value, "delivery") + " match"
	case matches.Value == 1:
		return "1 delivery matches"
	}
	return count(matches.Value, "delivery") + " match"
}

func (s *Session) deliveryColumns() []column[client.Delivery] {
	return []column[client.Delivery]{
		{title: "delivery", text: func(d client.Delivery) string { return d.ID }},
		{title: "state", text: func(d client.Delivery) string { return string(d.State) }, color: func(d client.Delivery) text.Color { return colorOf(d.State) }},
		{title: "tenant", text: func(d client.Delivery) string { return d.Tenant }, least: 8, rank: 2},
		{title: "event type", text: func(d client.Delivery) string { return d.EventType }, least: 10, rank: 3},
		{title: "why", text: func(d client.Delivery) string { return d.Reason }, least: 10},
		{title: "tries", text: func(d client.Delivery) string { return fmt.Sprint(d.AttemptsMade) }, rank: 5},
		{title: "next", text: func(d client.Delivery) string { return s.relative(value(d.NextAttemptAt)) }, rank: 1},
		{title: "accepted", text: func(d client.Delivery) string { return s.relative(d.CreatedAt) }, rank: 4},
		{title: "event", text: func(d client.Delivery) string { return d.EventID }, least: 16, rank: 6},
		{title: "subscription", text: func(d client.Delivery) string { return d.SubscriptionID }, rank: 7},
	}
}

// colorOf is the colour of a state. The name of the state is always next to it.
func colorOf(state switchboard.State) text.Color {
	switch state {
	case switchboard.StateDelivered:
		return text.FgGreen
	case switchboard.StateFailed:
		return text.FgRed
	case switchboard.StateRetrying:
		return text.FgYellow
	case switchboard.StateHeld, switchboard.StateBlocked:
		return text.FgMagenta
	case switchboard.StateCancelled:
		return text.FgHiBlack
	}
	return text.FgBlue
}

// someDeliveries are the deliveries for an action.
type someDeliveries struct {
	IDs []string `arg:"" name:"id" help:"The deliveries (dlv_…)."`
	Yes bool     `short:"y" help:"Do not ask for confirmation if there are several."`
}

type optionalReason struct {
	Reason string `short:"r" help:"The reason, which is kept."`
}

type requiredReason struct {
	Reason string `short:"r" required:"" help:"The reason, which is kept."`
}

// expectation makes an action conditional.
type expectation struct {
	ExpectState    switchboard.State `placeholder:"STATE" enum:",pending,retrying,held,blocked,delivered,failed,cancelled" default:"" help:"Act only if the delivery is in this state."`
	ExpectAttempts *int              `placeholder:"N" help:"Act only if this many attempts were made."`
}

func (e expectation) act(reason string) client.Act {
	act := client.Act{Reason: reason}
	if e.ExpectState != "" || e.ExpectAttempts != nil {
		act.Expect = &client.Expectation{State: e.ExpectState, Attempts: e.ExpectAttempts}
	}
	return act
}

// deliveryAction is a method of the client that acts on one delivery.
type deliveryAction[A any] = func(api *client.Client, ctx context.Context, id string, act A, options ...client.Option) (client.Delivery, error)

// change does the same to each of the deliveries, and prints the result. If one does not allow it,
// it continues with the next, and returns the first error at the end.
func change[A any](ctx context.Context, s *Session, c someDeliveries, verb string, do deliveryAction[A], act A) error {
	api, err := s.api()
	if err != nil {
		return err
	}
	if len(c.IDs) > 1 {
		if err := s.confirm(ctx, fmt.Sprintf("%s %s?", verb, count(len(c.IDs), "delivery")), len(c.IDs), c.Yes); err != nil {
			return err
		}
	}
	var first error
	for _, id := range c.IDs {
		changed, err := do(api, ctx, id, act, s.options()...)
		if err == nil {
			err = s.print(s.answers.last, func() { s.printf("%s\n", s.line(changed)) })
		}
		if err == nil {
			continue
		}
		if len(c.IDs) == 1 || ctx.Err() != nil {
			return err
		}
		s.note("%s: %v", id, err)
		if first == nil {
			first = fmt.Errorf("%s: %w", id, err)
		}
	}
	return first
}

// line is a delivery in one line.
func (s *Session) line(d client.Delivery) string {
	line := d.ID + " is " + string(d.State)
	if d.Reason != "" && !d.State.Final() {
		line += " (" + d.Reason + ")"
	}
	if d.NextAttemptAt != nil {
		line += ", next attempt " + s.relativeIn(*d.NextAttemptAt, 2)
	}
	return clean(line)
}

type retryDeliveryCommand struct {
	someDeliveries
	optionalReason
	expectation
	At timeFlag `placeholder:"TIME" help:"When to make the next attempt, within 30 days. Default: now."`
}

func (retryDeliveryCommand) Help() string {
	return `Examples:

    switchboard deliveries retry dlv_01k0000000000000000000000 --reason "receiver repaired"
    switchboard deliveries retry dlv_01k0000000000000000000000 --at 18:00 --expect-state failed`
}

func (c retryDeliveryCommand) Run(ctx context.Context, s *Session) error {
	retry := client.Retry{Act: c.act(c.Reason)}
	if !c.At.IsZero() {
		retry.RetryAt = &c.At.Time
	}
	return change(ctx, s, c.someDeliveries, "Retry", (*client.Client).RetryDelivery, retry)
}

type cancelDeliveryCommand struct {
	someDeliveries
	requiredReason
	expectation
}

func (cancelDeliveryCommand) Help() string {
	return `Examples:

    switchboard deliveries cancel dlv_01k0000000000000000000000 --reason "sent by mistake"`
}

func (c cancelDeliveryCommand) Run(ctx context.Context, s *Session) error {
	return change(ctx, s, c.someDeliveries, "Cancel", (*client.Client).CancelDelivery, c.act(c.Reason))
}

type holdDeliveryCommand struct {
	someDeliveries
	requiredReason
	expectation
}

func (holdDeliveryCommand) Help() string {
	return `Examples:

    switchboard deliveries hold dlv_01k0000000000000000000000 --reason "until acme has answered"`
}

func (c holdDeliveryCommand) Run(ctx context.Context, s *Session) error {
	return change(ctx, s, c.someDeliveries, "Hold", (*client.Client).HoldDelivery, c.act(c.Reason))
}

type releaseDeliveryCommand struct {
	someDeliveries
	optionalReason
	expectation
}

func (releaseDeliveryCommand) Help() string {
	return `Examples:

    switchboard deliveries release dlv_01k0000000000000000000000`
}

func (c releaseDeliveryCommand) Run(ctx context.Context, s *Session) error {
	return change(ctx, s, c.someDeliveries, "Release", (*client.Client).ReleaseDelivery, c.act(c.Reason))
}
