package webhook

import (
	"container/list"
	"sync"
)

// recent keeps the values that were used last, up to a limit. It may be used by
// many goroutines.
type recent[V any] struct {
	limit   int
	dropped func(V) // gets every value that is not kept any more; may be nil

	mu    sync.Mutex
	order *list.List // of *entry, the one used last in front
	byKey map[string]*list.Element
}

type entry[V any] struct {
	key   string
	value V
}

func newRecent[V any](limit int, dropped func(V)) *recent[V] {
	return &recent[V]{limit: limit, dropped: dropped, order: list.New(), byKey: map[string]*list.Element{}}
}

func (r *recent[V]) get(key string) (value V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	element, ok := r.byKey[key]
	if !ok {
		return value, false
	}
	r.order.MoveToFront(element)
	return element.Value.(*entry[V]).value, true
}

// put keeps the value, and drops another of the same key, or else the one that was
// not used for longest where there is no room.
func (r *recent[V]) put(key string, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if element, ok := r.byKey[key]; ok {
		r.drop(element)
	} else if r.order.Len() >= r.limit {
		r.drop(r.order.Back())
	}
	r.byKey[key] = r.order.PushFront(&entry[V]{key, value})
}

// clear drops all values.
func (r *recent[V]) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.order.Len() > 0 {
		r.drop(r.order.Back())
	}
}

func (r *recent[V]) drop(element *list.Element) {
	e := r.order.Remove(element).(*entry[V])
	delete(r.byKey, e.key)
	if r.dropped != nil {
		r.dropped(e.value)
	}
}
