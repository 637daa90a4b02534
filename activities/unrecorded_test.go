package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

func TestLatestUnrecordedOutcomeCounts(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	first := &inflight.UnrecordedOutcome{AttemptID: "att_1", Number: 1, Generation: 1, At: time.Now(), StatusCode: 503, Failure: switchboard.FailureHTTP5xx}
	d.loaded.Delivery.State, d.loaded.Delivery.AttemptsMade = switchboard.StateRetrying, 1 // it is recorded now
	d.recordErr = switchboard.Errorf(switchboard.CodeUnavailable, "Postgres is away")
	if _, err := d.attempt(activities.AttemptInput{Unrecorded: first}); err == nil || d.sent != 1 {
		t.Fatalf("ended with %v after %d requests, want an error of our own after the second attempt", err, d.sent)
	}
	d.recordErr = nil // the second's heartbeat is lost with Temporal
	if _, err := d.attempt(activities.AttemptInput{Unrecorded: first}); err != nil || d.sent != 1 || len(d.recorded) != 1 || d.recorded[0].Number != 2 {
		t.Errorf("ended with %v after %d requests, recorded %v; want the second's outcome recorded, and no request", err, d.sent, d.recorded)
	}
}

func TestUnrecordedOutcomeOfAnEarlierGenerationIsThatGenerations(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.loaded.Delivery.Generation = 2
	outcome := &inflight.UnrecordedOutcome{AttemptID: "att_1", Number: 1, Generation: 1, At: time.Now(), StatusCode: 200}
	result, err := d.attempt(activities.AttemptInput{Unrecorded: outcome})
	if err != nil || !result.Outdated || d.sent != 0 {
		t.Errorf("ended %v, %v after %d requests; want an end without one", result, err, d.sent)
	}
	if len(d.generations) != 1 || d.generations[0] != 1 {
		t.Errorf("recorded for the generations %v, want 1", d.generations)
	}
}

func TestUnrecordedOutcomeIsRecordedAndNotSentAgain(t *testing.T) {
	t.Parallel()
	outcome := &inflight.UnrecordedOutcome{AttemptID: "att_1", Number: 1, Generation: 1, At: time.Now(), StatusCode: 200}
	for name, attempt := range map[string]func(*fakeStore) (activities.AttemptResult, error){
		"by the workflow": func(d *fakeStore) (activities.AttemptResult, error) {
			return d.attempt(activities.AttemptInput{Unrecorded: outcome})
		},
		"by the heartbeat": func(d *fakeStore) (activities.AttemptResult, error) {
			return d.attempt(activities.AttemptInput{}, outcome)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeStore(t)
			result, err := attempt(d)
			if err != nil || result.State != switchboard.StateDelivered || d.sent != 0 || len(d.recorded) != 1 {
				t.Fatalf("ended %v, %v after %d requests, %d recorded", result, err, d.sent, len(d.recorded))
			}
			if !d.recorded[0].Outcome.Response.Truncated {
				t.Error("the answer, which is lost, is recorded as one that was empty")
			}
		})
	}
}

func TestOutcomeThatCannotBeRecordedIsAnErrorWithADate(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.recordErr = switchboard.Errorf(switchboard.CodeUnavailable, "Postgres is away")
	_, err := d.attempt(activities.AttemptInput{})
	if kind, wait := delay(t, err); kind != "infrastructure" || wait <= 0 {
		t.Errorf("failed as %s for %s, want an error of our own with a date", kind, wait)
	}
	if d.sent != 1 {
		t.Errorf("%d requests, want 1", d.sent)
	}
}

// The SDK drops the result of a local activity that also returns an error.
func TestLocalAttemptReturnsTheUnrecordedOutcome(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	away := switchboard.Errorf(switchboard.CodeUnavailable, "Postgres is away")
	d.recordErr = away
	if _, err := d.attempt(activities.AttemptInput{}); err == nil {
		t.Fatal("ended, want an error of our own")
	}
	d.loadErr = away
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	value, err := suite.NewTestActivityEnvironment().ExecuteLocalActivity(d.Deliveries.Attempt, activities.AttemptInput{DeliverInput: activities.DeliverInput{DeliveryID: "dlv_1", Generation: 1}})
	if err != nil {
		t.Fatal(err)
	}
	var result activities.AttemptResult
	if err := value.Get(&result); err != nil || result.Unrecorded == nil || result.Unrecorded.Number != 1 || d.sent != 1 {
		t.Errorf("handed on %+v, %v after %d requests; want the first's outcome", result.Unrecorded, err, d.sent)
	}
}

// If Temporal loses its data too, for example if both use one Postgres.
func TestUnrecordedOutcomeIsInTheProcessToo(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.recordErr = switchboard.Errorf(switchboard.CodeUnavailable, "Postgres is away")
	if _, err := d.attempt(activities.AttemptInput{}); err == nil {
		t.Fatal("ended, want an error of our own")
	}
	d.recordErr = nil
	result, err := d.attempt(activities.AttemptInput{}) // with neither input nor heartbeat
	if err != nil || result.State != switchboard.StateDelivered || d.sent != 1 || len(d.recorded) != 1 {
		t.Fatalf("ended %v, %v after %d requests, %d recorded", result, err, d.sent, len(d.recorded))
	}
	if d.recorded[0].Outcome.Response.Truncated {
		t.Error("the answer, which this process has whole, is recorded as one that was lost")
	}
}

// Temporal may give the attempt to another worker as soon as it is available again.
func TestUnrecordedOutcomeIsFlushedWithoutItsActivity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFakeStore(t)
		d.recordErr = switchboard.Errorf(switchboard.CodeUnavailable, "Postgres is away")
		if _, err := d.attempt(activities.AttemptInput{}); err == nil {
			t.Fatal("ended, want an error of our own")
		}
		d.recordErr = nil
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		activities.FlushUnrecorded(ctx, d.Deliveries)
		if len(d.recorded) != 1 || d.recorded[0].Number != 1 {
			t.Errorf("recorded %v, want the first attempt once", d.recorded)
		}
	})
}

// TestOutcomeThatPostgresRefuses: Postgres is available and refuses it. The delivery says so, and
// nothing tries again between its executions, because each try prevents others from sharing a
// commit.
func TestOutcomeThatPostgresRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFakeStore(t)
		var log strings.Builder
		d.Log, d.recordErr = slog.New(slog.NewTextHandler(&log, nil)), errors.New("violates a constraint")
		_, err := d.attempt(activities.AttemptInput{})
		if kind, wait := delay(t, err); kind != "infrastructure" || wait <= 0 {
			t.Errorf("failed as %s for %s, want an error of our own with a date", kind, wait)
		}
		if want := switchboard.WaitingForSwitchboard("the outcome of its attempt cannot be stored"); d.loaded.Delivery.Reason != want {
			t.Errorf("the delivery says %q, want %q", d.loaded.Delivery.Reason, want)
		}
		flushing, stop := context.WithCancel(t.Context())
		flushed := make(chan struct{})
		go func() { activities.FlushUnrecorded(flushing, d.Deliveries); close(flushed) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if d.refused > 2 {
			t.Errorf("%d tries to record within a minute and an execution, want one of each", d.refused)
		}
		log.Reset()
		if _, err := d.attempt(activities.AttemptInput{}); err == nil || d.sent != 1 || !strings.Contains(log.String(), "violates a constraint") {
			t.Errorf("%v after %d requests, logged %q; want an error with its cause in the log", err, d.sent, log.String())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if d.refused > 4 {
			t.Errorf("%d tries to record, want no more by the buffer", d.refused)
		}
		d.recordErr = nil
		if result, err := d.attempt(activities.AttemptInput{}); err != nil || result.State != switchboard.StateDelivered || d.sent != 1 {
			t.Errorf("ended %v, %v after %d requests; want it recorded", result, err, d.sent)
		}
		stop()
		<-flushed
	})
}
