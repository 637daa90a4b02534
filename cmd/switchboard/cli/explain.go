package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/seed-49a43567/switchboard/client"
)

type explainEventCommand struct {
	oneEvent
}

func (explainEventCommand) Help() string {
	return `Examples:

    switchboard events explain ticket-20817-created --tenant acme`
}

func (c explainEventCommand) Run(ctx context.Context, s *Session) error {
	return act(s, func(api *client.Client) (client.Explanation, error) { return api.ExplainEvent(ctx, c.ID, c.Tenant) }, func(e client.Explanation) {
		s.printIndented("", clean(e.Text))
		for _, sub := range e.Subscriptions {
			s.explain(sub)
		}
		if e.More {
			s.note("%s has more subscriptions than were looked at", clean(e.Tenant))
		}
	})
}

// explain prints why a subscription does or does not receive an event.
func (s *Session) explain(sub client.ExplainedSubscription) {
	mark, color := "no ", text.FgRed
	if sub.Matches {
		mark, color = "yes", text.FgGreen
	}
	if s.Color {
		mark = color.EscapeSeq() + mark + text.Reset.EscapeSeq()
	}
	s.printf("\n%s  %s  %s\n", mark, sub.SubscriptionID, clean(sub.Name))
	s.printIndented("     ", clean(sub.Text))
	for _, note := range sub.Notes {
		if !strings.Contains(sub.Text, note.Text) {
			s.printIndented("     ", clean(note.Text))
		}
	}
	for _, d := range sub.Deliveries {
		line := fmt.Sprintf("%s is %s", d.ID, d.State)
		if d.Reason != "" {
			line += " (" + d.Reason + ")"
		}
		s.printIndented("     ", clean(line))
	}
}
