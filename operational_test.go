package switchboard

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOperationalTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, eventType string
		want               bool
	}{
		{"*", "ticket.created", true},
		{"*", "switchboard.breaker.opened", false},
		{"*", "Switchboard.Breaker.Opened", false},
		{"*", "switchboardish.opened", true},
		{"switchboard.*", "switchboard.breaker.opened", true},
		{"SWITCHBOARD.breaker.*", "switchboard.breaker.opened", true},
		{"switchboard.breaker.opened", "switchboard.breaker.opened", true},
		{"switchboard.delivery.*", "switchboard.breaker.opened", false},
		{"switchboard", "switchboard.breaker.opened", false},
	} {
		if got := (&Subscription{Events: []string{c.pattern}}).Wants(c.eventType); got != c.want {
			t.Errorf("%s takes %s: %v", c.pattern, c.eventType, got)
		}
	}
}

func TestOperationalEvents(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC) }
	health := &Health{
		SubscriptionID: "sub_1", Breaker: BreakerOpen, BreakerSince: at(2), BreakerReason: "10 attempts in a row failed", FailingSince: at(1), ProbeAt: at(3),
		Attempts: 5, Failures: 4, PreviousAttempts: 7, PreviousFailures: 6, FailuresInARow: 10, LastFailureReason: "http_503",
	}
	breaker := OperationalBreaker{Since: at(2), FailingSince: at(1), Attempts: 12, Failures: 10, FailuresInARow: 10, LastFailure: "http_503"}
	opened := breaker
	opened.NextProbeAt = at(3)
	subscription := OperationalSubscription{ID: "sub_1"}
	delivery := &Delivery{
		ID: "dlv_1", EventID: "evt_1", EventType: "ticket.created", SubscriptionID: "sub_1", State: StateFailed, Reason: "http_500", AttemptsMade: 3, Generation: 2,
		LastStatusCode: 500, LastFailure: FailureHTTP5xx, CreatedAt: at(0), CompletedAt: at(9),
	}
	for _, c := range []struct{ got, want OperationalEvent }{
		{NewBreakerOpened(health), OperationalEvent{EventBreakerOpened, "switchboard.breaker.opened:sub_1:1772366520000000", OperationalData{
			Subscription: subscription, At: at(2), Reason: "10 attempts in a row failed", Breaker: &opened,
		}}},
		{NewBreakerClosed(health, at(8), "resumed by marta"), OperationalEvent{EventBreakerClosed, "switchboard.breaker.closed:sub_1:1772366880000000", OperationalData{
			Subscription: subscription, At: at(8), Reason: "resumed by marta", Breaker: &breaker,
		}}},
		{NewSubscriptionDisabled(&Subscription{ID: "sub_1", State: SubscriptionDisabled, StateReason: "gone", StateSince: at(7), StateBy: "switchboard"}), OperationalEvent{
			EventSubscriptionDisabled, "switchboard.subscription.disabled:sub_1:1772366820000000", OperationalData{
				Subscription: subscription, At: at(7), Reason: "gone", Disabled: &OperationalDisabled{Since: at(7), By: "switchboard"},
			},
		}},
		{NewDeliveryFailed(delivery), OperationalEvent{EventDeliveryFailed, "switchboard.delivery.failed:dlv_1:2", OperationalData{
			Subscription: subscription, At: at(9), Reason: "all attempts are used up: attempt 3 was the last", Delivery: &OperationalDelivery{
				ID: "dlv_1", EventID: "evt_1", EventType: "ticket.created", AcceptedAt: at(0), Reason: "http_500", Attempts: 3, Generation: 2, LastStatusCode: 500, LastFailure: FailureHTTP5xx,
			},
		}}},
		{NewOperationFinished(&Operation{
			ID: "op_1", Tenant: "acme", SubscriptionID: "sub_1", Action: ActionRetry, Reason: "repaired", Actor: "key_1", Person: "marta", Total: 3, Done: 2, Skipped: 1, CreatedAt: at(1), FinishedAt: at(9),
		}), OperationalEvent{EventOperationFinished, "switchboard.operation.finished:op_1", OperationalData{
			Tenant: "acme", At: at(9), Reason: "repaired", Operation: &OperationalOperation{ID: "op_1", Action: ActionRetry, SubscriptionID: "sub_1", By: "marta", StartedAt: at(1), Total: 3, Done: 2, Skipped: 1},
		}}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: %s", c.want.Type, diff)
		}
		if e := (&Event{ID: c.got.ID, Tenant: OperatorTenant, Type: c.got.Type, Data: []byte("{}")}); e.Validate(2) != nil {
			t.Errorf("%s: %v", c.want.Type, e.Validate(2))
		}
	}
}

// TestCheckPosted: nobody else may post Switchboard's own events.
func TestCheckPosted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event Event
		field string // empty: it may be posted
	}{
		"an event":              {Event{ID: "evt_1", Tenant: "acme", Type: "ticket.created"}, ""},
		"no id":                 {Event{Tenant: "acme", Type: "ticket.created"}, ""},
		"a word that is longer": {Event{ID: "switchboards.1", Tenant: "acme", Type: "switchboards.sold"}, ""},
		"for the operators":     {Event{ID: "evt_1", Tenant: "_operator", Type: "ticket.created"}, "tenant"},
		"an operational type":   {Event{ID: "evt_1", Tenant: "acme", Type: "switchboard.delivery.failed"}, "type"},
		"in another case":       {Event{ID: "evt_1", Tenant: "acme", Type: "SwitchBoard.test"}, "type"},
		"an operational id":     {Event{ID: "switchboard.delivery.failed:dlv_1:1", Tenant: "acme", Type: "ticket.created"}, "id"},
	} {
		err := c.event.CheckPosted()
		var field string
		if e, ok := err.(*Error); ok { //nolint:errorlint // it is the error itself
			field = e.Field
		}
		if field != c.field || (err == nil) != (c.field == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOperatorTenant: the operators' tenant is only for subscriptions, and only operators see it.
func TestOperatorTenant(t *testing.T) {
	t.Parallel()
	if err := validateOwner(OperatorTenant); err != nil {
		t.Error(err)
	}
	if ValidateTenant(OperatorTenant) == nil || validateOwner("_other") == nil {
		t.Error("a tenant whose name begins with _ is valid")
	}
	for _, c := range []struct {
		caller Caller
		want   bool
	}{
		{Caller{}, true},
		{Caller{Role: RoleAdmin}, true},
		{Caller{Role: RoleSupport}, true},
		{Caller{Role: RoleViewer}, true},
		{Caller{Role: RoleIntegrator}, false},
		{Caller{Role: RolePublisher}, false},
		{Caller{Role: RoleAdmin, Tenant: "acme"}, false},
		{Caller{Role: RoleViewer, Tenant: "acme"}, false},
	} {
		if got := c.caller.Sees(OperatorTenant); got != c.want {
			t.Errorf("%+v sees it: %v", c.caller, got)
		}
	}
}
