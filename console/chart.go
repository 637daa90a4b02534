package console

import (
	"html/template"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// chart is a chart: a sentence that says the same, and a table of its numbers, from which charts.js
// draws it.
type chart struct {
	Name     string
	Sentence string
	Kind     string   // "bars", where the second column is drawn upon the first, or "lines"
	Columns  []string // names of the values
	Rows     []chartRow
	Marks    []chartMark
}

type chartRow struct {
	At     time.Time
	Values []int64 // below 0: no value
}

// chartMark is a change that may explain what the chart shows.
type chartMark struct {
	At   time.Time
	Text string
}

// moment is a time in a chart, to the minute.
func moment(at time.Time) template.HTML {
	const iso = "2006-01-02T15:04Z"
	at = at.UTC()
	return template.HTML(`<time datetime="` + at.Format(iso) + `" data-time="local">` + at.Format("2 Jan 15:04") + `</time>`) //nolint:gosec // digits and letters of ours
}

// steps returns the beginnings of the steps of a time.
func steps(t *switchboard.Traffic) []time.Time {
	var found []time.Time
	for at := t.From; t.Step > 0 && at.Before(t.To) && len(found) < switchboard.MaxTrafficPoints; at = at.Add(time.Duration(t.Step)) {
		found = append(found, at)
	}
	return found
}

// outcomes counts the successful and the failed attempts.
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

// pointsByTime maps the steps of a group to their points.
func pointsByTime(g *switchboard.TrafficGroup) map[int64]switchboard.TrafficCount {
	found := make(map[int64]switchboard.TrafficCount, len(g.Points))
	for _, p := range g.Points {
		found[p.At.Unix()] = p.TrafficCount
	}
	return found
}

// attemptsChart shows the attempts of each step by outcome.
func attemptsChart(t *switchboard.Traffic, sentence string) chart {
	succeeded, failed := outcomes(t)
	delivered, refused := pointsByTime(&succeeded), pointsByTime(&failed)
	c := chart{Name: "Attempts per " + strings.TrimPrefix(durationInWords(time.Duration(t.Step)), "1 "), Sentence: sentence, Kind: "bars", Columns: []string{"delivered", "failed"}}
	for _, at := range steps(t) {
		c.Rows = append(c.Rows, chartRow{at, []int64{delivered[at.Unix()].Attempts, refused[at.Unix()].Attempts}})
	}
	return c
}

// latencyChart shows the latency of the successful attempts of each step. A failed attempt may have
// taken no time at all, or its whole timeout.
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
