package console

import (
	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// The data for the templates of parts.html.

// emptyState is one of the three kinds of an empty list: none yet, none match, not everything
// searched.
type emptyState struct {
	Kind  string // "none", "match" or "searched"
	Text  string
	Curl  string       // for none: what to do first; empty: nothing
	Chips []filterChip // for match: the filters, each of which can be removed
	Wider filterChip   // for match: the same over a longer time
	More  filterChip   // for searched: the link that continues
}

// filterChip is a filter in words, and a link: to the list without it, or elsewhere.
type filterChip struct {
	Text    string
	Address string
}

// pager leads to the pages of a list. Empty addresses are not shown.
type pager struct {
	First      string
	Older      string
	SearchedTo any // how far back the list was searched; nil: to its end
}

// actionButton leads to the form of an action, or says why the action does not apply.
type actionButton struct {
	Text    string
	Address string
	Allowed bool
	WhyNot  string
	Danger  bool
	Key     string // the key with the same effect; empty: none
}

// actionButtonOf is the button of an action that the API offers or refuses.
func actionButtonOf(text, address string, offered switchboard.AvailableAction) actionButton {
	return actionButton{Text: text, Address: address, Allowed: offered.Allowed, WhyNot: offered.WhyNot}
}

// reasonField asks for the reason of an action.
type reasonField struct {
	Value string
	Last  []string // earlier reasons of the person
	Error string
}

// fieldFault is a form field and what is wrong with it.
type fieldFault struct {
	Field string
	Text  string
}

// faultsOf returns the faults that the API found in the typed values; nil: err is about something
// else.
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
