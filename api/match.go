package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/filter"
)

// match says whether a subscription receives an event, and why.
type match struct {
	Matches   bool             `json:"matches" doc:"Whether the subscription would get the event"`
	Undecided bool             `json:"undecided,omitempty" doc:"To match the whole event exceeds the budget of the filter: the subscription gets the event"`
	Reasons   []filter.Finding `json:"reasons" nullable:"false" doc:"Event type, state, and each condition of the filter, in the order of the filter"`
}

func (s *server) matchSubscription(ctx context.Context, caller switchboard.Caller, in *previewInput) (*reply[match], error) {
	sub, err := s.Store.Subscription(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	return s.match(ctx, caller, &sub, &in.JSON)
}

type matchTrialInput struct{ payload[matchTrial] }

func (s *server) matchGiven(ctx context.Context, caller switchboard.Caller, in *matchTrialInput) (*reply[match], error) {
	trial := &in.JSON
	// A caller who can test conditions of their own can find out a value, question by question.
	if trial.EventID != "" {
		if err := requirePayload(caller, "a filter of one's own on an event that was posted"); err != nil {
			return nil, err
		}
	}
	var asked *newSubscription
	if trial.Subscription != nil {
		asked = &trial.Subscription.newSubscription
	}
	sub, err := s.buildTrial(caller, asked, matchedDocument)
	if err != nil {
		return nil, err
	}
	return s.match(ctx, caller, &sub, &trial.SampleEvent)
}

func (s *server) match(ctx context.Context, caller switchboard.Caller, sub *switchboard.Subscription, in *SampleEvent) (*reply[match], error) {
	e, err := s.eventFor(ctx, caller, sub, in)
	if err != nil {
		return nil, err
	}
	findings := []filter.Finding{typeFinding(sub, e.Type), stateFinding(sub.State)}
	f, err := filter.Parse(sub.Filter)
	if err != nil {
		return nil, err
	}
	verdict := f.Verdict(filter.NewInput(&e), filter.NewBudget())
	out := match{Matches: findings[0].Holds && findings[1].Holds && verdict.Delivers(), Undecided: verdict == filter.VerdictUndecided}
	if out.Undecided {
		findings = append(findings, undecidedFinding())
	}
	for _, finding := range f.Explain(&e) {
		if !caller.ReadPayload {
			finding = finding.Redacted()
		}
		findings = append(findings, finding)
	}
	out.Reasons = findings
	return &reply[match]{Body: out}, nil
}

// undecidedFinding says what happens to an event for which the budget was too small.
func undecidedFinding() filter.Finding {
	return filter.Finding{Condition: "filter", Path: "data", Undecided: true,
		Text: "matching the whole event exceeds the budget of the filter: the subscription gets the event, whatever the rest of it has"}
}

// typeFinding says whether the subscription's event types include that one.
func typeFinding(sub *switchboard.Subscription, eventType string) filter.Finding {
	wanted, found := string(asJSON(sub.Events)), string(asJSON(eventType))
	f := filter.Finding{Condition: "events", Path: "metadata.type", Wanted: wanted, Found: found, Holds: sub.Wants(eventType)}
	f.Text = fmt.Sprintf("the event type is %s, which the subscription takes", found)
	if !f.Holds {
		f.Text = fmt.Sprintf("the event type is %s; the subscription takes %s", found, strings.Join(sub.Events, ", "))
	}
	return f
}

// stateFinding says whether a subscription in that state receives events.
func stateFinding(state switchboard.SubscriptionState) filter.Finding {
	f := filter.Finding{Condition: "state", Path: "state", Wanted: `"active"`, Found: string(asJSON(state)), Holds: true, Text: "the subscription is active"}
	switch state {
	case switchboard.SubscriptionActive:
	case switchboard.SubscriptionUnverified:
		f.Text = "the subscription is not verified yet: its deliveries are held until it is"
	default:
		f.Text = fmt.Sprintf("the subscription is %s: its deliveries are held until it is active", state)
	}
	return f
}

// asJSON encodes a text, or a list of them.
func asJSON(v any) json.RawMessage {
	b, _ := json.Marshal(v) // texts can always be encoded
	return b
}
