package console

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func readDeliveries(t *testing.T, query string) (deliveryQuery, *queryReader) {
	t.Helper()
	values, err := url.ParseQuery(query)
	must(t, err)
	r := readQuery(values)
	return readDeliveryQuery(r, ""), r
}

// TestDeliveryQueryBothWays: a link is parsed, and written as the same link.
func TestDeliveryQueryBothWays(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		"", "tenant=acme", "subscription=sub_1", "event=evt_1", "event_type=ticket.created", "state=failed", "state=failed&state=held", "failure=timeout",
		"status_code=503", "host=crm.example.com%3A8443", "after=2026-11-29T12%3A00%3A00.000001Z", "before=2026-11-29T12%3A00%3A00Z", "stuck=true",
		"text=a+b%26c", "last=7d", "cursor=c", "id=dlv_1&id=dlv_2",
		"after=2026-11-29T12%3A00%3A00Z&before=2026-11-30T12%3A00%3A00Z&cursor=c&event=e&event_type=t&failure=dns&host=h&id=dlv_1&last=all&state=failed&status_code=503&stuck=true&subscription=s&tenant=t&text=x",
	} {
		q, r := readDeliveries(t, query)
		if got := q.values().Encode(); got != query || len(r.faults) > 0 {
			t.Errorf("%s becomes %s, faults %v", query, got, r.faults)
		}
	}
	q, _ := readDeliveries(t, "state=failed,held&state=failed&after=2026-11-29T12:00&tenant=+acme+")
	want := switchboard.DeliveryFilter{Tenant: "acme", States: []switchboard.State{switchboard.StateFailed, switchboard.StateHeld}, After: noon}
	if diff := cmp.Diff(want, q.filter); diff != "" {
		t.Errorf("as people and forms write it: %s", diff)
	}
}

func TestFaultsOfAQuery(t *testing.T) {
	t.Parallel()
	for query, field := range map[string]string{
		"status_code=abc": "status_code", "after=yesterday": "after", "before=2026-13-01T00:00": "before", "stuck=perhaps": "stuck", "last=2y": "last", "tenant=a&tenant=b": "tenant",
	} {
		_, r := readDeliveries(t, query)
		if len(r.faults) != 1 || r.faults[0].Field != field || r.faults[0].Text == "" {
			t.Errorf("%s: %v", query, r.faults)
		}
	}
}

func TestPeriodOfAList(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ query, tenant, period string }{
		{"", "", "24h"}, {"", "acme", "all"}, {"last=1h", "", "1h"}, {"last=1h&tenant=acme", "", "1h"}, {"tenant=acme", "", "all"}, {"subscription=s", "", "all"},
		{"event=e", "", "all"}, {"id=dlv_1", "", "all"}, {"stuck=true", "", "all"}, {"state=failed", "", "all"}, {"state=failed&state=delivered", "", "24h"},
		{"host=h", "", "24h"}, {"failure=dns", "", "24h"}, {"event_type=t", "", "24h"}, {"text=x", "", "24h"}, {"text=x&tenant=acme", "", "24h"}, {"text=x", "acme", "24h"},
		{"after=2026-11-29T12:00", "", ""}, {"before=2026-11-29T12:00", "", ""}, {"after=2026-11-29T12:00&last=7d", "", ""},
	} {
		q, _ := readDeliveries(t, c.query)
		q.tenant = c.tenant
		if got := q.period(); got != c.period {
			t.Errorf("%q of %q: %q, want %q", c.query, c.tenant, got, c.period)
		}
	}
}

// TestPermanentLink: a period becomes times, so that the link shows the same next week.
func TestPermanentLink(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"":                       "after=2026-11-28T12%3A00%3A00Z&before=2026-11-29T12%3A00%3A01Z",
		"last=7d&host=h":         "after=2026-11-22T12%3A00%3A00Z&before=2026-11-29T12%3A00%3A01Z&host=h",
		"last=all":               "before=2026-11-29T12%3A00%3A01Z",
		"tenant=acme":            "before=2026-11-29T12%3A00%3A01Z&tenant=acme",
		"after=2026-11-01T00:00": "after=2026-11-01T00%3A00%3A00Z&before=2026-11-29T12%3A00%3A01Z",
		"after=2026-11-01T00:00&before=2026-11-02T00:00": "after=2026-11-01T00%3A00%3A00Z&before=2026-11-02T00%3A00%3A00Z",
	} {
		q, _ := readDeliveries(t, query)
		fixed := q.absolute(noon)
		if got := fixed.values().Encode(); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
		later := fixed.absolute(noon.Add(7 * 24 * time.Hour))
		if got := later.values().Encode(); got != want {
			t.Errorf("%q: a week later %s, want %s", query, got, want)
		}
	}
}

// TestChips: each removes one condition, and no other.
func TestChips(t *testing.T) {
	t.Parallel()
	const query = "event_type=t&failure=dns&host=h&last=7d&state=failed&state=held&status_code=503&stuck=true&tenant=a&text=x"
	q, _ := readDeliveries(t, query+"&cursor=c")
	chips := q.chips()
	if len(chips) != 9 {
		t.Fatalf("%d chips: %v", len(chips), chips)
	}
	for _, c := range chips {
		without, err := url.Parse(c.Address)
		must(t, err)
		left := strings.Split(without.RawQuery, "&")
		missing := strings.Split(query, "&")
		for _, condition := range left {
			i := slices.Index(missing, condition)
			if i < 0 {
				t.Fatalf("%s: %s is new", c.Text, condition)
			}
			missing = append(missing[:i], missing[i+1:]...)
		}
		if len(missing) != 1 {
			t.Errorf("%s takes away %v", c.Text, missing)
		}
	}
	if got := chips[0]; got.Text != "tenant: a" || strings.Contains(got.Address, "tenant") {
		t.Errorf("got %v", got)
	}
}

func TestReasonWords(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{
		"": "", "http_503": "503 service unavailable", "http_599": "599", "timeout": "timeout", "breaker_open": "breaker open", "http_5xx": "http 5xx",
		"waiting_for_switchboard: no worker_runs": "waiting for switchboard: no worker_runs",
	} {
		if got := reasonWords(reason); got != want {
			t.Errorf("%q: %q, want %q", reason, got, want)
		}
	}
}
