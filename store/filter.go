package store

import (
	"sync"

	"github.com/seed-49a43567/switchboard/filter"
)

// maxFilters bounds the documents of the cached filters together, in bytes: more than a
// busy installation has. Parsed, they take up to about twenty times as much.
const maxFilters = 4 << 20

// filters caches the parsed filters of subscriptions, because every event needs them.
type filters struct {
	mu     sync.Mutex
	parsed map[string]filter.Filter // by document
	size   int                      // of the documents
}

// of returns the filter of that document. A document that cannot be parsed any more, which
// could not be saved today, takes every event: one too many is better than one lost.
func (f *filters) of(document string) filter.Filter {
	if document == "" {
		return filter.Filter{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if parsed, ok := f.parsed[document]; ok {
		return parsed
	}
	parsed, err := filter.Parse([]byte(document))
	if err != nil {
		parsed = filter.Filter{}
	}
	if f.size += len(document); f.parsed == nil || f.size > maxFilters {
		f.parsed, f.size = map[string]filter.Filter{}, len(document)
	}
	f.parsed[document] = parsed
	return parsed
}
