package console

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// ticket is plain text about a delivery, for pasting into a ticket.
type ticket struct {
	For  string // internal, or for the customer
	Text string
}

func ticketsOf(d *client.Delivery, sub *client.Subscription, by looker) []ticket {
	customers := ticket{"for the customer", customerTicket(d, sub, by.now)}
	if by.Portal {
		return []ticket{customers}
	}
	return []ticket{{"internal", internalTicket(d, by.link)}, customers}
}

// maxTicketAttempts is how many attempts a ticket lists: more say nothing new.
const maxTicketAttempts = 20

// internalTicket is for colleagues: everything on the page, with ids and a link to it.
func internalTicket(d *client.Delivery, link string) string {
	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	line("Delivery %s is %s.", d.ID, d.State)
	if d.Diagnosis != nil {
		line("%s", d.Diagnosis.Why)
		line("%s", d.Diagnosis.Next.Text)
		if d.Diagnosis.Advice != "" {
			line("%s: %s.", cmp.Or(sideInWords(d.Diagnosis.Side), "To do"), d.Diagnosis.Advice)
		}
	}
	line("")
	line("Tenant: %s", d.Tenant)
	line("Event: %s %s%s", d.EventType, d.EventID, prefixed(", key ", d.EventKey))
	name := ""
	if d.Subscription != nil {
		name = prefixed(", ", d.Subscription.Name)
	}
	line("Subscription: %s%s", d.SubscriptionID, name)
	if len(d.Attempts) > 0 {
		line("Attempts (UTC):")
	}
	for i, a := range slices.Backward(d.Attempts) {
		if len(d.Attempts)-i > maxTicketAttempts {
			line("  and %s before", plural(i+1, "attempt", "attempts"))
			break
		}
		line("  %d  %s  %s  %s", a.Number, a.At.UTC().Format(time.DateTime), resultOf(&a), milliseconds(a.DurationMS))
	}
	line("%s", link)
	return out.String()
}

// prefixed returns nothing if there is no text.
func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// customerTicket is for the operator of the endpoint. It names no people, no host except the
// endpoint's, and no id except the one that the endpoint received.
func customerTicket(d *client.Delivery, sub *client.Subscription, now time.Time) string {
	host := cmp.Or(d.Host, "your endpoint")
	var sentences []string
	if n := len(d.Attempts); n == 0 {
		sentences = append(sentences, fmt.Sprintf("We have not sent %s to %s yet; it was accepted at %s UTC.", d.EventType, host, inTicket(d.CreatedAt, now)))
	} else {
		sentences = append(sentences, sentText(d, host, now), answeredText(d, host))
	}
	sentences = append(sentences, followsText(d, sub, now))
	if asked := askOf(d); asked != "" {
		sentences = append(sentences, asked)
	}
	return strings.Join(sentences, " ") + "\n"
}

// inTicket writes a time in UTC, with the day unless it is today.
func inTicket(at, now time.Time) string {
	at, now = at.UTC(), now.UTC()
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format(time.TimeOnly)
	}
	return at.Format("Mon 2 Jan 15:04:05")
}

// sentText says when we tried: the first attempts, and the last.
func sentText(d *client.Delivery, host string, now time.Time) string {
	const first = 2
	var times []string
	for i, a := range d.Attempts {
		switch {
		case i < first, i == len(d.Attempts)-1:
			times = append(times, inTicket(a.At, now))
		case i == first:
			times = append(times, "…")
		}
	}
	when := times[0]
	if n := len(times); n > 1 {
		when = strings.Join(times[:n-1], ", ") + " and " + times[n-1]
	}
	often := ""
	if n := len(d.Attempts); n > 1 {
		often = " (" + strconv.Itoa(n) + " times)"
	}
	verb := "sent"
	if !slices.ContainsFunc(d.Attempts, func(a client.Attempt) bool { return a.Requests > 0 }) {
		verb = "tried to send"
	}
	return fmt.Sprintf("We %s %s%s to %s at %s UTC%s.", verb, d.EventType, webhookID(d), host, when, often)
}

// webhookID is the id by which the endpoint can find the requests; empty: they had none.
func webhookID(d *client.Delivery) string {
	for _, a := range slices.Backward(d.Attempts) {
		if id := a.Request.Headers["Webhook-Id"]; id != "" {
			return " (webhook-id " + id + ")"
		}
	}
	return ""
}

// answeredText says how the attempts ended: all of them if they ended alike, otherwise the last.
func answeredText(d *client.Delivery, host string) string {
	last := &d.Attempts[len(d.Attempts)-1]
	alike, longest := true, int64(0)
	for i := range d.Attempts {
		a := &d.Attempts[i]
		alike = alike && resultOf(a) == resultOf(last)
		longest = max(longest, a.DurationMS)
	}
	subject := "The last attempt"
	switch {
	case len(d.Attempts) == 1:
		subject = "It"
	case alike:
		subject = "Each"
	default:
		longest = last.DurationMS
	}
	text := subject + " failed: " + failureText(last, host)
	if last.StatusCode != nil {
		text = fmt.Sprintf("%s was answered %s within %s", subject, resultOf(last), milliseconds(max(longest, 1)))
	}
	if d.Diagnosis != nil && d.Diagnosis.ReceiverSaid != "" {
		text += ", and said: “" + d.Diagnosis.ReceiverSaid + "”"
	}
	return text + "."
}

// failureText is the text about an attempt without an answer in the table of failures. The
// failure's detail is for us: it may name one of our hosts.
func failureText(a *client.Attempt, host string) string {
	for _, e := range switchboard.FailureExplanations() {
		if e.Failure == a.Failure && e.Status == 0 && !e.Permanent && !e.Cut && e.Side == switchboard.SideReceiver {
			return strings.NewReplacer("{host}", host, "{address}", host, "{timeout}", milliseconds(a.TimeoutMS), "{latency}", milliseconds(a.DurationMS)).Replace(e.Says)
		}
	}
	return "the request was not completed"
}

// followsText says what we do next.
func followsText(d *client.Delivery, sub *client.Subscription, now time.Time) string {
	switch {
	case d.State == switchboard.StateDelivered:
		return "It has arrived, and we send nothing more."
	case d.State == switchboard.StateCancelled:
		return "It was cancelled, and we do not send it again."
	case d.State == switchboard.StateFailed:
		return "We do not send it again automatically, but we can once the cause is gone."
	case d.Diagnosis == nil || d.Diagnosis.Next.At == nil:
		return "It waits on our side at the moment, and is sent afterwards."
	}
	next := &d.Diagnosis.Next
	verb := "We send it again"
	if len(d.Attempts) == 0 {
		verb = "We send it"
	}
	if !next.At.After(now) {
		return verb + " within moments."
	}
	text := fmt.Sprintf("%s at %s UTC", verb, inTicket(*next.At, now))
	if more, last := laterAttempts(next, sub); more > 0 {
		text += fmt.Sprintf(", and then up to %s until about %s UTC", plural(more, "time", "times"), inTicket(last, now))
	}
	return text + "."
}

// askOf says what the operator of the endpoint can do; empty: nothing.
func askOf(d *client.Delivery) string {
	if d.State == switchboard.StateDelivered || d.State == switchboard.StateCancelled || len(d.Attempts) == 0 {
		return ""
	}
	last := &d.Attempts[len(d.Attempts)-1]
	status := 0
	if last.StatusCode != nil {
		status = *last.StatusCode
	}
	switch last.Failure {
	case switchboard.FailureDNS, switchboard.FailureConnectRefused, switchboard.FailureConnectTimeout, switchboard.FailureConnect:
		return "Please check the address, its DNS and its firewall."
	case switchboard.FailureTLSExpired, switchboard.FailureTLSUntrusted, switchboard.FailureTLSName, switchboard.FailureTLS:
		return "Please check the certificate of the endpoint, and that it serves the whole chain."
	case switchboard.FailureTimeout:
		return "Please let the endpoint answer first, and work later."
	case switchboard.FailureRedirect:
		return "Please give us the final address: redirects are not followed."
	case switchboard.FailureReset, switchboard.FailureBadResponse, switchboard.FailureHTTP5xx:
		return "Please check the log of the endpoint at these times."
	case switchboard.FailureHTTP4xx:
		switch status {
		case http.StatusUnauthorized, http.StatusForbidden:
			return "Please check the secret and the credentials that the endpoint expects, and its clock."
		case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
			return "Please check the address that you gave us."
		case http.StatusTooManyRequests:
			return "Please tell us if the endpoint should get fewer requests at the same time."
		}
		return "Please check why the endpoint refuses the request."
	}
	return ""
}
