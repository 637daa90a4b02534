package console

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// overviewPage is the data for the overview's template.
type overviewPage struct {
	Empty   *emptyState // nil: there are deliveries
	Status  statusLine
	Tiles   []tile
	Now     *problem // nil: the numbers could be read
	Ranges  []rangeLink
	Charts  []chart
	Traffic *problem
	Counted time.Time // the charts end there; zero: unknown
	Failing failingBox
	Work    workBox
}

// statusLine describes the state in a sentence.
type statusLine struct {
	Level statusLevel
	Text  string
}

// statusLevel is a state as an icon, a word and a colour.
type statusLevel struct {
	Icon   string
	Word   string // empty: the sentence is enough
	Colour string
}

func goodLevel() statusLevel { return statusLevel{Icon: "delivered", Colour: "delivered"} }
func warningLevel() statusLevel {
	return statusLevel{Icon: "warning", Word: "Warning", Colour: "retrying"}
}
func faultLevel() statusLevel { return statusLevel{Icon: "warning", Word: "Fault", Colour: "failed"} }

// leastShare is the percentage of attempts in the last hour that must be delivered; below it the
// overview warns. It is our choice. Receivers that restart, and events that one refuses, are a few
// per cent on any day. If one attempt in twenty fails, a receiver is away, or we made a mistake.
const leastShare = 95

// tile is a number with a link to what it counts.
type tile struct {
	Name    string
	Value   string
	At      time.Time // the value is a time; zero: it is not
	Address string    // empty: no link
	Bad     bool
}

type rangeLink struct {
	Text    string
	Address string
	Current bool
}

type failingBox struct {
	Failed  *problem
	Groups  []failingRow
	Note    string // what is not shown; empty: nothing
	MayPlan bool
}

// failingRow is a group of deliveries with the same failure.
type failingRow struct {
	switchboard.FailureGroup
	Name string // of the failure
	Show string
	Act  string
}

type workBox struct {
	Failed     *problem
	Operations []operationRow
	Engine     []string // sentences
	EngineBad  bool
}

type operationRow struct {
	client.Operation
	Handled int
}

func newOverviewPage(data *overviewData, s *switchboard.Session, last timeRange, now time.Time) overviewPage {
	p := overviewPage{Now: data.now.Failed, Traffic: data.traffic.Failed}
	if data.none {
		p.Empty = firstCalls()
	}
	p.Status = statusInWords(data, now)
	p.Tiles = tilesOf(&data.now.Value, s.Caller.Tenant == "")
	for _, r := range overviewRanges() {
		p.Ranges = append(p.Ranges, rangeLink{r.Text, linkOverview(r.Name), r.Name == last.Name})
	}
	if traffic := &data.traffic.Value; traffic.Step > 0 {
		p.Charts = []chart{attemptsChart(traffic, attemptsInWords(traffic, last)), latencyChart(traffic, latencyInWords(traffic))}
		if counted := traffic.CountedTo; !counted.IsZero() && now.Sub(counted) > 5*time.Minute {
			p.Counted = counted
		}
	}
	p.Failing = failingOf(&data.failures, operators.includes(s))
	p.Work = workOf(data, s.Caller.Tenant == "")
	return p
}

// firstCalls says what to do first.
func firstCalls() *emptyState {
	return &emptyState{
		Kind: "none", Text: "No deliveries yet. Subscribe an endpoint, post an event, and look at its delivery, with your key in $KEY:",
		Curl: `curl $API/v1/subscriptions -H "Authorization: Bearer $KEY" -d '{"tenant": "acme", "name": "CRM sync", "events": ["ticket.*"], "request": {"url": "https://crm.example.com/hook"}}'
curl $API/v1/events -H "Authorization: Bearer $KEY" -d '{"tenant": "acme", "type": "ticket.created", "data": {"id": 20817}}'
curl $API/v1/deliveries -H "Authorization: Bearer $KEY"`,
	}
}

// statusInWords is the sentence that people read first.
func statusInWords(data *overviewData, now time.Time) statusLine {
	if data.now.Failed != nil {
		return statusLine{faultLevel(), "The current state could not be read."}
	}
	warns := false
	words := []string{"Nothing is overdue."}
	if data.now.Value.Overdue > 0 {
		words[0] = plural(data.now.Value.Overdue, "delivery is", "deliveries are") + " overdue."
		// In whole minutes, so that updates are answered with 304 in between.
		if age := now.Sub(data.now.Value.OldestAt).Truncate(time.Minute); age > 0 && !data.now.Value.OldestAt.IsZero() {
			words[0] += " The oldest open one was accepted " + durationInWords(age) + " ago."
		}
	}
	if backlog := data.now.Value.Backlog; backlog > 0 {
		words = append(words, plural(backlog, "delivery waits to be started in Temporal.", "deliveries wait to be started in Temporal."))
	}
	if hour := &data.hour.Value; data.hour.Failed == nil {
		succeeded, failed := outcomes(hour)
		if all := succeeded.Attempts + failed.Attempts; all > 0 {
			warns = succeeded.Attempts*100 < leastShare*all
			words = append(words, percent(succeeded.Attempts, all)+" % of the attempts of the last hour were delivered.")
		} else {
			words = append(words, "No attempt was made in the last hour.")
		}
	}
	hosts := map[string]bool{}
	for _, g := range data.failures.Value.Groups {
		if g.Open > 0 {
			hosts[g.Host] = true
		}
	}
	if len(hosts) > 0 {
		warns = true
		words = append(words, plural(len(hosts), "host fails.", "hosts fail."))
	}
	line := statusLine{goodLevel(), strings.Join(words, " ")}
	switch {
	case data.now.Value.Overdue > 0, data.now.Value.Backlog > 0:
		line.Level = faultLevel()
	case warns:
		line.Level = warningLevel()
	}
	return line
}

func openStates() []switchboard.State {
	return []switchboard.State{switchboard.StatePending, switchboard.StateRetrying, switchboard.StateHeld, switchboard.StateBlocked}
}

// tilesOf returns the numbers. Only callers who are not bound to a tenant know the backlog.
func tilesOf(now *switchboard.OpenStatus, unbound bool) []tile {
	open := 0
	for _, n := range now.Open {
		open += n
	}
	tiles := []tile{
		{Name: "Open", Value: count(open), Address: linkDeliveries(switchboard.DeliveryFilter{States: openStates()}, "all")},
		{Name: "Overdue", Value: count(now.Overdue), Address: linkDeliveries(switchboard.DeliveryFilter{Stuck: true}, "all"), Bad: now.Overdue > 0},
		{Name: "Oldest undelivered", Value: "none"},
	}
	if now.Oldest != "" {
		tiles[2] = tile{Name: "Oldest undelivered", At: now.OldestAt, Address: linkDelivery(now.Oldest)}
	}
	if unbound {
		tiles = append(tiles, tile{Name: "Not started", Value: count(now.Backlog), Bad: now.Backlog > 0})
	}
	return append(tiles,
		tile{Name: "Breakers open", Value: count(now.Breakers), Address: linkFailingSubscriptions()},
		tile{Name: "Held", Value: count(now.Open[switchboard.StateHeld]), Address: linkDeliveries(switchboard.DeliveryFilter{States: []switchboard.State{switchboard.StateHeld}}, "all")},
	)
}

// attemptsInWords describes the chart of attempts.
func attemptsInWords(t *switchboard.Traffic, last timeRange) string {
	succeeded, failed := outcomes(t)
	all := succeeded.Attempts + failed.Attempts
	if all == 0 {
		return "No attempt was made in the last " + last.Words + "."
	}
	return fmt.Sprintf("%s %% of %s in the last %s were delivered; %s failed.", percent(succeeded.Attempts, all), plural(all, "attempt", "attempts"), last.Words, count(failed.Attempts))
}

// latencyInWords describes the chart of latencies.
func latencyInWords(t *switchboard.Traffic) string {
	succeeded, _ := outcomes(t)
	if succeeded.Attempts == 0 {
		return "Nothing was delivered."
	}
	return fmt.Sprintf("Half of them took up to %s, 95 of 100 up to %s.", milliseconds(succeeded.P50), milliseconds(succeeded.P95))
}

// failingOf is the box of what fails now, and what failed in the last 24 hours.
func failingOf(found *read[switchboard.FailureGroups], mayPlan bool) failingBox {
	box := failingBox{Failed: found.Failed, MayPlan: mayPlan}
	for _, g := range found.Value.Groups {
		// Open deliveries are shown whatever their age; ended ones only from the last 24 hours.
		filter, last := switchboard.DeliveryFilter{Host: g.Host, Failure: g.Failure, StatusCode: g.StatusCode}, "24h"
		if g.Open > 0 {
			filter.States, last = []switchboard.State{switchboard.StateRetrying, switchboard.StateHeld, switchboard.StateBlocked}, "all"
		} else {
			filter.States = []switchboard.State{switchboard.StateFailed}
		}
		box.Groups = append(box.Groups, failingRow{g, failureName(g.Failure, g.StatusCode), linkDeliveries(filter, last), linkPlan(switchboard.ActionRetry, filter, last)})
	}
	if found.Value.More {
		box.Note = fmt.Sprintf("There are more groups; these are the first %d.", shownGroups)
	}
	if found.Value.Bounded {
		box.Note = strings.TrimSpace(box.Note + " Only the newest 100,000 open deliveries are counted.")
	}
	return box
}

// failureName names a failure in two or three words, with the status if there is one.
func failureName(f switchboard.Failure, code int) string {
	if code > 0 {
		return strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
	}
	words := strings.ReplaceAll(string(f), "_", " ")
	for _, name := range []string{"dns", "tls", "http"} {
		if rest, ok := strings.CutPrefix(words, name); ok {
			return strings.ToUpper(name) + rest
		}
	}
	return words
}

// workOf is the box of what Switchboard is doing now.
func workOf(data *overviewData, unbound bool) workBox {
	box := workBox{Failed: data.operations.Failed}
	for _, o := range data.operations.Value {
		box.Operations = append(box.Operations, operationRow{o, o.Handled()})
	}
	if data.health.Failed != nil {
		box.Engine = append(box.Engine, "The health of the process could not be read.")
	}
	for _, m := range data.health.Value.Missing {
		box.Engine, box.EngineBad = append(box.Engine, m.Name+": "+m.Message+"."), true
	}
	if data.health.Value.Status == "ok" {
		box.Engine = append(box.Engine, "Postgres and Temporal answer.")
	}
	if !unbound || data.now.Failed != nil {
		return box
	}
	workers := data.now.Value.Workers
	if len(workers) == 0 {
		box.Engine, box.EngineBad = append(box.Engine, "No worker runs: nothing is sent."), true
		return box
	}
	places, taken, versions := 0, 0, map[string]bool{}
	for _, w := range workers {
		places, taken = places+w.Slots+w.SlowSlots, taken+w.SlotsTaken+w.SlowSlotsTaken
		versions[w.Version] = true
	}
	box.Engine = append(box.Engine, fmt.Sprintf("%s, %s of %s slots in use.", plural(len(workers), "worker", "workers"), count(taken), count(places)))
	if len(versions) > 1 {
		box.Engine = append(box.Engine, "The workers have different versions: an upgrade is under way.")
	}
	return box
}
