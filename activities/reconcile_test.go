package activities_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
)

// fakeOverdue is a store of overdue deliveries that notes the calls.
type fakeOverdue struct {
	overdue []switchboard.Delivery
	found   []switchboard.Delivery
	did     []string
	idle    []string // operations without a workflow
	holds   int      // expired holds
	late    []switchboard.Endpoint
	forgets []string
}

func (l *fakeOverdue) Overdue(_ context.Context, _ time.Duration, after switchboard.Delivery, limit int) ([]switchboard.Delivery, error) {
	at := slices.IndexFunc(l.overdue, func(d switchboard.Delivery) bool {
		return d.NextAttemptAt.Equal(after.NextAttemptAt) && d.ID == after.ID
	}) + 1
	return l.overdue[at:min(at+limit, len(l.overdue))], nil
}

func (l *fakeOverdue) Find(context.Context, []string) ([]switchboard.Delivery, error) {
	return l.found, nil
}

func (l *fakeOverdue) StartNextGeneration(_ context.Context, id string, _ int) error {
	l.did = append(l.did, "restart "+id)
	return nil
}

func (l *fakeOverdue) OperationsToStart(context.Context, time.Duration) ([]string, error) {
	return l.idle, nil
}

func (l *fakeOverdue) ExpireHolds(context.Context) (int, error) { return l.holds, nil }

func (l *fakeOverdue) LateRecoveries(context.Context, time.Duration) ([]switchboard.Endpoint, error) {
	return l.late, nil
}

func (l *fakeOverdue) ForgetHealthy(context.Context) (int, error) {
	l.did = append(l.did, l.forgets...)
	return len(l.forgets), nil
}

func (l *fakeOverdue) CloseDelivery(_ context.Context, id string, _ int, state switchboard.State, reason string, _ switchboard.Action) (switchboard.Delivery, error) {
	l.did = append(l.did, string(state)+" "+id+" "+reason)
	return switchboard.Delivery{}, nil
}

// fakeTemporal is an engine with a prepared state for each delivery's workflow.
type fakeTemporal struct {
	*fakeOverdue
	at        map[string]activities.WorkflowStatus
	closed    []string
	err       error // of describing dlv_1
	describes int
}

func (s *fakeTemporal) Describe(_ context.Context, id string) (activities.WorkflowView, error) {
	s.describes++
	seen := activities.WorkflowView{Status: s.at[id], Generation: 1, TemporalRunID: "latest"}
	if id == "dlv_1" {
		return seen, s.err
	}
	return seen, nil
}

func (s *fakeTemporal) RetryNow(_ context.Context, id string) error {
	s.did = append(s.did, "wake "+id)
	return nil
}

func (s *fakeTemporal) Operate(_ context.Context, id string) error {
	if id == "op_away" {
		return errors.New("Temporal is away")
	}
	s.did = append(s.did, "operate "+id)
	return nil
}

func (s *fakeTemporal) ClosedExternally(context.Context, time.Time) ([]string, error) {
	return s.closed, nil
}

func (s *fakeTemporal) Recover(_ context.Context, id, summary string) error {
	s.did = append(s.did, "recover "+id+": "+summary)
	return s.err
}

func dated(id string) switchboard.Delivery {
	return switchboard.Delivery{ID: id, State: switchboard.StateRetrying, Generation: 1}
}

func TestReconcileRepairsByTheWorkflowsStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[activities.WorkflowStatus][]string{
		activities.WorkflowNotFound:         {"restart dlv_1"},
		activities.WorkflowEnded:            {"restart dlv_1"},
		activities.WorkflowBackingOff:       {"wake dlv_1"},
		activities.WorkflowClosedExternally: {"cancelled dlv_1 terminated"},
		activities.WorkflowRunning:          nil,
		activities.WorkflowPaused:           nil,
	} {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			l := &fakeOverdue{overdue: []switchboard.Delivery{dated("dlv_1")}}
			r := activities.Reconciler{
				Store: l, Engine: &fakeTemporal{fakeOverdue: l, at: map[string]activities.WorkflowStatus{"dlv_1": status}}, Log: slog.New(slog.DiscardHandler),
			}
			result, err := r.Reconcile(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, l.did); diff != "" || result.Overdue != 1 {
				t.Errorf("overdue %d; %s", result.Overdue, diff)
			}
		})
	}
}

func TestReconcileCancelsWhatWasTerminated(t *testing.T) {
	t.Parallel()
	final := dated("dlv_final")
	final.State = switchboard.StateDelivered
	again := dated("dlv_again") // retried after its workflow was terminated, and not started yet
	again.State, again.Generation, again.AttemptsMade, again.PriorAttempts = switchboard.StatePending, 2, 1, 1
	reset := dated("dlv_reset") // of its first generation
	reset.Generation, reset.TemporalRunID = 2, "latest"
	l := &fakeOverdue{found: []switchboard.Delivery{dated("dlv_terminated"), dated("dlv_restarted"), final, again, reset}}
	r := activities.Reconciler{Store: l, Log: slog.New(slog.DiscardHandler), Engine: &fakeTemporal{
		fakeOverdue: l, closed: []string{"dlv_terminated", "dlv_restarted", "dlv_final", "dlv_again", "dlv_reset"},
		at: map[string]activities.WorkflowStatus{
			"dlv_terminated": activities.WorkflowClosedExternally, "dlv_final": activities.WorkflowClosedExternally, "dlv_again": activities.WorkflowClosedExternally,
			"dlv_reset":     activities.WorkflowClosedExternally,
			"dlv_restarted": activities.WorkflowBackingOff, // a later one is open
		},
	}}
	if _, err := r.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cancelled dlv_terminated terminated", "cancelled dlv_reset terminated"}, l.did); diff != "" {
		t.Error(diff)
	}
}

func TestReconcileStartsWhatWasTerminatedBeforeItWasRetried(t *testing.T) {
	t.Parallel()
	again := dated("dlv_2")
	again.Generation = 2
	l := &fakeOverdue{overdue: []switchboard.Delivery{again}}
	r := activities.Reconciler{Store: l, Log: slog.New(slog.DiscardHandler), Engine: &fakeTemporal{
		fakeOverdue: l, at: map[string]activities.WorkflowStatus{"dlv_2": activities.WorkflowClosedExternally},
	}}
	if _, err := r.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"restart dlv_2"}, l.did); diff != "" {
		t.Error(diff)
	}
}

func TestReconcileGoesOnAfterOneThatCannotBeRepaired(t *testing.T) {
	t.Parallel()
	l := &fakeOverdue{overdue: []switchboard.Delivery{dated("dlv_1"), dated("dlv_2")}}
	r := activities.Reconciler{Store: l, Log: slog.New(slog.DiscardHandler), Engine: &fakeTemporal{
		fakeOverdue: l, at: map[string]activities.WorkflowStatus{"dlv_2": activities.WorkflowNotFound}, err: errors.New("poisoned"),
	}}
	if _, err := r.Reconcile(t.Context()); err == nil {
		t.Error("the pass counts as complete")
	}
	if diff := cmp.Diff([]string{"restart dlv_2"}, l.did); diff != "" {
		t.Error(diff)
	}
}

// While Temporal is unavailable, each of very many would only use up time.
func TestReconcileGivesUpWhereNothingCanBeRepaired(t *testing.T) {
	t.Parallel()
	l := &fakeOverdue{overdue: slices.Repeat([]switchboard.Delivery{dated("dlv_1")}, 500), idle: []string{"op_1", "op_2", "op_away", "op_3"}, holds: 3}
	engine := &fakeTemporal{fakeOverdue: l, err: errors.New("Temporal is away")}
	result, err := (&activities.Reconciler{Store: l, Log: slog.New(slog.DiscardHandler), Engine: engine}).Reconcile(t.Context())
	if err == nil || engine.describes > 20 {
		t.Errorf("ended with %v after %d describes, want an error after a few", err, engine.describes)
	}
	if want := (activities.ReconcileResult{Overdue: 500, Operations: 2, Expired: 3}); result != want {
		t.Errorf("%+v, want %+v", result, want)
	}
}

// TestReconcileGoesOnAfterWhatItMayNotRepair: a thousand deliveries that an engineer has paused in
// Temporal, or that Temporal fails to describe, must not keep it from the next ones.
func TestReconcileGoesOnAfterWhatItMayNotRepair(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ids  func(int) string // of those that come first
		want int              // passes until the last is reached
	}{
		"paused":              {func(i int) string { return fmt.Sprintf("dlv_paused_%04d", i) }, 3},
		"busy":                {func(i int) string { return fmt.Sprintf("dlv_busy_%04d", i) }, 3},
		"cannot be looked at": {func(int) string { return "dlv_1" }, 0},
		"paused, and some faults": {func(i int) string {
			if i%50 < 12 { // more in a row than end a pass
				return "dlv_1"
			}
			return fmt.Sprintf("dlv_paused_%04d", i)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &fakeOverdue{}
			at := map[string]activities.WorkflowStatus{"dlv_last": activities.WorkflowNotFound}
			for i := range 2000 {
				d := dated(c.ids(i))
				d.NextAttemptAt = time.Unix(int64(i), 0)
				l.overdue = append(l.overdue, d)
				at[d.ID] = activities.WorkflowPaused
				if strings.HasPrefix(d.ID, "dlv_busy") {
					at[d.ID] = activities.WorkflowRunning
				}
			}
			l.overdue = append(l.overdue, dated("dlv_last"))
			l.overdue[2000].NextAttemptAt = time.Unix(2000, 0)
			r := activities.Reconciler{Store: l, Log: slog.New(slog.DiscardHandler), Engine: &fakeTemporal{fakeOverdue: l, at: at, err: errors.New("poisoned")}}
			passes := 0
			for ; len(l.did) == 0 && passes < 10; passes++ {
				_, _ = r.Reconcile(t.Context()) // its error comes from those that cannot be described
			}
			if len(l.did) != 1 || l.did[0] != "restart dlv_last" || c.want != 0 && passes != c.want {
				t.Errorf("did %v in %d passes; want the last restarted, in 3", l.did, passes)
			}
			if _, err := r.Reconcile(t.Context()); len(l.did) != 1 && err == nil {
				t.Errorf("then did %v, %v; want it to begin again with the first", l.did, err)
			}
		})
	}
}

// TestReconcileEndpoints: the missing workflow of an unhealthy endpoint is started, and healthy ones are
// forgotten, also while Temporal is away.
func TestReconcileEndpoints(t *testing.T) {
	t.Parallel()
	late := []switchboard.Endpoint{
		{SubscriptionID: "sub_1", Host: "a.example", Health: switchboard.Health{BreakerReason: "10 attempts in a row failed"}},
		{SubscriptionID: "sub_2", Host: "b.example", Health: switchboard.Health{DeferredUntil: time.Now()}},
	}
	did := []string{"recover sub_1: a.example · 10 attempts in a row failed", "recover sub_2: b.example · the receiver asked to wait", "forget sub_3"}
	for name, c := range map[string]struct {
		err       error
		recovered int
	}{"done": {nil, 2}, "Temporal is away": {errors.New("away"), 0}} {
		store := &fakeOverdue{late: late, forgets: []string{"forget sub_3"}}
		r := activities.Reconciler{Store: store, Engine: &fakeTemporal{fakeOverdue: store, err: c.err}, Log: slog.New(slog.DiscardHandler)}
		result, err := r.Reconcile(t.Context())
		if result.Recovered != c.recovered || (err != nil) != (c.err != nil) || !slices.Equal(store.did, did) {
			t.Errorf("%s: %+v, %v, did %q; want %q", name, result, err, store.did, did)
		}
	}
}

// slowTemporal answers so late that a pass has no time for anything after it.
type slowTemporal struct{ *fakeTemporal }

func (s slowTemporal) Describe(ctx context.Context, _ string) (activities.WorkflowView, error) {
	<-ctx.Done()
	return activities.WorkflowView{}, ctx.Err()
}

// boundedStore does nothing when the pass is over.
type boundedStore struct{ *fakeOverdue }

func (s boundedStore) ExpireHolds(ctx context.Context) (int, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return s.fakeOverdue.ExpireHolds(ctx)
}

func (s boundedStore) LateRecoveries(ctx context.Context, slack time.Duration) ([]switchboard.Endpoint, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return s.fakeOverdue.LateRecoveries(ctx, slack)
}

// TestReconcileWithoutTimeForAll: if the repair of some deliveries takes a whole pass, and the next
// ones too, expired holds, endpoints and operations are still handled.
func TestReconcileWithoutTimeForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &fakeOverdue{overdue: []switchboard.Delivery{dated("dlv_1")}, found: []switchboard.Delivery{dated("dlv_2")}, holds: 3, idle: []string{"op_1"}, late: []switchboard.Endpoint{{SubscriptionID: "sub_1"}}}
		temporal := slowTemporal{&fakeTemporal{fakeOverdue: store, closed: []string{"dlv_2"}}}
		r := &activities.Reconciler{Store: boundedStore{store}, Engine: temporal, Log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		result, err := r.Reconcile(ctx)
		if err == nil {
			t.Error("the pass is incomplete, and says nothing of it")
		}
		if want := (activities.ReconcileResult{Overdue: 1, Recovered: 1, Operations: 1, Expired: 3}); result != want {
			t.Errorf("got %+v, want %+v", result, want)
		}
	})
}
