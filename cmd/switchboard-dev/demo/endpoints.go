package demo

import (
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Where the receivers listen.
const (
	helpDeskPath  = "/help-desk" // works
	crmPath       = "/crm"       // answers 503 now and then
	warehousePath = "/warehouse" // never answers
	billingPath   = "/billing"   // its certificate has expired
	onCallPath    = "/on-call"   // receives the events about breakers
)

const (
	// The CRM's outages: long enough to look at, and so far apart that a bulk retry finds it
	// working.
	outage = 45 * time.Second
	period = 3 * time.Minute
	// So few attempts that they end well within an outage: deliveries that are accepted in it fail,
	// and can be retried in bulk.
	crmAttempts = 3
	// So few that the breaker opens while the first events are posted.
	warehouseFailures = 3
)

// crmFails reports whether the CRM answers 503 at that time after the start.
func crmFails(since time.Duration) bool { return since%period < outage }

// subscriptions are the subscriptions of the demo's tenant.
func (c Config) subscriptions() []switchboard.Subscription {
	receiver, expired := "http://"+c.Receiver, "https://"+c.Expired
	subscriptions := []switchboard.Subscription{
		{Name: "Help desk", Events: []string{"*"}, Request: switchboard.Request{URL: receiver + helpDeskPath}},
		{
			// Its breaker is off, because its deliveries would otherwise be held instead of
			// failing.
			Name: "CRM", Events: []string{"*"}, Request: switchboard.Request{URL: receiver + crmPath}, Breaker: switchboard.Breaker{Mode: switchboard.BreakerOff},
			Retry: switchboard.RetryPolicy{InitialInterval: switchboard.Duration(3 * time.Second), BackoffCoefficient: 1, MaxAttempts: crmAttempts},
		},
		{
			Name: "Warehouse", Events: []string{"*"}, Request: switchboard.Request{URL: receiver + warehousePath}, Timeout: switchboard.Duration(2 * time.Second),
			Breaker: switchboard.Breaker{FailuresInARow: warehouseFailures}, HoldFor: switchboard.Duration(time.Hour),
		},
		{
			Name: "Billing", Events: []string{"ticket.*"}, Request: switchboard.Request{URL: expired + billingPath},
			Retry: switchboard.RetryPolicy{InitialInterval: switchboard.Duration(30 * time.Second)},
		},
		{Name: "On call", Events: []string{switchboard.OperationalPrefix + "breaker.*"}, Request: switchboard.Request{URL: receiver + onCallPath}},
	}
	for i := range subscriptions {
		subscriptions[i].Tenant, subscriptions[i].Request.Body = Tenant, switchboard.BodyEnvelope
	}
	return subscriptions
}
