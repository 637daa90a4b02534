package ingest

import (
	"fmt"

	"github.com/seed-49a43567/switchboard"
)

// warningsOf lists receivers that may be unable to read the data, filters that could not be matched
// against all of the event, and differences between a duplicate and the stored event.
func warningsOf(a *switchboard.Acceptance) []string {
	var warnings []string
	// RFC 8259, 8.2, allows half of a surrogate pair in JSON. Programs that cut a text in the
	// middle of an emoji write one, and a refusal would lose the event.
	if switchboard.LoneSurrogate(a.Event.Data) {
		warnings = append(warnings, "data: "+switchboard.LoneSurrogateFound+"; filters and templates read U+FFFD in its place")
	}
	warnings = append(warnings, undecidedWarnings(a.Undecided)...)
	for _, field := range a.Differs {
		switch field {
		case "data":
			warnings = append(warnings, "data: have the same value as in the first post, but other bytes; receivers get the first ones")
		default:
			warnings = append(warnings, field+": differs from the first post, which stays")
		}
	}
	return warnings
}

// maxUndecidedWarnings bounds the warnings of one event: a tenant may have very many
// filters.
const maxUndecidedWarnings = 10

// undecidedWarnings names the subscriptions that get an event because their filter could not be
// matched against all of it.
func undecidedWarnings(subscriptions []string) []string {
	var warnings []string
	for i, id := range subscriptions {
		if i == maxUndecidedWarnings {
			return append(warnings, fmt.Sprintf("there are %d more such subscriptions", len(subscriptions)-i))
		}
		warnings = append(warnings, fmt.Sprintf("matching all of the event exceeds the budget of the filter of subscription %s: the event is delivered to it", id))
	}
	return warnings
}
