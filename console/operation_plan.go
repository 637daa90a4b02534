package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// numberAsked is the number of items above which a person must type it before an operation starts.
const numberAsked = 1000

// planQuery is the query for a plan.
type planQuery struct {
	action    switchboard.ActionKind
	selection switchboard.Selection
	rate      float64 // 0: the action's default
}

// readPlanQuery parses the query for a plan: the names of the list of deliveries, with action and
// rate. A period ends now, with the plan's own upper bound.
func readPlanQuery(r *queryReader, now time.Time) planQuery {
	q := planQuery{action: switchboard.ActionKind(r.text("action")), selection: switchboard.Selection{
		IDs: r.list("id"), Tenant: r.text("tenant"), Subscription: r.text("subscription"), Event: r.text("event"), EventType: r.text("event_type"), Key: r.text("key"),
		Failure: switchboard.Failure(r.text("failure")), StatusCode: r.number("status_code"), Host: r.text("host"),
		After: r.time("after"), Before: r.time("before"), Stuck: r.flag("stuck"), Text: r.text("text"),
	}}
	for _, state := range r.list("state") {
		q.selection.States = append(q.selection.States, switchboard.State(state))
	}
	if last := r.last(); q.selection.After.IsZero() && q.selection.Before.IsZero() {
		q.selection.After = since(last, now)
	}
	if text := r.text("rate"); text != "" {
		rate, err := strconv.ParseFloat(text, 64)
		if err == nil {
			err = switchboard.CheckRate(rate)
		}
		if err != nil {
			r.fail("rate", "is %q: it is a number of deliveries a second, from %g to %g", text, switchboard.MinOperationRate, switchboard.MaxOperationRate)
		}
		q.rate = rate
	}
	return q
}

// planPage shows the plan of an operation that has not been started.
type planPage struct {
	Title   string
	Action  switchboard.ActionKind
	Actions []outcomeTab // links to the plan for each action
	What    []filterChip // the selection, in words
	Replay  string       // the form for a replay

	Plan     *client.OperationPlan // nil: none
	Count    string
	MadeAt   time.Time
	Duration time.Duration
	Parts    []planParts
	Excluded []exclusion
	Sample   []deliveryRow
	Events   []eventRow
	TooMany  bool // more than this person may act on at once
	Ask      bool // the number must be typed

	Post   string // the address that the form posts to
	Reason reasonField
	Rate   string
	Number string
	Faults []fieldFault
}

// planParts are the parts of a count by one column.
type planParts struct {
	Name  string
	Parts []facetLink
}

// exclusion is a group of matches that the operation does not change.
type exclusion struct{ Count, Why string }

// planForm shows the plan of an operation, and changes nothing.
func (c *Console) planForm(v *visit) (answer, error) {
	data, code, err := c.plan(v)
	if err != nil {
		return answer{}, err
	}
	return data.answer(code), nil
}

func (p *planPage) answer(code int) answer {
	shown := page("operation_plan", p.Title, p)
	if code != 0 {
		shown = shown.status(code)
	}
	return shown
}

// plan makes the plan for the address. The page says what is wrong with it.
func (c *Console) plan(v *visit) (*planPage, int, error) {
	r := readQuery(v.request.URL.Query())
	q := readPlanQuery(r, v.now)
	if err := v.checkQuery(r.known...); err != nil {
		return nil, 0, err
	}
	data := planPageOf(&q)
	if len(r.faults) > 0 {
		data.Faults = r.faults
		return data, http.StatusUnprocessableEntity, nil
	}
	if q.action == "" {
		return data, 0, nil
	}
	plan, err := v.api.PlanOperation(v.request.Context(), client.NewOperation{Action: q.action, Filter: &q.selection, Rate: q.rate})
	if code := statusOfForm(err); code != 0 {
		data.Faults = []fieldFault{refusalOf(err)}
		return data, code, nil
	}
	if err != nil {
		return nil, 0, err
	}
	data.fill(&plan)
	data.Reason.Last = v.lastReasons()
	return data, 0, nil
}

func planPageOf(q *planQuery) *planPage {
	data := &planPage{Title: "Plan an operation", Action: q.action, What: selectionChips(&q.selection), Replay: linkReplay(q.selection), Post: linkSelectionPlan(q.action, q.selection)}
	for _, action := range switchboard.OperationActions() {
		if action != switchboard.ActionReplay && len(q.selection.StatesFor(action)) == 0 {
			continue // it applies to none of the requested states
		}
		link := linkSelectionPlan(action, q.selection)
		if action == switchboard.ActionReplay {
			link = linkReplay(switchboard.Selection{
				Tenant: q.selection.Tenant, Subscription: q.selection.Subscription, Event: q.selection.Event, EventType: q.selection.EventType,
				After: q.selection.After, Before: q.selection.Before,
			})
		}
		data.Actions = append(data.Actions, outcomeTab{actionText(action), link, action == q.action})
	}
	return data
}

// fill shows a plan.
func (p *planPage) fill(plan *client.OperationPlan) {
	p.Plan, p.Count, p.What = plan, planCount(plan.Count), selectionChips(&plan.Filter)
	p.Title = actionText(p.Action) + " " + p.Count + " " + nounOf(p.Action, plan.Count.Value)
	p.MadeAt, p.Duration = plan.ExpiresAt.Add(-switchboard.PlanLifetime), time.Duration(plan.DurationSeconds*float64(time.Second))
	p.Rate = strconv.FormatFloat(plan.Rate, 'f', -1, 64)
	p.TooMany, p.Ask = plan.Limit > 0 && plan.Count.Value > plan.Limit, plan.Count.Value > numberAsked
	for _, by := range []struct {
		name   string
		parts  []switchboard.PlanPart
		narrow func(s *switchboard.Selection, value string)
	}{
		{"state", plan.ByState, func(s *switchboard.Selection, value string) { s.States = []switchboard.State{switchboard.State(value)} }},
		{"failure", plan.ByFailure, func(s *switchboard.Selection, value string) { s.Failure = switchboard.Failure(value) }},
		{"tenant", plan.ByTenant, func(s *switchboard.Selection, value string) { s.Tenant = value }},
		{"subscription", plan.BySubscription, func(s *switchboard.Selection, value string) { s.Subscription = value }},
		{"event type", plan.ByEventType, func(s *switchboard.Selection, value string) { s.EventType = value }},
	} {
		if len(by.parts) == 0 {
			continue
		}
		shown := planParts{Name: by.name}
		for _, part := range by.parts {
			narrower := plan.Filter
			by.narrow(&narrower, part.Value)
			text := part.Value
			if by.name == "failure" {
				text = reasonWords(text)
			}
			shown.Parts = append(shown.Parts, facetLink{text, linkSelectionPlan(plan.Action, narrower), part.Count})
		}
		p.Parts = append(p.Parts, shown)
	}
	for _, e := range plan.Excluded {
		p.Excluded = append(p.Excluded, exclusion{planCount(e.Count), e.Why})
	}
	p.Sample, p.Events = deliveryRows(plan.Sample), eventRows(plan.SampleEvents)
}

// planCount writes a count that may be a lower bound: 100,000+.
func planCount(c switchboard.PlanCount) string {
	return counted(&switchboard.Count{Value: c.Value, More: !c.Exact})
}

// startPlan starts the plan that a form posts. The plan is sealed, so it is exactly the one that
// the person saw. If it is refused, the page shows a new plan with the typed values.
func (c *Console) startPlan(v *visit) (answer, error) {
	posted := func(name string) string { return strings.TrimSpace(v.request.PostFormValue(name)) }
	asked := client.NewOperation{Plan: posted("plan"), Reason: posted("reason")}
	var faults []fieldFault
	if text := reasonFault(asked.Reason); text != "" {
		faults = append(faults, fieldFault{"reason", text})
	}
	if rate := posted("rate"); rate != "" {
		var err error
		if asked.Rate, err = strconv.ParseFloat(rate, 64); err != nil || switchboard.CheckRate(asked.Rate) != nil {
			faults = append(faults, fieldFault{"rate", "must be a number from 0.01 to 1000"})
		}
	}
	if want := posted("count"); want != "" && onlyDigits(posted("number")) != want {
		faults = append(faults, fieldFault{"number", "type the number of items to act on"})
	}
	code := http.StatusUnprocessableEntity
	if len(faults) == 0 {
		o, err := v.api.StartOperation(v.request.Context(), asked, v.once())
		if err == nil {
			return redirect(linkOperation(o.ID)), nil
		}
		if code = statusOfForm(err); code == 0 {
			return answer{}, err
		}
		faults = []fieldFault{refusalOf(err)}
	}
	data, _, err := c.plan(v)
	if err != nil {
		return answer{}, err
	}
	data.Faults = append(faults, data.Faults...)
	data.Reason.Value, data.Number = asked.Reason, posted("number")
	if rate := posted("rate"); rate != "" {
		data.Rate = rate
	}
	for _, f := range faults {
		if f.Field == "reason" {
			data.Reason.Error = f.Text
		}
	}
	return data.answer(code), nil
}

// onlyDigits removes what people write between digits.
func onlyDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

// replayPage is the form that asks which events to send again, and to which subscription.
type replayPage struct {
	Form          map[string]string
	Subscriptions []option // of the tenant, if it is known
}

func (c *Console) replayForm(v *visit) (answer, error) {
	values := v.request.URL.Query()
	names := []string{"tenant", "subscription", "event", "event_type", "key", "after", "before"}
	if err := v.checkQuery(names...); err != nil {
		return answer{}, err
	}
	data := replayPage{Form: map[string]string{}}
	for _, name := range names {
		data.Form[name] = values.Get(name)
	}
	err := data.offer(v.request.Context(), v, values)
	return page("operation_replay", "Replay events", &data), err
}

// offer lists the subscriptions of the tenant.
func (p *replayPage) offer(ctx context.Context, v *visit, values url.Values) error {
	tenant := values.Get("tenant")
	if tenant == "" {
		tenant = v.session.Caller.Tenant
	}
	if tenant == "" {
		return nil
	}
	found, err := v.api.ListSubscriptions(ctx, switchboard.SubscriptionFilter{Tenant: tenant}, switchboard.PageRequest{Limit: switchboard.MaxPage})
	for i := range found.Items {
		sub := &found.Items[i]
		p.Subscriptions = append(p.Subscriptions, option{sub.ID, sub.Name + " (" + short(sub.ID) + ")", sub.ID == values.Get("subscription")})
	}
	return err
}

// selectionChips describes an operation's selection; nil: Switchboard started the operation itself.
func selectionChips(s *switchboard.Selection) []filterChip {
	if s == nil {
		return nil
	}
	var chips []filterChip
	values := selectionValues(s)
	for _, name := range []string{"id", "tenant", "subscription", "event", "event_type", "key", "state", "failure", "status_code", "host", "after", "before", "stuck", "text"} {
		for _, value := range values[name] {
			chips = append(chips, filterChip{Text: conditionText(name, value)})
		}
	}
	return chips
}

func actionText(action switchboard.ActionKind) string {
	if action == "" {
		return ""
	}
	return strings.ToUpper(string(action[:1])) + string(action[1:])
}

// statusOfForm returns the status with which a form is shown again, because the API found something
// in it wrong, not allowed, or changed meanwhile. 0: another error, or none.
func statusOfForm(err error) int {
	problem, ok := errors.AsType[*client.Error](err)
	if !ok {
		return 0
	}
	switch problem.Status {
	case http.StatusUnprocessableEntity, http.StatusForbidden, http.StatusConflict:
		return problem.Status
	}
	return 0
}

// refusalOf returns the API's text about a form.
func refusalOf(err error) fieldFault {
	problem, _ := errors.AsType[*client.Error](err)
	return fieldFault{strings.TrimPrefix(problem.Field, "filter."), problem.Detail}
}
