package store

import (
	"sync"

	"github.com/seed-49a43567/switchboard/filter"
)

// maxFilters bounds the total size of the documents of cached filters, in bytes. A busy
// installation has less. The parsed filters take up to about twenty times as much.
const maxFilters = 4 << 20

// filters caches the parsed filters of subscriptions, because every event needs them.
type filters struct {
	mu     sync.Mutex
	parsed map[string]filter.Filter // by document
	size   int                      // of the documents
}

// of returns the filter of that document. If the document cannot be parsed any more, and so could
// not be saved today, the filter matches every event: one too many is better than one lost.
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
