package switchboard

import (
	"cmp"
	"slices"
	"time"
)

// A delivery that exceeds its subscription's rate_limit or max_in_flight waits in Postgres, and
// later deliveries wait behind it. The workers release them, oldest first, as requests end and as
// the rate limit allows.

// QueueReasons are the reasons of held deliveries that wait for their turn in their subscription.
func QueueReasons() []string { return []string{ReasonRateLimited, ReasonWaitingForSlot} }

// IsQueueReason reports whether the reason is one of [QueueReasons].
func IsQueueReason(reason string) bool { return slices.Contains(QueueReasons(), reason) }

// IsSet reports whether there is a limit.
func (r RateLimit) IsSet() bool { return r.PerSecond > 0 }

// Interval returns the time between two requests at the full rate.
func (r RateLimit) Interval() time.Duration { return time.Duration(float64(time.Second) / r.PerSecond) }

// Ahead returns how much earlier than at the full rate a request may be made after a pause.
func (r RateLimit) Ahead() time.Duration {
	return time.Duration(cmp.Or(r.Burst, 1)-1) * r.Interval()
}

// HasTurn reports whether the delivery was released with a turn of its own under the rate limit of
// its subscription, so that it takes no other.
func (d *Delivery) HasTurn() bool { return d.State == StatePending && d.Reason == ReasonRateLimited }

// Workers is what a worker learns of the others with its heartbeat.
type Workers struct {
	Live    int      // the live workers, including this one
	Rank    int      // how many of them came before this one
	Counted bool     // whether all others count that many
	Queued  []string // the subscriptions whose deliveries wait for their turn, and may be sent
}

// The interval of heartbeats, and how long after the last one a worker is considered dead. A worker
// stops sending WorkerMargin before that; its requests in flight end by themselves. A new worker
// starts when the others know of it, or are considered dead: after the death of a process it waits
// at most WorkerExpiry. If others have more in flight than their new share, it waits for these to
// end, but at most as long as an attempt with the default time limit.
const (
	WorkerHeartbeat = time.Second
	WorkerExpiry    = 5 * time.Second
	WorkerMargin    = time.Second
)
