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

type operationsCommand struct {
	Plan   planOperationCommand   `cmd:"" help:"Show what an action on all deliveries that match would do, without doing it."`
	Start  startOperationCommand  `cmd:"" help:"Act on all deliveries that match: show the count, ask, and start."`
	List   listOperationsCommand  `cmd:"" help:"List operations, newest first."`
	Show   showOperationCommand   `cmd:"" help:"Show one operation, and with --items what it did to each delivery."`
	Watch  watchOperationCommand  `cmd:"" help:"Show the progress of an operation until it has ended."`
	Pause  pauseOperationCommand  `cmd:"" help:"Stop an operation, within two seconds, until it is resumed."`
	Resume resumeOperationCommand `cmd:"" help:"Continue a paused operation."`
	Cancel cancelOperationCommand `cmd:"" help:"Stop an operation for good, and take back what it has not sent yet."`
}

// selection says what an operation does, and to what.
type selection struct {
	deliveryFilter
	Key  string  `help:"Only events with this key; for a replay."`
	Rate float64 `placeholder:"N" help:"How many a second. Default: 50 for retry, release and replay, 1000 for cancel and hold."`
}

func (f *selection) ask(action switchboard.ActionKind, now time.Time) (client.NewOperation, error) {
	filter, err := f.filter(now)
	if err != nil {
		return client.NewOperation{}, err
	}
	return client.NewOperation{Action: action, Rate: f.Rate, Filter: &switchboard.Selection{
		Tenant: filter.Tenant, Subscription: filter.Subscription, Event: filter.Event, EventType: filter.EventType, Key: f.Key, States: filter.States,
		Failure: filter.Failure, StatusCode: filter.StatusCode, Host: filter.Host, After: filter.After, Before: filter.Before, Stuck: filter.Stuck, Text: filter.Text,
	}}, nil
}

type planOperationCommand struct {
	Action switchboard.ActionKind `arg:"" enum:"retry,cancel,hold,release,replay" help:"One of ${enum}. replay sends events again, to one subscription."`
	selection
}

func (planOperationCommand) Help() string {
	return `Examples:

    switchboard operations plan retry --host crm.example.com --state failed --after 14:00 --before 16:00
    switchboard operations plan replay --subscription sub_01k0000000000000000000000 --tenant acme --last 24h`
}

func (c planOperationCommand) Run(ctx context.Context, s *Session) error {
	asked, err := c.ask(c.Action, s.Now())
	if err != nil {
		return err
	}
	return act(s, func(api *client.Client) (client.OperationPlan, error) { return api.PlanOperation(ctx, asked) }, func(p client.OperationPlan) {
		s.showPlan(p)
		s.printf("\nTo do just this, until %s UTC:\n  switchboard operations start --reason … --plan %s\n", p.ExpiresAt.UTC().Format("15:04:05"), p.Plan)
	})
}

// amount is the number of deliveries or events in a plan.
func amount(p client.OperationPlan) string {
	noun := "delivery"
	if p.Action == switchboard.ActionReplay {
		noun = "event"
	}
	if !p.Count.Exact {
		return "at least " + count(p.Count.Value, noun)
	}
	return count(p.Count.Value, noun)
}

// showPlan prints what an operation would do.
func (s *Session) showPlan(p client.OperationPlan) {
	facts := []fact{
		{"Plan", string(p.Action) + " " + amount(p)},
		{"Rate", fmt.Sprintf("%g a second, oldest first: about %s", p.Rate, span(time.Duration(p.DurationSeconds*float64(time.Second)), 2))},
		{"By state", parts(p.ByState)}, {"By failure", parts(p.ByFailure)}, {"By type", parts(p.ByEventType)},
		{"By tenant", parts(p.ByTenant)}, {"By subscription", parts(p.BySubscription)},
	}
	for _, e := range p.Excluded {
		number := thousands(e.Count.Value)
		if !e.Count.Exact {
			number += "+"
		}
		facts = append(facts, fact{"Left alone", number + " " + e.Why})
	}
	if p.Limit > 0 && p.Count.Value > p.Limit {
		facts = append(facts, fact{"Limit", "this key may act on " + thousands(p.Limit) + " at once: narrow it"})
	}
	s.printFacts(append(facts, fact{"Never touched", "what is accepted after this plan"})...)
	if len(p.Sample) > 0 {
		s.printf("\nSome of them:\n")
		printTable(s, s.deliveryColumns(), p.Sample)
	}
	if len(p.SampleEvents) > 0 {
		s.printf("\nSome of them:\n")
		printTable(s, s.eventColumns(), p.SampleEvents)
	}
}

// parts lists the largest parts of a count.
func parts(list []switchboard.PlanPart) string {
	const shown = 5
	var words []string
	for i, p := range list {
		if i == shown {
			words = append(words, fmt.Sprintf("and %d more", len(list)-shown))
			break
		}
		words = append(words, p.Value+" "+thousands(p.Count))
	}
	return strings.Join(words, ", ")
}

type startOperationCommand struct {
	Action switchboard.ActionKind `arg:"" optional:"" enum:",retry,cancel,hold,release,replay" default:"" help:"One of retry, cancel, hold, release, replay; not with --plan."`
	selection
	requiredReason
	Plan  string `help:"Start this plan."`
	Yes   bool   `short:"y" help:"Do not ask for confirmation."`
	Watch bool   `short:"w" help:"Show the progress until it has ended."`
}

func (startOperationCommand) Help() string {
	return `Examples:

    switchboard operations start retry --host crm.example.com --state failed --reason "receiver repaired" --watch
    switchboard operations start cancel --subscription sub_01k0000000000000000000000 --state retrying --reason "wrong data" --yes`
}

func (c startOperationCommand) Run(ctx context.Context, s *Session) error {
	if (c.Action == "") == (c.Plan == "") {
		return usage("give an action and a filter, or --plan")
	}
	api, err := s.api()
	if err != nil {
		return err
	}
	plan := c.Plan
	if plan == "" {
		asked, err := c.ask(c.Action, s.Now())
		if err != nil {
			return err
		}
		planned, err := api.PlanOperation(ctx, asked)
		if err != nil {
			return err
		}
		if planned.Count.Value == 0 {
			s.note("Nothing matches: nothing is started.")
			return nil
		}
		if err := s.confirmPlan(ctx, planned, c.Yes); err != nil {
			return err
		}
		plan = planned.Plan
	} else if err := s.confirm(ctx, "Start the plan?", 0, c.Yes); err != nil {
		return err
	}
	started, err := api.StartOperation(ctx, client.NewOperation{Plan: plan, Reason: c.Reason}, s.options()...)
	if err != nil {
		return err
	}
	if c.Watch {
		return s.follow(ctx, api, started.ID)
	}
	return s.print(s.answers.last, func() {
		s.printf("%s is started. Its progress:\n  switchboard operations watch %s\n", started.ID, started.ID)
	})
}

// confirmPlan shows a plan before it asks for confirmation.
func (s *Session) confirmPlan(ctx context.Context, p client.OperationPlan, yes bool) error {
	if !yes && s.Ask {
		out := s.Out
		s.Out = s.Err
		s.showPlan(p)
		s.Out = out
	}
	name := string(p.Action)
	return s.confirm(ctx, strings.ToUpper(name[:1])+name[1:]+" "+amount(p)+"?", p.Count.Value, yes)
}

type listOperationsCommand struct {
	Tenant       string                     `help:"Only operations on this tenant's deliveries."`
	Subscription string                     `help:"Only operations on deliveries of this subscription."`
	State        switchboard.OperationState `enum:",running,paused,finished,cancelled" default:"" help:"Only this state: ${enum}."`
	Limit        int                        `default:"50" help:"How many; 0: all."`
	watchFlag
}

func (listOperationsCommand) Help() string {
	return `Examples:

    switchboard operations list --state running --watch`
}

func (c listOperationsCommand) Run(ctx context.Context, s *Session) error {
	api, err := s.api()
	if err != nil {
		return err
	}
	return s.watch(ctx, c.Watch, func() (bool, error) {
		filter := switchboard.OperationFilter{Tenant: c.Tenant, Subscription: c.Subscription, State: c.State}
		items, raw, err := gather(s, c.Limit, func(asked switchboard.PageRequest) (switchboard.Page[client.Operation], error) {
			return api.ListOperations(ctx, filter, asked)
		})
		if err != nil {
			return false, err
		}
		return false, printList(s, items, raw, []column[client.Operation]{
			{title: "operation", text: func(o client.Operation) string { return o.ID }},
			{title: "action", text: func(o client.Operation) string { return string(o.Action) }},
			{title: "state", text: func(o client.Operation) string { return string(o.State) }, color: func(o client.Operation) text.Color {
				if o.State == switchboard.OperationRunning {
					return text.FgBlue
				}
				return text.FgHiBlack
			}},
			{title: "progress", text: progressOf},
			{title: "started", text: func(o client.Operation) string { return s.relative(o.CreatedAt) }, rank: 2},
			{title: "reason", text: func(o client.Operation) string { return o.Reason }, least: 12, rank: 1},
			{title: "who", text: func(o client.Operation) string { return who(o.Person, "", o.Actor) }, least: 12, rank: 3},
			{title: "tenant", text: func(o client.Operation) string { return o.Tenant }, rank: 4},
		}, "No operation matches.")
	})
}

// progressOf is the progress of an operation: "1,200 of 3,412".
func progressOf(o client.Operation) string {
	if o.Total == 0 {
		return thousands(o.Handled())
	}
	return thousands(o.Handled()) + " of " + thousands(o.Total)
}

type showOperationCommand struct {
	ID    string                       `arg:"" help:"The operation (op_…)."`
	Items switchboard.OperationOutcome `enum:",all,done,skipped,failed" default:"" help:"List the items with this outcome: all, done, skipped or failed."`
	Limit int                          `default:"50" help:"How many items; 0: all."`
}

func (showOperationCommand) Help() string {
	return `Examples:

    switchboard operations show op_01k0000000000000000000000
    switchboard operations show op_01k0000000000000000000000 --items skipped`
}

func (c showOperationCommand) Run(ctx context.Context, s *Session) error {
	if c.Items == "" {
		return act(s, func(api *client.Client) (client.Operation, error) { return api.GetOperation(ctx, c.ID) }, s.showOperation)
	}
	api, err := s.api()
	if err != nil {
		return err
	}
	outcome := c.Items
	if outcome == "all" {
		outcome = ""
	}
	items, raw, err := gather(s, c.Limit, func(asked switchboard.PageRequest) (switchboard.Page[switchboard.OperationItem], error) {
		return api.ListOperationItems(ctx, c.ID, outcome, asked)
	})
	if err != nil {
		return err
	}
	return printList(s, items, raw, []column[switchboard.OperationItem]{
		{title: "delivery", text: func(i switchboard.OperationItem) string { return i.DeliveryID }},
		{title: "outcome", text: func(i switchboard.OperationItem) string { return string(i.Outcome) }},
		{title: "why", text: func(i switchboard.OperationItem) string { return i.Why }, least: 12},
		{title: "event", text: func(i switchboard.OperationItem) string { return i.EventID }, least: 12, rank: 1},
	}, "It did nothing of that.")
}

func (s *Session) showOperation(o client.Operation) {
	s.printFacts(
		fact{"Operation", o.ID}, fact{"Action", string(o.Action)}, fact{"State", string(o.State)}, fact{"Reason", o.Reason}, fact{"Who", who(o.Person, "", o.Actor)},
		fact{"Tenant", o.Tenant}, fact{"Subscription", o.SubscriptionID},
		fact{"Progress", fmt.Sprintf("%s: %s done, %s skipped, %s failed", progressOf(o), thousands(o.Done), thousands(o.Skipped), thousands(o.Failed))},
		fact{"Started", s.moment(o.CreatedAt)}, fact{"Last step", s.moment(o.UpdatedAt)}, fact{"Ends about", s.moment(o.ExpectedEndAt)}, fact{"Ended", s.moment(o.FinishedAt)},
		fact{"Temporal", o.TemporalURL},
	)
}

type oneOperation struct {
	ID string `arg:"" help:"The operation (op_…)."`
}

type pauseOperationCommand struct {
	oneOperation
	requiredReason
}

func (pauseOperationCommand) Help() string {
	return `Examples:

    switchboard operations pause op_01k0000000000000000000000 --reason "their server is slow"`
}

func (c pauseOperationCommand) Run(ctx context.Context, s *Session) error {
	return act(s, func(api *client.Client) (client.Operation, error) {
		return api.PauseOperation(ctx, c.ID, c.Reason, s.options()...)
	}, s.showOperation)
}

type resumeOperationCommand struct {
	oneOperation
	optionalReason
}

func (resumeOperationCommand) Help() string {
	return `Examples:

    switchboard operations resume op_01k0000000000000000000000`
}

func (c resumeOperationCommand) Run(ctx context.Context, s *Session) error {
	return act(s, func(api *client.Client) (client.Operation, error) {
		return api.ResumeOperation(ctx, c.ID, c.Reason, s.options()...)
	}, s.showOperation)
}

type cancelOperationCommand struct {
	oneOperation
	requiredReason
}

func (cancelOperationCommand) Help() string {
	return `Examples:

    switchboard operations cancel op_01k0000000000000000000000 --reason "wrong filter"`
}

func (c cancelOperationCommand) Run(ctx context.Context, s *Session) error {
	return act(s, func(api *client.Client) (client.Operation, error) {
		return api.CancelOperation(ctx, c.ID, c.Reason, s.options()...)
	}, s.showOperation)
}
