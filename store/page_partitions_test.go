package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Lists over many partitions are the same as a plain query, whatever their filters, page by page,
// in slices of time and after a budget too.
func TestListsAreWhatAPlainQueryFinds(t *testing.T) {
	t.Parallel()
	a := setupArchive(t, 12)
	a.fill(12)
	a.exec("UPDATE deliveries SET last_failure = 'timeout', last_status_code = 410, host = 'other.example:8443' WHERE id IN (SELECT id FROM deliveries WHERE state <> 'pending' ORDER BY md5(id) LIMIT 30)")
	a.exec("UPDATE deliveries SET event_type = 'Call.Ended' WHERE id IN (SELECT id FROM deliveries ORDER BY md5(id) LIMIT 12)")
	a.exec("UPDATE deliveries SET tenant = 'globex' WHERE id IN (SELECT id FROM deliveries WHERE event_at IS NULL ORDER BY md5(id || 'x') LIMIT 25)")
	day := func(n float64) time.Time { return a.first.Add(time.Duration(n * float64(testDay))) }
	random := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct {
		filter switchboard.DeliveryFilter
		where  string
	}{
		{switchboard.DeliveryFilter{}, "true"},
		{switchboard.DeliveryFilter{Tenant: "globex"}, "tenant = 'globex'"},
		{switchboard.DeliveryFilter{States: []switchboard.State{"failed"}}, "state = 'failed'"},
		{switchboard.DeliveryFilter{States: []switchboard.State{"failed", "held", "pending", "delivered", "failed"}}, "state IN ('failed', 'held', 'pending', 'delivered')"},
		{switchboard.DeliveryFilter{States: []switchboard.State{"retrying", "cancelled"}, Tenant: "acme", Failure: "timeout"}, "state IN ('retrying', 'cancelled') AND tenant = 'acme' AND last_failure = 'timeout'"},
		{switchboard.DeliveryFilter{States: []switchboard.State{"delivered"}, StatusCode: 410}, "state = 'delivered' AND last_status_code = 410"},
		{switchboard.DeliveryFilter{Host: "OTHER.example"}, "host = 'other.example:8443'"},
		{switchboard.DeliveryFilter{Host: "other.example", States: []switchboard.State{"failed", "pending"}}, "host = 'other.example:8443' AND state IN ('failed', 'pending')"},
		{switchboard.DeliveryFilter{EventType: "call.ended"}, "event_type = 'Call.Ended'"},
		{switchboard.DeliveryFilter{EventType: "never"}, "false"},
		{switchboard.DeliveryFilter{Text: "OTHER.ex"}, "host LIKE 'other.ex%'"},
		{switchboard.DeliveryFilter{Text: "platform-", States: []switchboard.State{"held", "retrying"}}, "event_id LIKE 'platform-%' AND state IN ('held', 'retrying')"},
		{switchboard.DeliveryFilter{After: day(2.3), Before: day(7)}, fmt.Sprintf("created_at >= '%s' AND created_at < '%s'", day(2.3).Format(time.RFC3339Nano), day(7).Format(time.RFC3339Nano))},
		{switchboard.DeliveryFilter{After: day(3), Text: "receiver", States: []switchboard.State{"failed", "delivered"}}, fmt.Sprintf("created_at >= '%s' AND host LIKE '%%receiver%%' AND state IN ('failed', 'delivered')", day(3).Format(time.RFC3339Nano))},
	} {
		var want []string
		must(t, a.sql.Select(&want, "SELECT id FROM deliveries WHERE "+c.where+" ORDER BY id DESC"))
		for _, budget := range []time.Duration{time.Minute, 0} { // the second ends after each slice
			a.SetSearchBudget(budget)
			var got []string
			request, pages := switchboard.PageRequest{}, 0
			for more := true; more; pages++ {
				request.Limit = 1 + random.IntN(12)
				page, err := a.Deliveries(t.Context(), root(), c.filter, request)
				must(t, err)
				for _, d := range page.Items {
					got = append(got, d.ID)
				}
				if len(page.Items) < request.Limit && page.NextCursor != "" && page.SearchedTo.IsZero() {
					t.Errorf("%s: a page is not full, and does not say why", c.where)
				}
				request.Cursor = page.NextCursor
				more = request.Cursor != "" && pages < 1000
			}
			equal(t, fmt.Sprintf("%s within %s, %d pages", c.where, budget, pages), got, want)
		}
	}
	for _, c := range []struct {
		filter switchboard.EventFilter
		where  string
	}{
		{switchboard.EventFilter{}, "true"},
		{switchboard.EventFilter{Type: "TICKET.created", After: day(1), Before: day(9.5)}, fmt.Sprintf("created_at >= '%s' AND created_at < '%s'", day(1).Format(time.RFC3339Nano), day(9.5).Format(time.RFC3339Nano))},
		{switchboard.EventFilter{Type: "never"}, "false"},
	} {
		var want []string
		must(t, a.sql.Select(&want, "SELECT id FROM events WHERE "+c.where+" ORDER BY created_at DESC, id DESC"))
		for _, budget := range []time.Duration{time.Minute, 0} {
			a.SetSearchBudget(budget)
			var got []string
			request := switchboard.PageRequest{}
			for more := true; more; more = request.Cursor != "" {
				request.Limit = 1 + random.IntN(12)
				page, err := a.Events(t.Context(), root(), c.filter, request)
				must(t, err)
				for _, e := range page.Items {
					got = append(got, e.Event.ID)
				}
				request.Cursor = page.NextCursor
			}
			equal(t, fmt.Sprintf("events %s within %s", c.where, budget), got, want)
		}
	}
}
