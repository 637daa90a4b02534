package console

import (
	"bytes"
	"fmt"
	"html"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

func seenAt() time.Time { return time.Date(2026, 1, 31, 12, 20, 0, 0, time.UTC) }

// seenDelivery is a delivery in that state, after attempts with those results.
func seenDelivery(state switchboard.State, failure switchboard.Failure, attempts int) *client.Delivery {
	now := seenAt()
	d := &client.Delivery{
		ID: "dlv_01k3n1c3d401", Host: "crm.example.com", Tenant: "acme", EventID: "evt_1", EventType: "ticket.created", SubscriptionID: "sub_1", State: state, Reason: "the reason",
		AttemptsMade: attempts, Generation: 1, CreatedAt: now.Add(-time.Hour), TemporalURL: "http://temporal.example.com/x", EventKey: "ticket-1", Matched: "ticket.*",
		Subscription: &client.DeliverySubscription{Name: "CRM sync", Version: 7, State: switchboard.SubscriptionActive},
		Diagnosis: &client.Diagnosis{Why: "Why it is so.", Side: switchboard.SideReceiver, Advice: "What to do", Next: client.NextStep{Text: "What follows.", Because: []client.Cause{
			{Code: switchboard.CausePolicy, Text: "one part", At: &now}, {Code: switchboard.CauseJitter, Text: "another part"},
		}}},
		Actions: []client.Action{{At: now.Add(-45 * time.Minute), Actor: "key_1", Name: "support desk", Person: "Ana", Action: switchboard.ActionRetry, Reason: "receiver repaired"}},
	}
	for i, action := range []switchboard.ActionKind{switchboard.ActionRetry, switchboard.ActionCancel, switchboard.ActionHold, switchboard.ActionRelease, switchboard.ActionResend} {
		offered := switchboard.AvailableAction{Action: action, Allowed: i%2 == 0}
		if !offered.Allowed {
			offered.WhyNot = "why not to " + string(action)
		}
		d.Available = append(d.Available, offered)
	}
	if state.HasNextAttempt() {
		next := now.Add(time.Hour)
		d.NextAttemptAt, d.Diagnosis.Next.At, d.Diagnosis.Next.Number, d.Diagnosis.Next.Of = &next, &next, attempts+1, 12
	}
	for i := range attempts {
		a := client.Attempt{
			Number: i + 1, At: now.Add(time.Duration(i-attempts) * 10 * time.Minute), DurationMS: 210, TimeoutMS: 10_000, Failure: failure, Requests: 1, SubscriptionVersion: 7,
			Detail: "dial by 10.0.0.2", RemoteIP: "203.0.113.7", Request: client.SentRequest{Method: "POST", URL: "https://crm.example.com/hook", Headers: map[string]string{"Webhook-Id": "dlv_01k3n1c3d401"}},
		}
		status := map[switchboard.Failure]int{"": 200, switchboard.FailureHTTP4xx: 404, switchboard.FailureHTTP5xx: 503, switchboard.FailureRedirect: 301}[failure]
		if status != 0 {
			a.StatusCode, a.Response = &status, &client.Response{Headers: map[string]string{"X-Request-Id": "r1"}, Body: `{"n":12345678901234567890}`}
		}
		d.Attempts = append(d.Attempts, a)
	}
	return d
}

func seenSubscription() *client.Subscription {
	s := &client.Subscription{}
	s.Request.URL = "https://crm.example.com/hook"
	s.Retry.MaxAttempts = 12
	for range 11 {
		s.RetrySchedule = append(s.RetrySchedule, switchboard.Duration(time.Hour))
	}
	return s
}

// rendered is a block of a page.
func rendered(t *testing.T, template, block string, data any) string {
	t.Helper()
	files, err := newAssets()
	must(t, err)
	parsed, err := parsePages(files)
	must(t, err)
	var out bytes.Buffer
	must(t, parsed[template].ExecuteTemplate(&out, block, data))
	return out.String()
}

// TestNextOf names each cause once.
func TestNextOf(t *testing.T) {
	t.Parallel()
	now := seenAt()
	later := now.Add(time.Hour)
	causes := func(texts ...string) (because []client.Cause) {
		for _, text := range texts {
			because = append(because, client.Cause{Text: text})
		}
		return because
	}
	for _, c := range []struct {
		name      string
		diagnosis client.Diagnosis
		want      nextLine
	}{
		{"dated", client.Diagnosis{Why: "Attempt 2 failed.", Next: client.NextStep{Text: "Attempt 3 of 38 follows at T: 5s by the policy; +1 % by chance.", At: &later, Number: 3, Of: 38, Because: causes("5s by the policy", "+1 % by chance")}},
			nextLine{"Attempt 3 of 38 follows at", later, []string{"5s by the policy", "+1 % by chance"}}},
		{"overdue", client.Diagnosis{Why: "It is late: no worker lives.", Next: client.NextStep{At: &now, Number: 1, Of: 38, Because: causes("due at once", "no worker lives")}},
			nextLine{"Attempt 1 of 38 has been due since", now, []string{"due at once"}}},
		{"held", client.Diagnosis{Why: "It is held: the breaker is open.", Next: client.NextStep{Text: "Attempt 3 of 38 follows after a probe; otherwise it fails at T.", Number: 3, Of: 38, Because: causes("the breaker is open", "after a probe", "otherwise it fails at T", "it fails unless it is delivered by U")}},
			nextLine{"Attempt 3 of 38 follows after a probe; otherwise it fails at T.", time.Time{}, []string{"it fails unless it is delivered by U"}}},
		{"ended", client.Diagnosis{Why: "It is delivered.", Next: client.NextStep{Text: "Nothing follows: it is delivered.", Because: causes("it is delivered")}},
			nextLine{"Nothing follows: it is delivered.", time.Time{}, nil}},
	} {
		if got := nextOf(&c.diagnosis, now); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// TestDeliveryPage shows, in every state and after every failure, the API's sentences, each action
// or why it is not possible, and everything that happened.
func TestDeliveryPage(t *testing.T) {
	t.Parallel()
	for _, state := range switchboard.States() {
		for _, failure := range append(switchboard.Failures(), "") {
			for _, attempts := range []int{0, 3} {
				name := string(state) + " " + string(failure)
				d := seenDelivery(state, failure, attempts)
				p := deliveryPageOf(d, seenSubscription(), looker{link: "https://s.example.com/console/deliveries/dlv_01k3n1c3d401", now: seenAt()})
				shown := html.UnescapeString(rendered(t, "delivery", "content", p))
				wanted := []string{"Why it is so.", "Their side.", "What to do", "why not to cancel", "why not to release", `href="/console/deliveries/dlv_01k3n1c3d401/retry"`,
					"Ana (support desk) retried it", "receiver repaired", "accepted", `data-page-id="dlv_01k3n1c3d401"`, "One part", "Another part", "ticket.*"}
				if attempts > 0 {
					wanted = append(wanted, "attempt 3", "210 ms of 10 s", `id="attempt-3-request"`)
				}
				if d.NextAttemptAt == nil {
					wanted = append(wanted, "What follows.")
				} else {
					wanted = append(wanted, fmt.Sprintf(`<strong>Attempt %d of 12 follows at <time datetime="2026-01-31T13:20:00Z"`, attempts+1))
				}
				for _, text := range wanted {
					if !strings.Contains(shown, text) {
						t.Fatalf("%s: %q is not in:\n%s", name, text, shown)
					}
				}
				if live := strings.Contains(shown, "data-live="); live == state.Final() {
					t.Errorf("%s: live %t", name, live)
				}
				if n := strings.Count(shown, "Open in Temporal"); n != 1 {
					t.Errorf("%s: %d links to Temporal", name, n)
				}
			}
		}
	}
}

// TestDeliveryPageOfAPortal has a retry, but no link to Temporal and nothing for colleagues.
func TestDeliveryPageOfAPortal(t *testing.T) {
	t.Parallel()
	d := seenDelivery(switchboard.StateRetrying, switchboard.FailureHTTP5xx, 2)
	p := deliveryPageOf(d, nil, looker{Session: switchboard.Session{Portal: true}, now: seenAt()})
	if len(p.Buttons) != 1 || p.Buttons[0].Text != "Retry now…" || p.Temporal != "" || len(p.Tickets) != 1 || p.Tickets[0].For != "for the customer" {
		t.Errorf("%+v", p)
	}
}

// TestTimeline is newest first, after what is planned. Only the newest response is there at once.
func TestTimeline(t *testing.T) {
	t.Parallel()
	d := seenDelivery(switchboard.StateRetrying, switchboard.FailureHTTP5xx, 3)
	var texts []string
	var open []int
	timeline, older := timelineOf(d, seenSubscription(), false)
	if older != 0 {
		t.Errorf("%d are older", older)
	}
	for _, e := range timeline {
		texts = append(texts, e.Text)
		if e.Attempt != nil && e.Attempt.Response != nil {
			open = append(open, e.Attempt.Number)
		}
	}
	want := []string{"attempt 4 is planned", "attempt 3", "attempt 2", "attempt 1", "Ana (support desk) retried it", "accepted"}
	if !slices.Equal(texts, want) || !slices.Equal(open, []int{3}) {
		t.Errorf("%q with the responses of %v, want %q", texts, open, want)
	}
}

// TestLongTimeline: the newest thirty attempts are shown, with a link to all.
func TestLongTimeline(t *testing.T) {
	t.Parallel()
	d := seenDelivery(switchboard.StateRetrying, switchboard.FailureHTTP5xx, 33)
	d.CreatedAt = seenAt().Add(-10 * time.Hour)
	for everything, want := range map[bool][]string{false: {"attempt 34 is planned", "attempt 4", "3 older attempts"}, true: {"attempt 34 is planned", "accepted", ""}} {
		p := deliveryPageOf(d, seenSubscription(), looker{now: seenAt(), everything: everything})
		if first, last := p.Timeline[0].Text, p.Timeline[len(p.Timeline)-1].Text; first != want[0] || last != want[1] {
			t.Errorf("everything %v: from %q to %q", everything, first, last)
		}
		got := rendered(t, "delivery", "delivery", p)
		if link := strings.Contains(got, `href="/console/deliveries/dlv_01k3n1c3d401?attempts=all"`); link == everything || !strings.Contains(got, want[2]) {
			t.Errorf("everything %v: a link to all: %v", everything, link)
		}
	}
}

// TestEndpointOfADelivery: the page says how sending to the subscription goes.
func TestEndpointOfADelivery(t *testing.T) {
	t.Parallel()
	p := deliveryPageOf(seenDelivery(switchboard.StateRetrying, switchboard.FailureHTTP5xx, 1), seenSubscription(), looker{now: seenAt()})
	p.Endpoint = &subscriptionRow{Share: "96.1", Attempts: 2428, P95: 410, Spark: spark{All: "M2 16v-9", Failed: "M2 16v-3"}}
	got := rendered(t, "delivery", "delivery", p)
	for _, want := range []string{"96.1 % of 2,428 attempts delivered", "410 ms", `d="M2 16v-9"`, `d="M2 16v-3"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
}

// TestLaterAttempts counts from the next attempt on, also after an operator's retry has given the
// delivery all attempts again.
func TestLaterAttempts(t *testing.T) {
	t.Parallel()
	at := seenAt()
	for name, c := range map[string]struct {
		number, of int
		more       int
		after      time.Duration
	}{
		"the second":                    {2, 12, 10, 10 * time.Hour},
		"the last but one":              {11, 12, 1, time.Hour},
		"the last":                      {12, 12, 0, 0},
		"the first of another start":    {8, 19, 11, 11 * time.Hour},
		"more than the policy has left": {2, 50, 0, 0},
	} {
		more, last := laterAttempts(&client.NextStep{At: &at, Number: c.number, Of: c.of}, seenSubscription())
		if more != c.more || more > 0 && !last.Equal(at.Add(c.after)) {
			t.Errorf("%s: %d more until %s", name, more, last)
		}
	}
	if more, _ := laterAttempts(&client.NextStep{At: &at, Number: 1, Of: 12}, nil); more != 0 {
		t.Errorf("of a deleted subscription: %d", more)
	}
}

// TestRelated: other deliveries of the event and of its key are shown, but never the delivery
// itself.
func TestRelated(t *testing.T) {
	t.Parallel()
	d := seenDelivery(switchboard.StateRetrying, "", 0)
	other := client.Delivery{ID: "dlv_2", SubscriptionID: "sub_2", State: switchboard.StateDelivered}
	same := client.Delivery{ID: "dlv_3", SubscriptionID: "sub_1", State: switchboard.StateFailed}
	got := othersOfEvent(d, []client.Delivery{*d, other, same})
	if len(got) != 2 || got[0].Text != "to another subscription" || got[1].Text != "to the same subscription" {
		t.Errorf("of the event: %+v", got)
	}
	got = othersOfKey(d, []client.Event{
		{ID: "evt_3", Type: "ticket.closed", CreatedAt: d.CreatedAt.Add(time.Minute), Deliveries: []client.Delivery{other, same}},
		{ID: "evt_0", Type: "ticket.opened", CreatedAt: d.CreatedAt.Add(-time.Minute), Deliveries: []client.Delivery{same, *d}},
	})
	if len(got) != 2 || got[0].Text != "later: ticket.closed" || got[1].Text != "earlier: ticket.opened" {
		t.Errorf("of the key: %+v", got)
	}
}
