package console

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// timelineEntry is one thing that happened to a delivery, or will happen.
type timelineEntry struct {
	ID      string // of the element; empty: no link leads to it
	Icon    string
	Colour  string
	At      time.Time
	Text    string
	Detail  string
	Reason  string // in the words of the person
	Attempt *attemptView
	Planned bool
	Later   time.Time // for a planned attempt: approximate time of the last attempt after it; zero: none
}

// attemptView is an attempt in the timeline.
type attemptView struct {
	Number   int
	Result   string // such as 503 Service Unavailable, or connect timeout
	Duration string
	Facts    string
	Response *responseView // of the newest attempt; others are loaded when they are opened
	Answered bool
	Sent     bool // something was sent

	ResponseLink string
	RequestLink  string
}

// responseView is a receiver's answer.
type responseView struct {
	Status    string
	Headers   []headerLine
	Body      bodyView
	Truncated bool // the answer was longer than the stored part
}

type headerLine struct{ Name, Value string }

func headerLines(headers map[string]string) []headerLine {
	lines := make([]headerLine, 0, len(headers))
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		lines = append(lines, headerLine{name, headers[name]})
	}
	return lines
}

// attemptsParameter requests all attempts of a delivery in its timeline.
const (
	attemptsParameter = "attempts"
	allAttempts       = "all"
)

// shownAttempts is how many of the newest attempts a timeline has, because a page should not exceed
// 80 kB.
const shownAttempts = 30

// timelineOf returns what happened, newest first, after what is planned. Unless everything is
// requested, it ends with the oldest shown attempt, and also returns the number of older attempts.
func timelineOf(d *client.Delivery, sub *client.Subscription, everything bool) (happened []timelineEntry, older int) {
	happened = []timelineEntry{{Icon: "pending", Colour: "pending", At: d.CreatedAt, Text: "accepted"}}
	for i := range d.Attempts {
		newest := i == len(d.Attempts)-1
		happened = append(happened, attemptEntry(d.ID, &d.Attempts[i], newest))
	}
	for i := range d.Actions {
		happened = append(happened, actionEntry(&d.Actions[i]))
	}
	slices.SortStableFunc(happened, func(a, b timelineEntry) int { return a.At.Compare(b.At) })
	slices.Reverse(happened)
	if older = len(d.Attempts) - shownAttempts; everything || older <= 0 {
		older = 0
	} else {
		first := fmt.Sprintf("attempt-%d", d.Attempts[older].Number)
		happened = happened[:1+slices.IndexFunc(happened, func(e timelineEntry) bool { return e.ID == first })]
	}
	if planned, is := plannedEntry(d, sub); is {
		happened = slices.Insert(happened, 0, planned)
	}
	return happened, older
}

func attemptEntry(deliveryID string, a *client.Attempt, newest bool) timelineEntry {
	e := timelineEntry{ID: fmt.Sprintf("attempt-%d", a.Number), Icon: "delivered", Colour: "delivered", At: a.At, Text: fmt.Sprintf("attempt %d", a.Number), Detail: a.Detail}
	if a.Failure != "" {
		e.Icon, e.Colour = "failed", "failed"
	}
	v := &attemptView{
		Number: a.Number, Result: resultOf(a), Duration: milliseconds(a.DurationMS) + " of " + milliseconds(a.TimeoutMS), Sent: a.Requests > 0, Answered: a.Response != nil,
		ResponseLink: linkAttemptResponse(deliveryID, a.Number), RequestLink: linkAttemptRequest(deliveryID, a.Number),
	}
	var facts []string
	if a.Requests > 1 {
		facts = append(facts, fmt.Sprintf("sent %d times", a.Requests))
	}
	if a.RemoteIP != "" {
		facts = append(facts, "to "+a.RemoteIP)
	}
	if a.SubscriptionVersion != 0 {
		facts = append(facts, fmt.Sprintf("version %d of the subscription", a.SubscriptionVersion))
	}
	if a.Load > 0 {
		facts = append(facts, fmt.Sprintf("our load %.0f %%", 100*a.Load))
	}
	v.Facts = strings.Join(facts, " · ")
	if newest && a.Response != nil {
		v.Response = responseOf(deliveryID, a)
	}
	e.Attempt = v
	return e
}

// resultOf says in a word or two how an attempt ended.
func resultOf(a *client.Attempt) string {
	if a.StatusCode != nil {
		return strings.TrimSpace(fmt.Sprintf("%d %s", *a.StatusCode, http.StatusText(*a.StatusCode)))
	}
	return strings.ReplaceAll(string(a.Failure), "_", " ")
}

func responseOf(deliveryID string, a *client.Attempt) *responseView {
	r := a.Response
	return &responseView{
		Status: resultOf(a), Headers: headerLines(r.Headers), Truncated: r.Truncated,
		Body: bodyOf(r.Body, r.Encoding, r.Redacted, linkDownload(linkAttemptResponse(deliveryID, a.Number))),
	}
}

func actionEntry(a *client.Action) timelineEntry {
	who := cmp.Or(a.Person, a.Name, a.Actor)
	if key := cmp.Or(a.Name, a.Actor); a.Person != "" && key != "" {
		who += " (" + key + ")"
	}
	return timelineEntry{Icon: "operator", Colour: "held", At: a.At, Text: who + " " + doneInWords(a.Action), Reason: a.Reason}
}

// doneInWords says what somebody did, as the continuation of a sentence after their name.
func doneInWords(kind switchboard.ActionKind) string {
	switch kind {
	case switchboard.ActionRetry:
		return "retried it"
	case switchboard.ActionCancel:
		return "cancelled it"
	case switchboard.ActionReset:
		return "reset its workflow in Temporal"
	case switchboard.ActionHold:
		return "held it"
	case switchboard.ActionRelease:
		return "released it"
	case switchboard.ActionResend:
		return "resent it as a copy"
	case switchboard.ActionReplay:
		return "replayed its event"
	}
	return string(kind)
}

// plannedEntry returns the next attempt and those that may follow it; false: none has a date.
func plannedEntry(d *client.Delivery, sub *client.Subscription) (timelineEntry, bool) {
	if d.Diagnosis == nil || d.Diagnosis.Next.At == nil {
		return timelineEntry{}, false
	}
	next := &d.Diagnosis.Next
	e := timelineEntry{Icon: "pending", Colour: "pending", At: *next.At, Text: fmt.Sprintf("attempt %d is planned", next.Number), Planned: true}
	if more, last := laterAttempts(next, sub); more > 0 {
		e.Detail, e.Later = "then up to "+plural(more, "attempt", "attempts")+" more, the last about", last
	}
	return e, true
}

// laterAttempts returns how many attempts may follow the next one, and the approximate time of the
// last if all of them fail. Spread, load and Retry-After are not known yet.
func laterAttempts(next *client.NextStep, sub *client.Subscription) (more int, last time.Time) {
	if sub == nil || next.At == nil {
		return 0, time.Time{}
	}
	more = next.Of - next.Number
	if more <= 0 || more > len(sub.RetrySchedule) {
		return 0, time.Time{}
	}
	last = *next.At
	for _, wait := range sub.RetrySchedule[len(sub.RetrySchedule)-more:] {
		last = last.Add(time.Duration(wait))
	}
	return more, last
}
