package api

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// includeHealth requests the health of each endpoint in a list.
const includeHealth = "health"

// endpointHealth describes an endpoint that is unhealthy, or for which deliveries are held.
type endpointHealth struct {
	Breaker         switchboard.BreakerState `json:"breaker" enum:"closed,open,half_open" doc:"open: deliveries are held, except for probes. half_open: no delivery was held that could be the probe, so the next one is the probe" example:"open"`
	Reason          string                   `json:"reason" doc:"Why the breaker is not closed, in words; else empty" example:"10 attempts in a row failed, the last with http_503"`
	BreakerSince    *time.Time               `json:"breaker_since,omitempty" doc:"Since when the breaker is not closed"`
	FailingSince    *time.Time               `json:"failing_since,omitempty" doc:"The first failure after the last success"`
	NextProbeAt     *time.Time               `json:"next_probe_at,omitempty" doc:"When the next probe is sent"`
	ProbeDeliveryID string                   `json:"probe_delivery_id,omitempty" doc:"The current probe" example:"dlv_01k0000000000000000000000"`
	DeferredUntil   *time.Time               `json:"deferred_until,omitempty" doc:"By Retry-After, the receiver asked to send nothing before this time"`
	Queue           string                   `json:"queue,omitempty" doc:"Why deliveries wait for their turn, in order of acceptance: rate_limited or waiting_for_slot" example:"rate_limited"`
	Slow            bool                     `json:"slow" doc:"Its average latency is above a second, and its deliveries use separate slots"`
	Held            heldDeliveries           `json:"held"`
	Release         *runningRelease          `json:"release,omitempty" doc:"The operation that releases held deliveries; left out: none runs"`
}

// heldDeliveries counts what is held, up to a limit.
type heldDeliveries struct {
	Count int        `json:"count" doc:"Number of held deliveries, counted up to 1000" example:"1000"`
	More  bool       `json:"more" doc:"There are more than count" example:"true"`
	Since *time.Time `json:"oldest_since,omitempty" doc:"Since when the first of the counted deliveries is held"`
}

// runningRelease is the progress of a release.
type runningRelease struct {
	OperationID string `json:"operation_id" example:"op_01k0000000000000000000000"`
	Done        int    `json:"done" doc:"Deliveries that the operation has released" example:"350"`
	Skipped     int    `json:"skipped" doc:"Deliveries that stay held, because another reason holds them" example:"0"`
	Total       int    `json:"total" doc:"Held deliveries when the operation began; 0 before its first step" example:"1204"`
}

// endpointHealthOf shows a report, or returns nil if there is nothing to say.
func endpointHealthOf(r switchboard.SubscriptionHealth) *endpointHealth {
	if r.Empty() {
		return nil
	}
	h := r.Health
	out := &endpointHealth{
		Breaker: h.Breaker, Reason: h.BreakerReason, BreakerSince: date(h.BreakerSince), FailingSince: date(h.FailingSince),
		NextProbeAt: date(h.ProbeAt), ProbeDeliveryID: h.ProbeDeliveryID, DeferredUntil: date(h.DeferredUntil), Queue: h.QueueReason, Slow: h.Slow,
		Held: heldDeliveries{r.Held, r.MoreHeld, date(r.HeldSince)},
	}
	if out.Breaker == "" {
		out.Breaker = switchboard.BreakerClosed
	}
	if r.Release != nil {
		out.Release = &runningRelease{r.Release.ID, r.Release.Done, r.Release.Skipped, r.Release.Total}
	}
	return out
}

// activity is what was recently sent for a subscription, and what is still to be sent.
type activity struct {
	Open          switchboard.Count          `json:"open" doc:"Deliveries that have not ended, counted up to 1000"`
	Since         time.Time                  `json:"since" doc:"The start of the counts: the hour 24 hours ago"`
	Attempts      switchboard.TrafficCount   `json:"attempts" doc:"Attempts since then, as far as they are counted; GET /v1/stats says how far"`
	Hours         []switchboard.ActivityHour `json:"hours" nullable:"false" doc:"The hours of these attempts, earliest first; hours without attempts are left out"`
	DeliveredHour *time.Time                 `json:"last_delivered_hour,omitempty" doc:"Start of the last hour with a successful attempt. Left out: none in 35 days"`
}

func activityOf(a switchboard.SubscriptionActivity) *activity {
	out := &activity{Open: a.Open, Since: a.Since, Attempts: a.Attempts, Hours: a.Hours, DeliveredHour: date(a.DeliveredHour)}
	if out.Hours == nil {
		out.Hours = []switchboard.ActivityHour{}
	}
	return out
}

// addHealth reads the health of all subscriptions of an answer at once, and also what was recently
// sent if that is requested.
func (s *server) addHealth(ctx context.Context, shown []subscription, withActivity bool) error {
	ids := make([]string, len(shown))
	for i := range shown {
		ids[i] = shown[i].ID
	}
	reports, err := s.Store.SubscriptionHealth(ctx, ids)
	if err != nil {
		return err
	}
	for i := range shown {
		shown[i].Health = endpointHealthOf(reports[shown[i].ID])
	}
	if !withActivity {
		return nil
	}
	activities, err := s.Store.SubscriptionActivity(ctx, ids)
	for i := range shown {
		shown[i].Activity = activityOf(activities[shown[i].ID])
	}
	return err
}
