package switchboard

import (
	"cmp"
	"slices"
	"time"
)

// A delivery that exceeds its subscription's rate_limit or max_in_flight waits in Postgres, and
// those that are accepted after it wait behind it. The workers release them, oldest first, as
// requests end and as the rate limit allows.

// QueueReasons are the reasons of held deliveries that wait for their turn among those of their
// subscription.
func QueueReasons() []string { return []string{ReasonRateLimited, ReasonWaitingForSlot} }

// IsQueueReason reports whether the reason is one of [QueueReasons].
func IsQueueReason(reason string) bool { return slices.Contains(QueueReasons(), reason) }

// IsSet reports whether there is a limit.
func (r RateLimit) IsSet() bool { return r.PerSecond > 0 }

// Interval is the time between two requests at the full rate.
func (r RateLimit) Interval() time.Duration { return time.Duration(float64(time.Second) / r.PerSecond) }

// Ahead is how much earlier than at the full rate a request may be made after a pause.
func (r RateLimit) Ahead() time.Duration {
	return time.Duration(cmp.Or(r.Burst, 1)-1) * r.Interval()
}

// HasTurn reports whether the delivery was released with a turn of its own under the rate limit of
// its subscription: it takes no other.
func (d *Delivery) HasTurn() bool { return d.State == StatePending && d.Reason == ReasonRateLimited }

// Workers is what a worker learns of the others with its heartbeat.
type Workers struct {
	Live    int      // the workers that live, this one included
	Rank    int      // how many of them came before this one
	Counted bool     // whether all others reckon with that many
	Queued  []string // the subscriptions whose deliveries wait for their turn, and may be sent
}

// How often workers say that they live, and after how long one that does not is taken for dead.
// A worker stops to send WorkerMargin before that; what it has in flight ends by itself. It starts
// no sooner than the others know of it, or are taken for dead: after the death of a process the
// next one waits for no longer than WorkerExpiry. Where others have more in flight than their new
// share, it waits for these to end, but for no longer than an attempt of the default time limit.
const (
	WorkerHeartbeat = time.Second
	WorkerExpiry    = 5 * time.Second
	WorkerMargin    = time.Second
)
