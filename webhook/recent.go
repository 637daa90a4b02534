package webhook

import lru "github.com/hashicorp/golang-lru/v2"

// newRecent keeps the values that were used last, up to a limit. dropped gets those
// that others took the place of; it may be nil.
func newRecent[K comparable, V any](limit int, dropped func(key K, value V)) *lru.Cache[K, V] {
	cache, err := lru.NewWithEvict(limit, dropped)
	if err != nil {
		panic(err) // a limit below 1, and ours are constants
	}
	return cache
}
