package switchboard

import "time"

// MaxCounted is up to where deliveries are counted while somebody waits for the answer.
const MaxCounted = 1000

// SubscriptionHealth is what is shown of the endpoint of a subscription, and of what is held for it.
type SubscriptionHealth struct {
	Health    Health     // the zero value: it is healthy
	Held      int        // deliveries that are held, at most MaxCounted
	MoreHeld  bool       // more than those are
	HeldSince time.Time  // since when the first of those is held; zero: none is
	Release   *Operation // that releases them now; nil: none does
}

// Empty reports whether the endpoint is healthy and nothing is held for it.
func (r *SubscriptionHealth) Empty() bool {
	return r.Health.SubscriptionID == "" && r.Held == 0 && r.Release == nil
}

// ActivityFor is how long attempts are counted back in a [SubscriptionActivity].
const ActivityFor = 24 * time.Hour

// SubscriptionActivity is what was sent for a subscription lately, and what is still to be.
type SubscriptionActivity struct {
	Open          Count          // deliveries that have not ended, counted up to MaxCounted
	Attempts      TrafficCount   // since Since
	Since         time.Time      // the hour that is ActivityFor ago
	Hours         []ActivityHour // those with attempts, the earliest first
	DeliveredHour time.Time      // the last hour in which an attempt succeeded, as far back as rollups go; zero: there is none
}

// ActivityHour counts the attempts of an hour.
type ActivityHour struct {
	At       time.Time `json:"at" doc:"When the hour begins"`
	Attempts int64     `json:"attempts" example:"412"`
	Failed   int64     `json:"failed" doc:"Those that were not answered with 2xx" example:"7"`
}
