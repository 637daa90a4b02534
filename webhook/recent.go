package webhook

import lru "github.com/hashicorp/golang-lru/v2"

// newRecent keeps the values that were used last, up to a limit. dropped gets those
// that others took the place of; it may be nil.
func newRecent[V any](limit int, dropped func(key string, value V)) *lru.Cache[string, V] {
	cache, err := lru.NewWithEvict(limit, dropped)
	if err != nil {
		panic(err) // a limit below 1, and ours are constants
	}
	return cache
}
