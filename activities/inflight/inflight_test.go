package inflight

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

func TestAttemptIsAborted(t *testing.T) {
	t.Parallel()
	cause := errors.New("aborted")
	a := NewAttempts(cause)
	ctx, done, ok := a.Begin(t.Context(), "dlv_1")
	if !ok {
		t.Fatal("did not begin")
	}
	if _, _, again := a.Begin(t.Context(), "dlv_1"); again {
		t.Error("a second attempt of the delivery began beside the first")
	}
	if a.Abort("dlv_2"); ctx.Err() != nil {
		t.Error("another delivery's abort ended this one")
	}
	if a.Abort("dlv_1"); !errors.Is(context.Cause(ctx), cause) {
		t.Errorf("ended by %v", context.Cause(ctx))
	}
	done()
	if next, _, ok := a.Begin(t.Context(), "dlv_1"); !ok || next.Err() != nil {
		t.Errorf("the next attempt: began %t, %v", ok, next.Err())
	}
}

func recordOf(delivery, attempt string) switchboard.Record {
	return switchboard.Record{Attempt: switchboard.Attempt{ID: attempt, DeliveryID: delivery}}
}

func TestBuffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBuffer()
		ctx, stop := context.WithCancel(t.Context())
		waited := make(chan bool)
		go func() { waited <- b.Wait(ctx) }()
		synctest.Wait()
		b.Put(recordOf("dlv_1", "att_1"))
		if !<-waited {
			t.Fatal("Wait ended without an attempt")
		}
		b.Put(recordOf("dlv_1", "att_2")) // the later attempt counts
		b.Put(recordOf("dlv_2", "att_3"))
		b.Remove(recordOf("dlv_1", "att_1"))
		if r, ok := b.Get("dlv_1"); !ok || r.Attempt.ID != "att_2" {
			t.Errorf("holds %+v, %t; want the later attempt", r, ok)
		}
		if diff := cmp.Diff([]string{"dlv_1", "dlv_2"}, slices.Sorted(slices.Values(b.Deliveries()))); diff != "" {
			t.Error(diff)
		}
		b.Remove(recordOf("dlv_1", "att_2"))
		b.Remove(recordOf("dlv_2", "att_3"))
		go func() { waited <- b.Wait(ctx) }()
		synctest.Wait()
		stop()
		if <-waited {
			t.Error("Wait found an attempt in an empty buffer")
		}
	})
}

// TestUnrecordedOutcome: the attempt can be made again from what Temporal holds, except for the
// response, and its JSON uses the common words.
func TestUnrecordedOutcome(t *testing.T) {
	t.Parallel()
	made := switchboard.Attempt{
		ID: "att_1", DeliveryID: "dlv_1", Number: 3, At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Timeout: 6 * time.Second,
		Load: 0.8, MaxAttempts: 12, IntervalFactor: 1.8, Request: switchboard.SentRequest{Method: "POST", Bytes: 16},
		Outcome: switchboard.Outcome{
			StatusCode: 503, Failure: switchboard.FailureHTTP5xx, Latency: time.Second, RetryAfter: time.Minute, Permanent: true, Requests: 2,
		},
	}
	text, err := json.Marshal(OutcomeOf(switchboard.Record{Attempt: made, Generation: 2}))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{`"generation":2`, `"max_attempts":12`, `"interval_factor":1.8`} {
		if !strings.Contains(string(text), name) {
			t.Errorf("no %s in %s", name, text)
		}
	}
	var u UnrecordedOutcome
	if err := json.Unmarshal(text, &u); err != nil {
		t.Fatal(err)
	}
	want := made
	want.Outcome.Detail, want.Outcome.Response.Truncated = u.detail(), true
	if diff := cmp.Diff(want, u.Attempt("dlv_1")); diff != "" {
		t.Error(diff)
	}
}
