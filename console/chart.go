package console

import (
	"html/template"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// chart is a chart: a sentence that says the same, and its numbers as a table, out of which charts.js
// draws it.
type chart struct {
	Name     string
	Sentence string
	Kind     string   // "bars", of which the second are drawn upon the first, or "lines"
	Columns  []string // what the values are
	Rows     []chartRow
	Marks    []chartMark
}

type chartRow struct {
	At     time.Time
	Values []int64 // below 0: there is none
}

// chartMark is a change that may explain what the chart shows.
type chartMark struct {
	At   time.Time
	Text string
}

// moment is a time of a chart, to the minute.
func moment(at time.Time) template.HTML {
	const iso = "2006-01-02T15:04Z"
	at = at.UTC()
	return template.HTML(`<time datetime="` + at.Format(iso) + `" data-time="local">` + at.Format("2 Jan 15:04") + `</time>`) //nolint:gosec // digits and letters of ours
}

// steps are the beginnings of the steps of a time.
func steps(t *switchboard.Traffic) []time.Time {
	var found []time.Time
	for at := t.From; t.Step > 0 && at.Before(t.To) && len(found) < switchboard.MaxTrafficPoints; at = at.Add(time.Duration(t.Step)) {
		found = append(found, at)
	}
	return found
}

// outcomes are the attempts that succeeded, and those that failed.
func outcomes(t *switchboard.Traffic) (succeeded, failed switchboard.TrafficGroup) {
	for _, g := range t.Groups {
		if g.Value == "succeeded" {
			succeeded = g
		} else {
			failed = g
		}
	}
	return succeeded, failed
}

// pointsByTime finds the points of a group by their step.
func pointsByTime(g *switchboard.TrafficGroup) map[int64]switchboard.TrafficCount {
	found := make(map[int64]switchboard.TrafficCount, len(g.Points))
	for _, p := range g.Points {
		found[p.At.Unix()] = p.TrafficCount
	}
	return found
}

// attemptsChart has the attempts of each step by their outcome.
func attemptsChart(t *switchboard.Traffic, sentence string) chart {
	succeeded, failed := outcomes(t)
	delivered, refused := pointsByTime(&succeeded), pointsByTime(&failed)
	c := chart{Name: "Attempts per " + strings.TrimPrefix(durationInWords(time.Duration(t.Step)), "1 "), Sentence: sentence, Kind: "bars", Columns: []string{"delivered", "failed"}}
	for _, at := range steps(t) {
		c.Rows = append(c.Rows, chartRow{at, []int64{delivered[at.Unix()].Attempts, refused[at.Unix()].Attempts}})
	}
	return c
}

// latencyChart has the latency of each step's attempts that succeeded: what failed may have taken no
// time at all, or all that it was given.
func latencyChart(t *switchboard.Traffic, sentence string) chart {
	succeeded, _ := outcomes(t)
	points := pointsByTime(&succeeded)
	c := chart{Name: "Latency of delivered attempts", Sentence: sentence, Kind: "lines", Columns: []string{"median, ms", "95th percentile, ms"}}
	for _, at := range steps(t) {
		row := chartRow{at, []int64{-1, -1}}
		if p, ok := points[at.Unix()]; ok {
			row.Values = []int64{int64(p.P50), int64(p.P95)}
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}
