package demo

import (
	"testing"
	"time"
)

// The CRM fails first, so that there is something to see, and works when a newcomer retries in
// bulk.
func TestOutages(t *testing.T) {
	t.Parallel()
	for since, want := range map[time.Duration]bool{0: true, 44 * time.Second: true, 45 * time.Second: false, 2 * time.Minute: false, 3 * time.Minute: true, 4 * time.Minute: false} {
		if got := crmFails(since); got != want {
			t.Errorf("after %s: fails is %t", since, got)
		}
	}
}
