package console

import (
	"context"
	"errors"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

func (c *Console) operationRoutes() []route {
	return []route{
		{"GET /console/operations", operators, c.operations},
		{"GET /console/operations/plan", operators, c.planForm},
		{"POST /console/operations/plan", operators, c.startPlan},
		{"GET /console/operations/replay", operators, c.replayForm},
		{"GET /console/operations/{id}", operators, c.operation},
		{"GET /console/operations/{id}/{change}", operators, c.operationChangeForm},
		{"POST /console/operations/{id}/{change}", operators, c.operationChange},
	}
}

// operationsKept is how long ended operations are listed.
const operationsKept = 30 * 24 * time.Hour

// operationLine is one line of the list of operations.
type operationLine struct {
	client.Operation
	What    []filterChip // its filter in words
	Handled int
}

func operationLineOf(o client.Operation) operationLine {
	return operationLine{Operation: o, What: selectionChips(o.Filter), Handled: o.Handled()}
}

// operationsPage is the list of operations.
type operationsPage struct {
	Running []operationLine // and paused ones
	Ended   []operationLine // of the last 30 days
	Pager   pager
	Replay  string
	Chips   []filterChip
	Nothing *emptyState
}

func (c *Console) operations(v *visit) (answer, error) {
	r := readQuery(v.request.URL.Query())
	filter, cursor := switchboard.OperationFilter{Tenant: r.text("tenant"), Subscription: r.text("subscription")}, r.text("cursor")
	if err := v.checkQuery(r.known...); err != nil {
		return answer{}, err
	}
	data := operationsPage{Replay: linkReplay(switchboard.Selection{Tenant: filter.Tenant, Subscription: filter.Subscription})}
	if filter.Tenant != "" {
		data.Chips = append(data.Chips, filterChip{conditionText("tenant", filter.Tenant), linkOperationList(switchboard.OperationFilter{Subscription: filter.Subscription}, "")})
	}
	if filter.Subscription != "" {
		data.Chips = append(data.Chips, filterChip{conditionText("subscription", filter.Subscription), linkOperationList(switchboard.OperationFilter{Tenant: filter.Tenant}, "")})
	}
	err := data.read(v.request.Context(), v, filter, cursor)
	return page("operations", "Operations", &data), err
}

// read lists running operations first, on every page of the list, and then ended ones.
func (p *operationsPage) read(ctx context.Context, v *visit, filter switchboard.OperationFilter, cursor string) error {
	for _, state := range []switchboard.OperationState{switchboard.OperationRunning, switchboard.OperationPaused} {
		f := filter
		f.State = state
		found, err := v.api.ListOperations(ctx, f, switchboard.PageRequest{Limit: switchboard.MaxPage})
		if err != nil {
			return err
		}
		for _, o := range found.Items {
			p.Running = append(p.Running, operationLineOf(o))
		}
	}
	if v.isPoll() { // only running operations update themselves
		return nil
	}
	found, err := v.api.ListOperations(ctx, filter, switchboard.PageRequest{Cursor: cursor})
	if err != nil {
		return err
	}
	p.addEnded(found.Items, v.now)
	if n := len(found.Items); found.NextCursor != "" && v.now.Sub(found.Items[n-1].CreatedAt) < operationsKept {
		p.Pager.Older = linkOperationList(filter, found.NextCursor)
	}
	if cursor != "" {
		p.Pager.First = linkOperationList(filter, "")
	}
	if len(p.Running)+len(p.Ended) == 0 && p.Pager.Older == "" {
		p.Nothing = &emptyState{Kind: kindNoneYet, Text: "None in 30 days.", More: filterChip{"Plan a replay of events", p.Replay}}
		if len(p.Chips) > 0 {
			p.Nothing = &emptyState{Kind: kindNoMatch, Text: "No operation matches.", Chips: p.Chips}
		}
	}
	return nil
}

func (p *operationsPage) addEnded(operations []client.Operation, now time.Time) {
	for _, o := range operations {
		if o.State.Ended() && now.Sub(o.CreatedAt) < operationsKept {
			p.Ended = append(p.Ended, operationLineOf(o))
		}
	}
}

// operationPage is one operation: its progress and its results.
type operationPage struct {
	operationLine
	Left     int // number of remaining items; below 0: unknown
	Changes  []actionButton
	Outcomes []outcomeTab
	Items    []switchboard.OperationItem
	Pager    pager
	Every    int // seconds between its updates; 0: it has ended
	Title    string
}

// outcomeTab leads to the items with one outcome.
type outcomeTab struct {
	Text, Link string
	Current    bool
}

func (c *Console) operation(v *visit) (answer, error) {
	r := readQuery(v.request.URL.Query())
	outcome, cursor := switchboard.OperationOutcome(r.text("outcome")), r.text("cursor")
	if err := v.checkQuery(r.known...); err != nil {
		return answer{}, err
	}
	o, err := v.api.GetOperation(v.request.Context(), v.path("id"))
	if err != nil {
		return answer{}, err
	}
	items, err := v.api.ListOperationItems(v.request.Context(), o.ID, outcome, switchboard.PageRequest{Cursor: cursor})
	if err != nil {
		return answer{}, err
	}
	data := operationPageOf(&o, v.now)
	data.Items = items.Items
	for _, each := range append([]switchboard.OperationOutcome{""}, switchboard.OperationOutcomes()...) {
		data.Outcomes = append(data.Outcomes, outcomeTab{outcomeText(&o, each), linkOperationItems(o.ID, each, ""), each == outcome})
	}
	if items.NextCursor != "" {
		data.Pager.Older = linkOperationItems(o.ID, outcome, items.NextCursor)
	}
	if cursor != "" {
		data.Pager.First = linkOperationItems(o.ID, outcome, "")
	}
	return page("operation", data.Title, data), nil
}

// outcomeText names the items with an outcome. An empty one means all.
func outcomeText(o *client.Operation, outcome switchboard.OperationOutcome) string {
	n := o.Handled()
	switch outcome {
	case switchboard.OutcomeDone:
		n = o.Done
	case switchboard.OutcomeSkipped:
		n = o.Skipped
	case switchboard.OutcomeFailed:
		n = o.Failed
	default:
		outcome = "all"
	}
	return string(outcome) + " " + count(n)
}

// operationTitle names an operation inside a sentence.
func operationTitle(o *client.Operation) string {
	return string(o.Action) + " of " + itemsText(o.Action, o.Total)
}

func operationHeading(o *client.Operation) string {
	return actionText(o.Action) + " of " + itemsText(o.Action, o.Total)
}

// itemsText counts the items of an action.
func itemsText(action switchboard.ActionKind, n int) string {
	if n == 0 {
		return nounOf(action, n)
	}
	return count(n) + " " + nounOf(action, n)
}

// nounOf names the items of an action.
func nounOf(action switchboard.ActionKind, n int) string {
	switch {
	case action == switchboard.ActionReplay && n == 1:
		return "event"
	case action == switchboard.ActionReplay:
		return "events"
	case n == 1:
		return "delivery"
	}
	return "deliveries"
}

// operationPageOf returns the page without its items. The operation itself says which actions are
// possible.
func operationPageOf(o *client.Operation, now time.Time) *operationPage {
	data := &operationPage{operationLine: operationLineOf(*o), Left: -1, Title: operationHeading(o)}
	if o.Total > 0 {
		data.Left = max(o.Total-o.Handled(), 0)
	}
	if o.State == switchboard.OperationRunning {
		data.Every = 2
	} else if !o.State.Ended() {
		data.Every = 10
	}
	if o.State.Ended() {
		return data
	}
	toggle := switchboard.PauseOperation
	if o.State == switchboard.OperationPaused {
		toggle = switchboard.ResumeOperation
	}
	for _, change := range []switchboard.OperationChange{toggle, switchboard.CancelOperation} {
		after := o.Operation
		err := after.Change(now, change)
		button := actionButton{Text: changeText(change) + "…", Address: linkOperationChange(o.ID, change), Allowed: err == nil, Danger: change == switchboard.CancelOperation}
		if refused, is := errors.AsType[*switchboard.Error](err); is {
			button.WhyNot = refused.Message
		}
		data.Changes = append(data.Changes, button)
	}
	return data
}

func changeText(change switchboard.OperationChange) string {
	switch change {
	case switchboard.PauseOperation:
		return "Pause"
	case switchboard.ResumeOperation:
		return "Resume"
	}
	return "Cancel"
}
