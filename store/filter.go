package store

import (
	"sync"

	"github.com/seed-49a43567/switchboard"
)

// maxFilters bounds the documents whose filters are kept parsed, in bytes in all: more
// than a busy installation has. Parsed they take up to some twenty times of that.
const maxFilters = 4 << 20

// filters keeps the filters of subscriptions parsed: every event asks for them.
type filters struct {
	mu     sync.Mutex
	parsed map[string]switchboard.Filter // by document
	size   int                           // of the documents
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
	if f.size += len(document); f.parsed == nil || f.size > maxFilters {
		f.parsed, f.size = map[string]switchboard.Filter{}, len(document)
	}
	f.parsed[document] = filter
	return filter
}
