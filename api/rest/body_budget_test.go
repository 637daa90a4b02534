package rest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

func TestBodyBudget(t *testing.T) {
	t.Parallel()
	const limit = 60
	for _, test := range []struct {
		name             string
		before, announce int64
		want             switchboard.Code
	}{
		{"within the budget", 40, 60, ""},
		{"a byte too many", 41, 60, switchboard.CodeOverloaded},
		{"a small one", 90, 10, ""},
		{"of unknown length, within the budget", 40, -1, ""},
		{"of unknown length, without", 41, -1, switchboard.CodeOverloaded},
		{"one that will be refused", 100, 61, ""},
	} {
		b := newBodyBudget(100, time.Minute)
		before, err := b.acquire(t.Context(), test.before, 100)
		if err != nil {
			t.Fatal(err)
		}
		if test.want != "" {
			b.wait = time.Millisecond
		}
		taken, err := b.acquire(t.Context(), test.announce, limit)
		if switchboard.CodeOf(err) != test.want {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		taken.shrink(7)
		taken.release()
		before.release()
		if !b.free.TryAcquire(100) {
			t.Errorf("%s: the bytes were not given back", test.name)
		}
	}
	wide := newBodyBudget(100, time.Minute)
	for i := range 5 { // first of unknown length, then of 20
		if i == 3 {
			wide.wait = time.Millisecond
		}
		taken, err := wide.acquire(t.Context(), -1, 60)
		if got := switchboard.CodeOf(err); i < 3 && got != "" || i == 3 && got != switchboard.CodeOverloaded {
			t.Errorf("body %d: %v", i, err)
		}
		taken.shrink(20)
		if i == 2 && wide.free.TryAcquire(41) {
			t.Error("a body takes less than its length")
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	b := newBodyBudget(1, time.Hour)
	if _, err := b.acquire(t.Context(), 1, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := b.acquire(gone, 1, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("the caller has gone: %v", err)
	}
}
