package console

import (
	"sync"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

func (c *Console) overviewRoutes() []route {
	return []route{
		{"GET /console", readers, c.overview},
		{"GET /console/{$}", readers, func(*visit) (answer, error) { return redirect(Root), nil }},
	}
}

// shownGroups is how many groups of failures the overview shows.
const shownGroups = 50

// read is the result of one call to the API. Each box of the overview can fail separately.
type read[T any] struct {
	Value  T
	Failed *problem // nil: it did not fail
	asked  bool
}

// overviewData holds the data for the overview.
type overviewData struct {
	now        read[switchboard.OpenStatus]
	hour       read[switchboard.Traffic] // the last hour
	traffic    read[switchboard.Traffic] // for the charts
	failures   read[switchboard.FailureGroups]
	operations read[[]client.Operation]
	health     read[client.Health]
	none       bool // no delivery was ever made
}

// overview shows the state of the system. It is for staff: others begin with their subscriptions.
func (c *Console) overview(v *visit) (answer, error) {
	if !staff.includes(&v.session) {
		return redirect(linkSubscriptions("", "")), nil
	}
	if err := v.checkQuery("last"); err != nil {
		return answer{}, err
	}
	last, err := overviewRange(v.request.URL.Query().Get("last"))
	if err != nil {
		return answer{}, err
	}
	data := v.readOverview(last)
	return page("overview", "Overview", newOverviewPage(&data, &v.session, last, v.now)).withCharts(), nil
}

// overviewRange is the period of the charts.
func overviewRange(asked string) (timeRange, error) {
	if asked == "" {
		asked = "24h"
	}
	for _, r := range overviewRanges() {
		if r.Name == asked {
			return r, nil
		}
	}
	return timeRange{}, switchboard.InvalidField("last", "must be 1h, 24h, 7d or 30d")
}

// timeRange is a choice of the period of a chart.
type timeRange struct {
	Name   string
	Text   string
	Words  string
	length time.Duration
}

func overviewRanges() []timeRange {
	const day = 24 * time.Hour
	return []timeRange{{"1h", "1 h", "hour", time.Hour}, {"24h", "24 h", "24 hours", day}, {"7d", "7 d", "7 days", 7 * day}, {"30d", "30 d", "30 days", 30 * day}}
}

// readOverview requests, all at once, what the page or its requested part needs. The API keeps the
// answers for some seconds for everybody with the same scope.
func (v *visit) readOverview(last timeRange) overviewData {
	var data overviewData
	var group sync.WaitGroup
	ctx := v.request.Context()
	since := func(length time.Duration) switchboard.TrafficQuery {
		return switchboard.TrafficQuery{By: switchboard.TrafficByOutcome, From: v.now.UTC().Add(-length).Truncate(time.Minute)}
	}
	if v.shows("now") {
		ask(v, &group, &data.now, func() (switchboard.OpenStatus, error) { return v.api.GetStatsNow(ctx, "") })
		ask(v, &group, &data.hour, func() (switchboard.Traffic, error) { return v.api.GetStats(ctx, since(time.Hour)) })
	}
	if v.shows("now") || v.shows("failing") {
		ask(v, &group, &data.failures, func() (switchboard.FailureGroups, error) { return v.api.GetFailures(ctx, "", shownGroups) })
	}
	if v.shows("traffic") {
		ask(v, &group, &data.traffic, func() (switchboard.Traffic, error) { return v.api.GetStats(ctx, since(last.length)) })
	}
	if v.shows("work") {
		ask(v, &group, &data.operations, func() ([]client.Operation, error) { return underWay(v) })
		ask(v, &group, &data.health, func() (client.Health, error) {
			health, err := v.api.Ready(ctx)
			if health.Status != "" { // a list of what is missing is also an answer
				err = nil
			}
			return health, err
		})
		if !data.now.asked {
			ask(v, &group, &data.now, func() (switchboard.OpenStatus, error) { return v.api.GetStatsNow(ctx, "") })
		}
	}
	group.Wait()
	if !v.isPoll() && data.isQuiet() {
		found, err := v.api.ListDeliveries(ctx, switchboard.DeliveryFilter{}, switchboard.PageRequest{Limit: 1})
		data.none = err == nil && len(found.Items) == 0 && found.NextCursor == ""
	}
	return data
}

// ask makes a call in parallel with others. Its error belongs to its box.
func ask[T any](v *visit, group *sync.WaitGroup, into *read[T], call func() (T, error)) {
	into.asked = true
	group.Go(func() {
		value, err := call()
		into.Value = value
		if err != nil {
			p := problemOf(v, err)
			into.Failed = &p
		}
	})
}

// underWay returns the operations that run or are paused.
func underWay(v *visit) ([]client.Operation, error) {
	const most = 20
	var all []client.Operation
	for _, state := range []switchboard.OperationState{switchboard.OperationRunning, switchboard.OperationPaused} {
		found, err := v.api.ListOperations(v.request.Context(), switchboard.OperationFilter{State: state}, switchboard.PageRequest{Limit: most})
		if err != nil {
			return nil, err
		}
		all = append(all, found.Items...)
	}
	return all, nil
}

// isQuiet reports whether nothing is open, was sent or has failed, as far as is known.
func (d *overviewData) isQuiet() bool {
	if d.now.Failed != nil || d.traffic.Failed != nil || d.failures.Failed != nil || len(d.failures.Value.Groups) > 0 || d.now.Value.Oldest != "" {
		return false
	}
	for _, g := range d.traffic.Value.Groups {
		if g.Attempts > 0 {
			return false
		}
	}
	return true
}
