package console

import (
	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// The structs that the templates of parts.html are executed with.

// emptyState is one of the three kinds of nothing: none yet, none match, not all searched.
type emptyState struct {
	Kind  string // "none", "match" or "searched"
	Text  string
	Curl  string       // of none: what to do first; empty: nothing
	Chips []filterChip // of match: the filters, each of which can be taken away
	Wider filterChip   // of match: the same over a longer time
	More  filterChip   // of searched: the link that goes on
}

// filterChip is a filter as a word, and a link: to the list without it, or elsewhere.
type filterChip struct {
	Text    string
	Address string
}

// pager leads to the pages of a list. An empty address is not shown.
type pager struct {
	First      string
	Older      string
	SearchedTo any // how far back the list was searched; nil: to its end
}

// actionButton leads to the form of an action, or says why it does not apply.
type actionButton struct {
	Text    string
	Address string
	Allowed bool
	WhyNot  string
	Danger  bool
	Key     string // the letter that does the same on the keyboard; empty: none does
}

// actionButtonOf is the button of an action that the API offers, or refuses.
func actionButtonOf(text, address string, offered switchboard.AvailableAction) actionButton {
	return actionButton{Text: text, Address: address, Allowed: offered.Allowed, WhyNot: offered.WhyNot}
}

// reasonField asks why an action is done.
type reasonField struct {
	Value string
	Last  []string // what the person said before
	Error string
}

// fieldFault is a field of a form, and what is wrong with it.
type fieldFault struct {
	Field string
	Text  string
}

// faultsOf are the faults that the API found in what was typed; nil: err is about something else.
func faultsOf(err *client.Error) []fieldFault {
	var faults []fieldFault
	for _, e := range err.Errors {
		faults = append(faults, fieldFault{e.Field, e.Message})
	}
	if len(faults) == 0 && err.Detail != "" {
		faults = append(faults, fieldFault{err.Field, err.Detail})
	}
	return faults
}
