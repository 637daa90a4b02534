package bench

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// page is the time and the size of a page of the console.
type page struct {
	listTime
	Bytes int `json:"bytes"` // of the largest answer
}

// The limits of pages: console.md §7.
const (
	boundPage = 80 << 10 // bytes of HTML
	// keptFor is the longest time for which the API keeps an answer of the overview. coldTries is
	// how often the overview is requested after that time.
	keptFor   = 16 * time.Second
	coldTries = 5
)

// timePages times the console's pages as a browser gets them, without the files that they load.
func (b *bench) timePages(ctx context.Context, d *historyDatabase) ([]page, error) {
	p, err := signIn(ctx, b.stack.poster.base, b.stack.poster.key)
	if err != nil {
		return nil, err
	}
	defer p.close()
	delivered, err := seededIDs(ctx, d, string(switchboard.StateDelivered))
	if err != nil {
		return nil, err
	}
	failed, err := seededIDs(ctx, d, string(switchboard.StateFailed))
	if err != nil {
		return nil, err
	}
	fixed := func(path string) func(int) string { return func(int) string { return path } }
	var pages []page
	for _, asked := range []struct {
		name  string
		bound float64
		rest  time.Duration // before each
		path  func(try int) string
	}{
		{"overview, nothing kept", boundOverview, keptFor, fixed("/console")},
		{"overview", boundOverview, 0, fixed("/console")},
		{"overview of 30 d", boundOverview, 0, fixed("/console?last=30d")},
		{"deliveries", boundOthers, 0, fixed("/console/deliveries")},
		{"deliveries: failed", boundOthers, 0, fixed("/console/deliveries?state=failed")},
		{"deliveries: failed of a host", boundOthers, 0, func(try int) string {
			return "/console/deliveries?" + url.Values{"state": {"failed"}, "host": {fmt.Sprintf("host-%d.example.com", try*17%seedHosts)}}.Encode()
		}},
		{"deliveries: of a tenant", boundOthers, 0, func(try int) string { return "/console/deliveries?tenant=" + seededTenant(try) }},
		{"delivery: delivered", boundDelivery, 0, func(try int) string { return "/console/deliveries/" + delivered[try] }},
		{"delivery: failed", boundDelivery, 0, func(try int) string { return "/console/deliveries/" + failed[try] }},
		{"events", boundOthers, 0, fixed("/console/events")},
		{"event, explained to 200 subscriptions", boundOthers, 0, func(try int) string {
			return fmt.Sprintf("/console/events/seed-3-%d?tenant=seed-0", (1+try)*seedTenants)
		}},
		{"subscriptions", boundOthers, 0, fixed("/console/subscriptions")},
		{"subscription", boundOthers, 0, func(try int) string { return "/console/subscriptions/" + seededSubscription(try) }},
		{"operations", boundOthers, 0, fixed("/console/operations")},
		{"audit", boundOthers, 0, fixed("/console/audit")},
		{"search", boundOthers, 0, func(try int) string { return fmt.Sprintf("/console/search?q=seed-3-%d", try*17+1) }},
	} {
		found := page{}
		call := timedCall{name: asked.name, bound: asked.bound, rest: asked.rest, call: func(try int) error {
			html, _, err := p.get(ctx, asked.path(try), "")
			found.Bytes = max(found.Bytes, len(html))
			return err
		}}
		if call.rest > 0 {
			call.tries = coldTries
		}
		times, err := b.timeCalls(ctx, []timedCall{call})
		if err != nil {
			return nil, err
		}
		found.listTime = times[0]
		pages = append(pages, found)
	}
	return pages, nil
}

func (p page) lines() []line {
	return append(p.listTime.lines("page"), atMost("  bytes of HTML", float64(p.Bytes), boundPage, "%.0f"))
}
