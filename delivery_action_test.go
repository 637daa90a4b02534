package switchboard

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestAvailableActions: the possible actions on a delivery in each state, by each role, and with a
// deleted subscription or erased data. R C H L S: retry, cancel, hold, release, resend.
func TestAvailableActions(t *testing.T) {
	t.Parallel()
	active := &Subscription{State: SubscriptionActive}
	paused := &Subscription{State: SubscriptionPaused}
	erased := Errorf(CodeConflict, "the data are erased")
	bound, unbound := Caller{Role: RoleIntegrator, Tenant: "acme"}, Caller{Role: RoleIntegrator}
	support, admin := Caller{Role: RoleSupport}, Caller{Role: RoleAdmin}
	healthy := Surroundings{Subscription: active, Health: &Health{}}
	deleted := Surroundings{Subscription: &Subscription{State: SubscriptionActive, DeletedAt: walkNow}, Health: &Health{}}
	empty := Surroundings{Subscription: active, Health: &Health{}, NothingToSend: erased}
	for _, c := range []struct {
		state        State
		reason       string
		caller       Caller
		surroundings Surroundings
		want         string
	}{
		{StatePending, "", support, healthy, "R C H - S"},
		{StateRetrying, "http_503", support, healthy, "R C H - S"},
		{StateHeld, ReasonOperator, support, healthy, "- C - L S"},
		{StateHeld, ReasonOperator, support, Surroundings{Subscription: paused}, "- C - L S"}, // it stays held, for that reason
		{StateHeld, ReasonSubscriptionPaused, support, Surroundings{Subscription: paused}, "- C H - S"},
		{StateHeld, ReasonSubscriptionPaused, support, healthy, "- C H L S"}, // its release is running
		{StateHeld, ReasonBreakerOpen, support, Surroundings{Subscription: active, Health: &Health{Breaker: BreakerOpen}}, "- C H - S"},
		{StateHeld, ReasonRateLimited, support, Surroundings{Subscription: active, Health: &Health{QueueReason: ReasonRateLimited}}, "- C H - S"},
		{StateBlocked, ReasonEarlierDeliveryOpen, support, healthy, "- C H - S"},
		{StateDelivered, "", support, healthy, "R - - - S"},
		{StateFailed, "http_410", support, healthy, "R - - - S"},
		{StateCancelled, ReasonOperator, support, healthy, "R - - - S"},

		{StatePending, "", support, deleted, "- C - - -"},
		{StateHeld, ReasonOperator, support, deleted, "- C - L -"}, // the release ends it
		{StateDelivered, "", support, deleted, "- - - - -"},
		{StateCancelled, ReasonSubscriptionDeleted, support, deleted, "- - - - -"},
		{StatePending, "", support, empty, "R C H - -"},
		{StateDelivered, "", support, empty, "- - - - -"},
		{StateFailed, "http_410", support, empty, "- - - - -"},

		{StateRetrying, "http_503", admin, healthy, "R C H - S"},
		{StateRetrying, "http_503", bound, healthy, "R - - - S"},
		{StateRetrying, "http_503", unbound, healthy, "- - - - -"},
		{StateRetrying, "http_503", Caller{Role: RoleViewer}, healthy, "- - - - -"},
		{StateRetrying, "http_503", Caller{Role: RolePublisher}, healthy, "- - - - -"},
	} {
		d := inState(c.state)
		d.Reason = c.reason
		before := d
		var got []string
		for i, a := range AvailableActions(walkNow.Add(time.Second), d, c.caller, c.surroundings) {
			letter := "-"
			if a.Allowed {
				letter = string("RCHLS"[i])
			}
			if got = append(got, letter); a.Allowed != (a.WhyNot == "") || strings.Contains(a.WhyNot, d.ID) {
				t.Errorf("%s %s: %+v", c.state, c.reason, a)
			}
		}
		if text := strings.Join(got, " "); text != c.want || d != before {
			t.Errorf("%s %s by %+v with %+v: %s, want %s", c.state, c.reason, c.caller, c.surroundings, text, c.want)
		}
	}
}

func TestExpectation(t *testing.T) {
	t.Parallel()
	three, four := 3, 4
	for _, c := range []struct {
		expect Expectation
		says   string // empty: it is met
	}{
		{Expectation{}, ""},
		{Expectation{State: StateRetrying, Generation: 2, Attempts: &three}, ""},
		{Expectation{State: StatePending}, "it is retrying, and not pending"},
		{Expectation{Generation: 1}, "its generation is 2, and not 1"},
		{Expectation{Attempts: &four}, "it has made 3 attempts, and not 4"},
	} {
		d := inState(StateRetrying)
		err := c.expect.Act(walkNow, &d, func() error { return d.Cancel(walkNow, ReasonOperator, walkNow) })
		if c.says == "" {
			if err != nil || d.State != StateCancelled {
				t.Errorf("%+v: %v", c.expect, err)
			}
			continue
		}
		conflict, ok := err.(*StandingConflict) //nolint:errorlint // nothing may wrap it
		want := Standing{State: StateRetrying, Generation: 2, Attempts: 3, Reason: "some reason"}
		if !ok || CodeOf(err) != CodeConflict || conflict.Current != want || !strings.Contains(err.Error(), c.says) || d.State != StateRetrying {
			t.Errorf("%s: %v, %+v", fmt.Sprint(c.expect), err, conflict)
		}
	}
}
