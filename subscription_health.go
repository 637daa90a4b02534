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
