package switchboard

import (
	"errors"
	"testing"
	"time"
)

func TestCheckSelection(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		action ActionKind
		filter Selection
		field  string // the refused field; empty: none
	}{
		{"a tenant", ActionRetry, Selection{Tenant: "acme"}, ""},
		{"an unknown action", "resend", Selection{Tenant: "acme"}, "action"},
		{"no action", "", Selection{Tenant: "acme"}, "action"},
		{"everything", ActionCancel, Selection{}, "filter"},
		{"an unknown state", ActionRetry, Selection{States: []State{"open"}}, "filter.state"},
		{"a state that the action does not apply to", ActionRetry, Selection{States: []State{StateHeld}}, "filter.state"},
		{"one of two states", ActionRetry, Selection{States: []State{StateHeld, StateFailed}}, ""},
		{"an unknown failure", ActionRetry, Selection{Failure: "bad_luck"}, "filter.failure"},
		{"an impossible status code", ActionRetry, Selection{StatusCode: 99}, "filter.status_code"},
		{"no time", ActionRetry, Selection{After: at, Before: at}, "filter.before"},
		{"a key", ActionRetry, Selection{Key: "k"}, "filter.key"},
		{"a replay", ActionReplay, Selection{Subscription: "sub_1", Key: "k"}, ""},
		{"a replay to nobody", ActionReplay, Selection{Tenant: "acme"}, "filter.subscription"},
		{"a replay of a state", ActionReplay, Selection{Subscription: "sub_1", States: []State{StateFailed}}, "filter.state"},
		{"too many ids", ActionRetry, Selection{IDs: make([]string, MaxPage+1)}, "filter.id"},
		{"a replay of ids", ActionReplay, Selection{Subscription: "sub_1", IDs: []string{"dlv_1"}}, "filter.id"},
		{"a replay of a host", ActionReplay, Selection{Subscription: "sub_1", Host: "h"}, "filter.host"},
	} {
		err := c.filter.Check(c.action)
		refusal, _ := errors.AsType[*Error](err)
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.field != "" && (refusal == nil || refusal.Field != c.field || refusal.Code != CodeInvalid):
			t.Errorf("%s: %v, want field %s", c.name, err, c.field)
		}
	}
	for rate, good := range map[float64]bool{0: false, -1: false, 0.001: false, 0.01: true, 50: true, 1000: true, 1001: false} {
		if err := CheckRate(rate); (err == nil) != good {
			t.Errorf("a rate of %g: %v", rate, err)
		}
	}
}

func TestChangeOperation(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		state   OperationState
		change  OperationChange
		becomes OperationState // empty: a conflict
	}{
		{OperationRunning, PauseOperation, OperationPaused},
		{OperationRunning, CancelOperation, OperationCancelled},
		{OperationRunning, ResumeOperation, ""},
		{OperationPaused, ResumeOperation, OperationRunning},
		{OperationPaused, CancelOperation, OperationCancelled},
		{OperationPaused, PauseOperation, ""},
		{OperationFinished, ResumeOperation, ""},
		{OperationFinished, CancelOperation, ""},
		{OperationCancelled, ResumeOperation, ""},
	} {
		o := Operation{State: c.state, Filter: &Selection{Tenant: "acme"}}
		err := o.Change(now, c.change)
		if c.becomes == "" {
			c.becomes = c.state
			if CodeOf(err) != CodeConflict {
				t.Errorf("%s of one that is %s: %v", c.change, c.state, err)
			}
		} else if err != nil {
			t.Errorf("%s of one that is %s: %v", c.change, c.state, err)
		}
		if o.State != c.becomes || o.State == OperationCancelled && c.state != OperationCancelled && !o.FinishedAt.Equal(now) {
			t.Errorf("%s of one that is %s: it is %s, finished at %s", c.change, c.state, o.State, o.FinishedAt)
		}
	}
}
