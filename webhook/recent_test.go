package webhook

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecent(t *testing.T) {
	t.Parallel()
	var dropped []int
	r := newRecent(2, func(v int) { dropped = append(dropped, v) })
	want := func(key string, value int, ok bool) {
		t.Helper()
		if got, found := r.get(key); got != value || found != ok {
			t.Errorf("%s: %d, %t; want %d, %t", key, got, found, value, ok)
		}
	}
	want("a", 0, false)
	r.put("a", 1)
	r.put("b", 2)
	want("a", 1, true)
	r.put("c", 3) // b was not used for longest
	want("b", 0, false)
	want("a", 1, true)
	r.put("a", 4)
	want("a", 4, true)
	want("c", 3, true)
	r.clear()
	want("a", 0, false)
	if diff := cmp.Diff([]int{2, 1, 4, 3}, dropped); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
	r.put("d", 5)
	want("d", 5, true)
}
