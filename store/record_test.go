package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

func TestRecordMovesTheDelivery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.delivery("acme")
	b.advance(time.Minute)

	// A failure: dated from the end of the attempt, and off the outbox.
	a := b.attempt(d, 1, 503)
	got, err := b.Record(t.Context(), switchboard.Record{Attempt: a, Decision: switchboard.Decision{State: switchboard.StateRetrying, Reason: "http_503", Wait: 7 * time.Second}, TemporalRunID: "run_1", Generation: 1})
	must(t, err)
	want := d
	want.State, want.Reason, want.AttemptsMade, want.LastStatusCode, want.LastFailure = switchboard.StateRetrying, "http_503", 1, 503, switchboard.FailureHTTP5xx
	want.NextAttemptAt, want.TemporalRunID, want.DispatchAt = a.At.Add(20*time.Millisecond+7*time.Second), "run_1", time.Time{}
	equal(t, "retrying", got, want)
	equal(t, "stored", b.read(d.ID), want)
	equal(t, "start due", b.startDue(d.ID), time.Time{})

	// The same attempt again has no effect, whatever it contains now.
	changed := a
	changed.Outcome.StatusCode, changed.Outcome.Failure = 200, ""
	got, err = b.Record(t.Context(), switchboard.Record{Attempt: changed, Decision: switchboard.Decision{State: switchboard.StateDelivered}, TemporalRunID: "run_2", Generation: 1})
	must(t, err)
	equal(t, "repeated", got, want)

	// Success: final, completed when the response ended.
	b.advance(time.Minute)
	second := b.attempt(d, 2, 200)
	got, err = b.Record(t.Context(), switchboard.Record{Attempt: second, Decision: switchboard.Decision{State: switchboard.StateDelivered}, TemporalRunID: "run_1", Generation: 1})
	must(t, err)
	want.State, want.Reason, want.AttemptsMade, want.LastStatusCode, want.LastFailure = switchboard.StateDelivered, "", 2, 200, ""
	want.NextAttemptAt, want.CompletedAt = time.Time{}, second.At.Add(20*time.Millisecond)
	equal(t, "delivered", got, want)

	detail, err := b.Delivery(t.Context(), of("acme"), d.ID)
	must(t, err)
	equal(t, "detail", history(detail), switchboard.DeliveryDetail{Delivery: want, Attempts: []switchboard.Attempt{a, second}, Actions: []switchboard.Action{}})
}

// TestRecordKeepsWhatIsPermanent: with the decision and with the outcome itself, also if a caller
// waits for the response, and until the delivery is started again.
func TestRecordKeepsWhatIsPermanent(t *testing.T) {
	t.Parallel()
	for name, awaited := range map[string]bool{"alone": false, "awaited": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			d := b.delivery("acme")
			must(t, second(b.sql.Exec("UPDATE deliveries SET response_awaited = $1", awaited)))
			a := b.attempt(d, 1, 0)
			a.Outcome.Failure, a.Outcome.Permanent = switchboard.FailureForbidden, true
			got, err := b.Record(t.Context(), switchboard.Record{Attempt: a, Decision: switchboard.Decision{State: switchboard.StateFailed, Reason: "forbidden_address", Permanent: true}, TemporalRunID: "r", Generation: 1})
			must(t, err)
			detail, err := b.Delivery(t.Context(), root(), d.ID)
			must(t, err)
			equal(t, "answered, read, its attempt", []bool{got.Permanent, detail.Delivery.Permanent, detail.Attempts[0].Outcome.Permanent}, []bool{true, true, true})
			again, _, err := b.Retry(t.Context(), root(), d.ID, "")
			must(t, err)
			equal(t, "retried", []bool{again.Permanent, b.read(d.ID).Permanent}, []bool{false, false})
			a = b.attempt(d, 2, 503)
			got, err = b.Record(t.Context(), switchboard.Record{Attempt: a, Decision: switchboard.Decision{State: switchboard.StateFailed, Reason: "http_503"}, TemporalRunID: "r", Generation: 2})
			must(t, err)
			equal(t, "used up", []bool{got.Permanent, b.read(d.ID).Permanent}, []bool{false, false})
		})
	}
}

// An attempt whose number is already used gets the next one, and keeps that if it is recorded
// again: the caller need not know that it was recorded.
func TestRecordOfATakenNumberMayBeRepeated(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.delivery("acme")
	retrying := switchboard.Decision{State: switchboard.StateRetrying, Reason: "http_503", Wait: time.Minute}
	first, other := b.attempt(d, 1, 503), b.attempt(d, 1, 503)
	for _, a := range []switchboard.Attempt{first, other, other, first, other} {
		_, err := b.Record(t.Context(), switchboard.Record{Attempt: a, Decision: retrying, TemporalRunID: "run_1", Generation: 1})
		must(t, err)
	}
	detail, err := b.Delivery(t.Context(), root(), d.ID)
	must(t, err)
	other.Number = 2
	equal(t, "attempts", detail.Attempts, []switchboard.Attempt{first, other})
	equal(t, "made", detail.Delivery.AttemptsMade, 2)
}

func TestRecordLeavesAFinalDeliveryWhereItIs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.delivery("acme")
	cancelled, err := b.Cancel(t.Context(), root(), d.ID, "")
	must(t, err)
	got := b.record(d, 1, 200) // it was running
	want := cancelled
	want.AttemptsMade, want.LastStatusCode, want.TemporalRunID = 1, 200, "run_of_"+d.ID
	equal(t, "cancelled", got, want)
}

func TestRecordOfAnEarlierRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.record(b.delivery("acme"), 1, 410)
	second, _, err := b.Retry(t.Context(), root(), d.ID, "")
	must(t, err)

	// The second run's attempt is number 2, and then the first run's number 2 comes in late.
	b.advance(time.Second)
	own := b.record(second, 2, 503)
	late := b.attempt(d, 2, 200)
	got, err := b.Record(t.Context(), switchboard.Record{Attempt: late, Decision: switchboard.Decision{State: switchboard.StateDelivered}, TemporalRunID: "run_1", Generation: 1})
	must(t, err)
	want := own
	want.AttemptsMade, want.PriorAttempts, want.LastStatusCode, want.LastFailure = 3, 2, 200, "" // the run has used one of its own
	equal(t, "after the late attempt", got, want)
	detail, err := b.Delivery(t.Context(), root(), d.ID)
	must(t, err)
	if len(detail.Attempts) != 3 || detail.Attempts[2].ID != late.ID {
		t.Errorf("attempts: %+v", detail.Attempts)
	}
	// A late attempt that comes in first does not remove the start from the outbox.
	third := b.record(got, 4, 410)
	fourth, _, err := b.Retry(t.Context(), root(), third.ID, "")
	must(t, err)
	_, err = b.Record(t.Context(), switchboard.Record{Attempt: b.attempt(d, 5, 200), Decision: switchboard.Decision{State: switchboard.StateDelivered}, TemporalRunID: "run_1", Generation: 1})
	must(t, err)
	equal(t, "start due", b.startDue(d.ID), b.clock().Add(5*time.Second))
	equal(t, "state", b.read(d.ID).State, fourth.State)
}

// The aborted attempt of the run before may be recorded after the retry.
func TestRecordOfAnEarlierRunUsesUpNoneOfTheNew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.delivery("acme")
	_, err := b.Cancel(t.Context(), root(), d.ID, "")
	must(t, err)
	_, _, err = b.Retry(t.Context(), root(), d.ID, "")
	must(t, err)
	late := b.record(d, 1, 0)
	equal(t, "run, attempts made, and before the run", []int{late.Generation, late.AttemptsMade, late.PriorAttempts}, []int{2, 1, 1})
}

func TestRecordWhatNoTextMayHold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.delivery("acme")
	a := b.attempt(d, 1, 500)
	a.Outcome.Detail = "nul \x00 and \xff"
	a.Outcome.Response.Headers = map[string]string{"X-\x00": "\x00\xfe"}
	a.Outcome.Response.Body = nil
	_, err := b.Record(t.Context(), switchboard.Record{Attempt: a, Decision: switchboard.Decision{State: switchboard.StateFailed, Reason: "http_500"}, TemporalRunID: "r", Generation: 1})
	must(t, err)
	detail, err := b.Delivery(t.Context(), root(), d.ID)
	must(t, err)
	equal(t, "detail", detail.Attempts[0].Outcome.Detail, "nul \uFFFD and \uFFFD")
	equal(t, "headers", detail.Attempts[0].Outcome.Response.Headers, map[string]string{"X-\uFFFD": "\uFFFD\uFFFD"})
}

// TestRecordOneThatCannotBeStored: it does not affect the others in its batch.
func TestRecordOneThatCannotBeStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	deliveries := []switchboard.Delivery{b.delivery("a"), b.delivery("b"), b.delivery("c"), b.delivery("d")}
	errs := make([]error, len(deliveries)+1)
	var group sync.WaitGroup
	for i, d := range deliveries {
		group.Go(func() {
			decision := switchboard.Decision{State: switchboard.StateDelivered}
			if i == 1 {
				decision = switchboard.Decision{State: switchboard.StateFailed} // without a reason, which the schema refuses
			}
			_, errs[i] = b.Record(t.Context(), switchboard.Record{Attempt: b.attempt(d, 1, 200), Decision: decision, TemporalRunID: "r", Generation: 1})
		})
	}
	group.Go(func() {
		unknown := switchboard.Delivery{ID: "dlv_none"}
		_, errs[len(deliveries)] = b.Record(t.Context(), switchboard.Record{Attempt: b.attempt(unknown, 1, 200), Decision: switchboard.Decision{State: switchboard.StateDelivered}, TemporalRunID: "r", Generation: 1})
	})
	group.Wait()
	refused(t, "without a reason", errs[1], switchboard.CodeInternal, "")
	refused(t, "no such delivery", errs[4], switchboard.CodeNotFound, "")
	for _, i := range []int{0, 2, 3} {
		must(t, errs[i])
		equal(t, "state", b.read(deliveries[i].ID).State, switchboard.StateDelivered)
	}
	equal(t, "state of the one refused", b.read(deliveries[1].ID), deliveries[1])
}

// TestConcurrentCallsShareCommits counts the transactions that wrote.
func TestConcurrentCallsShareCommits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "*")
	const calls = 400
	var mu sync.Mutex
	var deliveries []switchboard.Delivery
	each := func(work func()) {
		var group sync.WaitGroup
		for range calls {
			group.Go(work)
		}
		group.Wait()
	}
	each(func() {
		got, err := b.Accept(t.Context(), root(), []switchboard.Event{event("acme", "")})
		if err != nil || len(got[0].Deliveries) != 1 {
			t.Errorf("%v, %v", got, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		deliveries = append(deliveries, got[0].Deliveries...)
	})
	next := 0
	each(func() {
		mu.Lock()
		d := deliveries[next]
		next++
		mu.Unlock()
		if _, err := b.Record(t.Context(), switchboard.Record{Attempt: b.attempt(d, 1, 200), Decision: switchboard.Decision{State: switchboard.StateDelivered}, TemporalRunID: "r", Generation: 1}); err != nil {
			t.Error(err)
		}
	})
	for _, table := range []string{"events", "attempts"} {
		var rows, transactions int
		must(t, b.sql.Get(&rows, "SELECT count(*) FROM "+table))
		must(t, b.sql.Get(&transactions, "SELECT count(DISTINCT xmin::text) FROM "+table))
		t.Logf("%s: %d rows in %d transactions", table, rows, transactions)
		equal(t, table, rows, calls)
		if transactions > calls/4 {
			t.Errorf("%s: %d rows took %d transactions", table, rows, transactions)
		}
	}
}
