package console

import (
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// TestCustomerTicket says what was tried, how it ended and what follows.
func TestCustomerTicket(t *testing.T) {
	t.Parallel()
	sent := func(times string) string {
		return "We sent ticket.created (webhook-id dlv_01k3n1c3d401) to crm.example.com at " + times + ". "
	}
	const three, one, again = "11:50:00, 12:00:00 and 12:10:00 UTC (3 times)", "12:10:00 UTC", "We send it again at 13:20:00 UTC, and then up to 8 times until about 21:20:00 UTC."
	for _, c := range []struct {
		state    switchboard.State
		failure  switchboard.Failure
		attempts int
		want     string
	}{
		{switchboard.StateRetrying, switchboard.FailureHTTP5xx, 3, sent(three) + "Each was answered 503 Service Unavailable within 210 ms. " + again + " Please check the log of the endpoint at these times."},
		{switchboard.StateFailed, switchboard.FailureHTTP4xx, 1, sent(one) + "It was answered 404 Not Found within 210 ms. We do not send it again automatically, but we can once the cause is gone. Please check the address that you gave us."},
		{switchboard.StateDelivered, "", 1, sent(one) + "It was answered 200 OK within 210 ms. It has arrived, and we send nothing more."},
		{switchboard.StateRetrying, switchboard.FailureTimeout, 3, sent(three) + "Each failed: crm.example.com gave no complete answer within 10 s. " + again + " Please let the endpoint answer first, and work later."},
		{switchboard.StateHeld, switchboard.FailureConnectRefused, 1, sent(one) + "It failed: nobody listens at crm.example.com. It waits on our side at the moment, and is sent afterwards. Please check the address, its DNS and its firewall."},
		{switchboard.StateCancelled, switchboard.FailureAborted, 1, sent(one) + "It failed: the request was not completed. It was cancelled, and we do not send it again."},
		{switchboard.StateFailed, switchboard.FailureRender, 1, sent(one) + "It failed: the request was not completed. We do not send it again automatically, but we can once the cause is gone."},
		{switchboard.StatePending, "", 0, "We have not sent ticket.created to crm.example.com yet; it was accepted at 11:20:00 UTC. We send it at 13:20:00 UTC, and then up to 11 times until about Sun 1 Feb 00:20:00 UTC."},
	} {
		got := customerTicket(seenDelivery(c.state, c.failure, c.attempts), seenSubscription(), seenAt())
		if got != c.want+"\n" {
			t.Errorf("%s %s:\n%swant\n%s", c.state, c.failure, got, c.want)
		}
	}
}

// TestCustomerTicketNamesNobody: in every state and after every failure, it contains no id, name,
// host or body of ours.
func TestCustomerTicketNamesNobody(t *testing.T) {
	t.Parallel()
	for _, state := range switchboard.States() {
		for _, failure := range append(switchboard.Failures(), "") {
			d := seenDelivery(state, failure, 3)
			d.Reason, d.TemporalURL = "key_9", "http://temporal.internal/x"
			text := strings.ReplaceAll(customerTicket(d, seenSubscription(), seenAt()), "webhook-id dlv_01k3n1c3d401", "")
			for _, ours := range []string{"dlv_", "evt_", "sub_", "key_", "Ana", "support desk", "10.0.0.2", "203.0.113.7", "temporal", "acme", "CRM sync", "12345678901234567890", "/hook", "{"} {
				if strings.Contains(text, ours) {
					t.Errorf("%s %s: it holds %q: %s", state, failure, ours, text)
				}
			}
		}
	}
}

// TestTicketsOfManyAttempts: they stay short.
func TestTicketsOfManyAttempts(t *testing.T) {
	t.Parallel()
	d := seenDelivery(switchboard.StateRetrying, switchboard.FailureHTTP5xx, 30)
	d.Attempts[0].At = d.Attempts[0].At.Add(-24 * time.Hour)
	d.Diagnosis.ReceiverSaid = "upstream connect error"
	d.Attempts[0].DurationMS = 2400
	customers := customerTicket(d, seenSubscription(), seenAt())
	for _, text := range []string{"at Fri 30 Jan 07:20:00, 07:30:00, … and 12:10:00 UTC (30 times)", "within 2.4 s, and said: “upstream connect error”."} {
		if !strings.Contains(customers, text) {
			t.Errorf("%q is not in: %s", text, customers)
		}
	}
	internal := internalTicket(d, "https://s.example.com/console/deliveries/x")
	for _, text := range []string{
		"Delivery dlv_01k3n1c3d401 is retrying.\nWhy it is so.\nWhat follows.\nTheir side: What to do.", "Event: ticket.created evt_1, key ticket-1", "Subscription: sub_1, CRM sync",
		"  30  2026-01-31 12:10:00  503 Service Unavailable  210 ms\n", "  11  ", "  and 10 attempts before\n", "https://s.example.com/console/deliveries/x\n",
	} {
		if !strings.Contains(internal, text) {
			t.Errorf("%q is not in:\n%s", text, internal)
		}
	}
	if strings.Contains(internal, "  10  2026") {
		t.Errorf("it lists all attempts:\n%s", internal)
	}
}
