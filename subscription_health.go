package switchboard

import "time"

// MaxCounted is up to where deliveries are counted while a person waits for the answer.
const MaxCounted = 1000

// SubscriptionHealth is the shown health of a subscription's endpoint, with what is held for it.
type SubscriptionHealth struct {
	Health    Health     // the zero value: healthy
	Held      int        // held deliveries, at most MaxCounted
	MoreHeld  bool       // there are more than that
	HeldSince time.Time  // since when the first of them is held; zero: none is
	Release   *Operation // the running release; nil: none
}

// Empty reports whether the endpoint is healthy and nothing is held for it.
func (r *SubscriptionHealth) Empty() bool {
	return r.Health.SubscriptionID == "" && r.Held == 0 && r.Release == nil
}

// ActivityFor is how far back a [SubscriptionActivity] counts attempts.
const ActivityFor = 24 * time.Hour

// SubscriptionActivity is what was sent for a subscription recently, and what is still open.
type SubscriptionActivity struct {
	Open          Count          // deliveries that have not ended, counted up to MaxCounted
	Attempts      TrafficCount   // since Since
	Since         time.Time      // the hour that is ActivityFor ago
	Hours         []ActivityHour // those with attempts, the earliest first
	DeliveredHour time.Time      // the last hour with a successful attempt, as far back as rollups go; zero: none
}

// ActivityHour counts the attempts of an hour.
type ActivityHour struct {
	At       time.Time `json:"at" doc:"When the hour begins"`
	Attempts int64     `json:"attempts" example:"412"`
	Failed   int64     `json:"failed" doc:"Those that were not answered with 2xx" example:"7"`
}
