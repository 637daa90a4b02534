package e2e

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Pausing, and killing the process while some requests are in flight, loses and discards nothing.
// After the resume, the events of each key are sent in the order of acceptance.
func TestPauseInFlightAndKill(t *testing.T) {
	t.Parallel()
	const keys, events = 4, 4
	p := newProcess(t)
	p.start()
	answered := make(chan struct{})
	answer := sync.OnceFunc(func() { close(answered) })
	r, seen := newKeyedReceiver(t, func(visit) int {
		<-answered
		return http.StatusOK
	})
	t.Cleanup(answer) // before the server's Close, which waits for its handlers
	subscription, _ := p.subscribe(r.URL, fields{"ordering": "key", "timeout": "30s"})
	for n := range events {
		for key := range keys {
			p.postKey(fmt.Sprint("key-", key), n+1)
		}
	}
	r.await(t, keys)
	p.change(subscription, "pause")
	p.kill()
	answer()
	p.start()
	p.postKey("late", 1)
	awaitFor(t, loadTimeout, "everything parked or delivered", func() bool { return p.count("pending,retrying") == 0 })
	before := len(r.got())
	if before > keys {
		t.Errorf("%d requests while the subscription is paused, want the %d that were in flight", before, keys)
	}
	if n := p.count("held,blocked"); n < keys*events+1-keys {
		t.Errorf("%d parked, want at least %d", n, keys*events+1-keys)
	}
	p.change(subscription, "resume")
	awaitFor(t, loadTimeout, "nothing parked", func() bool { return p.count("pending,retrying,held,blocked") == 0 })
	seen.dropLate(t, "late")
	if duplicates := seen.checkOrder(t, keys, events); duplicates > keys {
		t.Errorf("%d sent twice, want at most the %d that were in flight", duplicates, keys)
	}
	p.awaitAllDelivered(keys*events + 1)
}

// dropLate removes the one event of a key that was posted while the subscription was paused.
func (v *visits) dropLate(t *testing.T, key string) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	var rest []visit
	for _, one := range v.all {
		if one.key != key {
			rest = append(rest, one)
		}
	}
	if len(v.all)-len(rest) != 1 {
		t.Errorf("%d requests for what was accepted while paused, want 1", len(v.all)-len(rest))
	}
	v.all = rest
}

// The events of each key are delivered strictly in order while the receiver fails at random, two
// processes work, and one of them is killed in the middle.
func TestOrderedByKeyThroughFailuresAndAKill(t *testing.T) {
	t.Parallel()
	keys, events := 20, 8
	if fullSize() {
		keys, events = 200, 50
	}
	p := newProcess(t)
	p.start()
	another := p.beside()
	r, seen := newKeyedReceiver(t, failAtRandom())
	p.subscribe(r.URL, fields{
		"ordering": "key", "timeout": "5s", "max_in_flight": 50, "breaker": fields{"mode": "off"},
		"retry": fields{"initial_interval": "100ms", "backoff_coefficient": 1, "maximum_attempts": 50},
	})
	for n := range events {
		for key := range keys {
			by := p.system
			if (n+key)%2 == 1 {
				by = another.system
			}
			by.postKey(fmt.Sprint("key-", key), n+1)
			if n == events/2 && key == keys/2 {
				p.kill() // what it began continues in the other process, or here after its restart
				p.start()
			}
		}
	}
	another.awaitAllDelivered(keys * events)
	t.Logf("%d requests, %d of them again after a success", len(seen.got()), seen.checkOrder(t, keys, events))
}

// failAtRandom refuses one request in three, the same ones in every run.
func failAtRandom() func(visit) int {
	var mu sync.Mutex
	tries := map[string]int{}
	return func(v visit) int {
		mu.Lock()
		defer mu.Unlock()
		event := fmt.Sprint(v.key, " ", v.n)
		tries[event]++
		digest := fnv.New32a()
		fmt.Fprint(digest, event, " ", tries[event])
		if digest.Sum32()%3 == 0 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}
}

// Holding the blocking delivery lets the next of its key be sent.
func TestSettingABlockerAsideLetsTheNextGo(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r, _ := newKeyedReceiver(t, func(v visit) int {
		if v.n == 1 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	s.subscribe(r.URL, fields{"ordering": "key", "retry": hourly["retry"]})
	first, second := s.postKey("a", 1), s.postKey("a", 2)
	s.awaitBackoff(first)
	if d := s.delivery(second); d.State != "blocked" {
		t.Errorf("the second is %s", d.State)
	}
	asked := time.Now()
	s.operate(first, "cancel", "it will never succeed")
	got := r.await(t, 2)
	s.awaitState(second, "delivered")
	t.Logf("the next came %s after the one before was cancelled", got[1].at.Sub(asked))
	s.awaitNothingOpen()
}
