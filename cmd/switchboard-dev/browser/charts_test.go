package browser

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// countTimeout is enough for several passes of the rollups, which begin every 15 seconds.
const countTimeout = 5 * time.Minute

const (
	// redraw draws the charts again. It records what uPlot gets, and how often it draws a dashed
	// line for a change.
	redraw = `(() => {
		const draw = uPlot, line = CanvasRenderingContext2D.prototype.lineTo;
		window.drawn = [];
		window.marked = 0;
		window.uPlot = new Proxy(draw, { construct: (_, given) => { drawn.push(given[1]); return new draw(...given); } });
		CanvasRenderingContext2D.prototype.lineTo = function (...at) { if (String(this.getLineDash()) === "4,4") marked++; return line.apply(this, at); };
		dispatchEvent(new Event("resize"));
		return true;
	})()`
	// tabled are the sums of the columns in the chart's table.
	tabled = `[...document.querySelectorAll("[data-chart=bars] .numbers tbody tr")].reduce(([a, b], row) => [a + Number(row.cells[1].textContent), b + Number(row.cells[2].textContent)], [0, 0])`
	// charted are the same sums from what is drawn: all attempts, and upon them the failed ones.
	charted = `drawn[0].slice(1).map(values => values.reduce((a, b) => a + b, 0))`
)

// A dead endpoint is among the failures, and Show leads to its deliveries. The chart of its
// subscription, and the table below it, match Postgres, and a person's change is marked.
func TestCharts(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	const tenant, good, bad = "charted", 4, 3
	var requests atomic.Int32
	receiver := stack.receive(func(w http.ResponseWriter) {
		if requests.Add(1) > good {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	host := strings.TrimPrefix(receiver, "http://")
	made := stack.subscribe(t, tenant, switchboard.Subscription{Name: "Till", Events: []string{"sale.*"}, Request: switchboard.Request{URL: receiver + "/hook"}, Retry: switchboard.RetryPolicy{MaxAttempts: 1}})
	sub := made["Till"]
	for i := range good + bad {
		want := switchboard.StateDelivered
		if i >= good {
			want = switchboard.StateFailed
		}
		delivery := stack.postOf(t, tenant, made, "sale.made", switchboard.NewID("sale-", time.Now()))["Till"]
		stack.awaitState(t, delivery, want)
	}
	current, err := stack.api.GetSubscription(t.Context(), sub)
	must(t, err)
	_, err = stack.api.UpdateSubscription(t.Context(), sub, current.Version, client.Patch{"timeout": "7s"}, client.Actor("Bob"))
	must(t, err)

	last := int64(-1)
	awaitFor(t, countTimeout, "counting all attempts", func() bool {
		counted, err := stack.api.GetStats(t.Context(), switchboard.TrafficQuery{By: switchboard.TrafficByOutcome, Subscription: sub, From: time.Now().Add(-2 * time.Hour).Truncate(time.Hour)})
		must(t, err)
		n := int64(0)
		for _, g := range counted.Groups {
			n += g.Attempts
		}
		if n != last {
			t.Logf("%d attempts are counted", n)
			last = n
		}
		return n == good+bad
	})
	await(t, "listing the host among what fails", func() bool {
		found, err := stack.api.GetFailures(t.Context(), "", 0)
		must(t, err)
		return slices.ContainsFunc(found.Groups, func(g switchboard.FailureGroup) bool { return g.Host == host && g.Attempts == bad })
	})
	v := browser.newVisitor(t, stack.url)
	stack.signIn(v, stack.key)
	v.visit("/console")
	v.await("showing the host among what fails", failingRow(host))
	evaluate[bool](v, failingRow(host)+`.querySelector("a[data-open]").click(), true`)
	v.awaitPath("/console/deliveries?")
	v.await("showing the three that failed", idsOfRows+`.length === 3`)
	if hosts := evaluate[[]string](v, `[...document.querySelectorAll("[data-row] .host")].map(cell => cell.textContent)`); !slices.Equal(hosts, []string{host, host, host}) {
		t.Errorf("Show leads to deliveries to %q, want %s alone", hosts, host)
	}
	v.visit("/console/subscriptions/" + sub)
	awaitFor(t, countTimeout, "showing all attempts in the table", func() bool {
		return slices.Equal(evaluate[[]int](v, tabled), []int{good, bad})
	})
	evaluate[bool](v, redraw)
	v.await("drawn again", `drawn.length > 0 && marked > 0`)
	if got := evaluate[[]int](v, charted); !slices.Equal(got, []int{good + bad, bad}) {
		t.Errorf("the chart has %v attempts and failures", got)
	}
	if text := evaluate[string](v, `document.querySelector(".marks").innerText`); !strings.Contains(text, "Bob") || !strings.Contains(text, "timeout") {
		t.Errorf("the marks are %q", text)
	}
	for _, fault := range v.takeFaults() {
		t.Error(fault)
	}
}

// failingRow is the row of a host in the overview.
func failingRow(host string) string {
	return `[...document.querySelectorAll("#live-failing [data-row]")].find(row => row.cells[0].textContent === "` + host + `")`
}
