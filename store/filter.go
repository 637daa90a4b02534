package store

import (
	"sync"

	"switchboard"
)

// maxFilters bounds how many parsed filters are kept: more than a busy installation
// has, and some megabytes at most.
const maxFilters = 10_000

// filters keeps the filters of subscriptions parsed: every event asks for them.
type filters struct {
	mu     sync.Mutex
	parsed map[string]switchboard.Filter // by document
}

// of returns the filter of that document. One that cannot be read any more, which
// saving it would have refused, takes everything: rather too much than too little.
func (f *filters) of(document string) switchboard.Filter {
	if document == "" {
		return switchboard.Filter{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if filter, ok := f.parsed[document]; ok {
		return filter
	}
	filter, err := switchboard.ParseFilter([]byte(document))
	if err != nil {
		filter = switchboard.Filter{}
	}
	if f.parsed == nil || len(f.parsed) >= maxFilters {
		f.parsed = map[string]switchboard.Filter{}
	}
	f.parsed[document] = filter
	return filter
}
