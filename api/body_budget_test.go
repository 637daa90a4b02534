package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// gatedEvents holds batches until the gate opens.
type gatedEvents struct {
	Store
	entered chan struct{}
	gate    chan struct{}
}

func (g *gatedEvents) Accept(ctx context.Context, caller switchboard.Caller, events []switchboard.Event) ([]switchboard.Acceptance, error) {
	if len(events) > 1 {
		g.entered <- struct{}{}
		<-g.gate
	}
	return g.Store.Accept(ctx, caller, events)
}

// gatedBundle accepts batches of at most that many bytes.
func gatedBundle(t *testing.T, limit int) (*bundle, *gatedEvents) {
	t.Helper()
	gated := &gatedEvents{entered: make(chan struct{}, 2*batchesAtOnce), gate: make(chan struct{})}
	return setup(t, func(c *Config) {
		c.MaxBatch = limit
		gated.Store = c.Store
		c.Store = gated
	}), gated
}

// TestCompressedBatchesTakeTheirLength: after it is read, a batch in gzip reserves only its own
// length.
func TestCompressedBatchesTakeTheirLength(t *testing.T) {
	t.Parallel()
	b, gated := gatedBundle(t, 100_000)
	answers := make(chan int, batchesAtOnce+1)
	body := zipped(t, `{"events":[{"tenant":"acme","type":"t","data":1},{"tenant":"acme","type":"t","data":2}]}`)
	var posts sync.WaitGroup
	for range batchesAtOnce + 1 {
		posts.Go(func() {
			answers <- b.call(t, publisherKey, "POST", "/v1/events/batch", body, "Content-Encoding", "gzip").status
		})
		select {
		case <-gated.entered:
		case status := <-answers:
			t.Errorf("a batch was answered %d", status)
		}
	}
	close(gated.gate)
	posts.Wait()
}

// TestBatchesTakeTurns: no more large batches are read at a time than there is room for, and a
// caller who posts one event does not wait for them.
func TestBatchesTakeTurns(t *testing.T) {
	t.Parallel()
	const limit = 1000
	b, gated := gatedBundle(t, limit)
	batch := func(i int) string {
		events := fmt.Sprintf(`{"events":[{"tenant":"acme","type":"t","data":%d},{"tenant":"acme","type":"t","data":""}]}`, i)
		return strings.Replace(events, `""`, `"`+strings.Repeat("x", limit-len(events))+`"`, 1)
	}
	answers := make(chan int, batchesAtOnce+1)
	post := func(i int) { answers <- b.call(t, publisherKey, "POST", "/v1/events/batch", batch(i)).status }
	for i := range batchesAtOnce {
		go post(i)
		<-gated.entered
	}
	go post(batchesAtOnce)
	b.call(t, publisherKey, "POST", "/v1/events", `{"tenant":"acme","type":"t","data":1}`).want(t, http.StatusAccepted)
	if b.eventCount(t) != 1 || len(gated.entered) != 0 {
		t.Errorf("%d events are stored, and %d more batches were taken in", b.eventCount(t), len(gated.entered))
	}
	b.call(t, publisherKey, "POST", "/v1/events/batch", batch(0)+" ").wantProblem(t, http.StatusRequestEntityTooLarge, switchboard.CodeTooLarge, "events")
	close(gated.gate)
	for range batchesAtOnce + 1 {
		if status := <-answers; status != http.StatusAccepted {
			t.Errorf("a batch was answered %d", status)
		}
	}
}

// TestOverloaded: the problem has its own code, and says when to try again.
func TestOverloaded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.fail("Accept", switchboard.Errorf(switchboard.CodeOverloaded, "too much"))
	got := b.call(t, publisherKey, "POST", "/v1/events", `{"tenant":"acme","type":"t","data":1}`)
	got.wantProblem(t, http.StatusServiceUnavailable, switchboard.CodeOverloaded, "")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}
