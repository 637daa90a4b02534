package store_test

import (
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// heldBehind makes two ordered deliveries of a key. The second is held for that reason although the
// first is open, as after a change of ordering.
func (b *bundle) heldBehind(sub switchboard.Subscription, reason string) []switchboard.Delivery {
	b.t.Helper()
	all := b.acceptKeyed(sub.Tenant, "k", "k")
	equal(b.t, "accepted", b.queue(all), "pending 0")
	must(b.t, second(b.sql.Exec("UPDATE deliveries SET state = 'held', reason = $2, blocked_by = '' WHERE id = $1", all[1].ID, reason)))
	return all
}

// TestTurnsAreInOrderOfTheKey: a delivery that waits under a limit does not get its turn before the
// earlier one of its key has ended. It blocks no other.
func TestTurnsAreInOrderOfTheKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.ordering("acme", byKey)
	all := b.heldBehind(sub, switchboard.ReasonWaitingForSlot)
	must(t, second(b.sql.Exec(`INSERT INTO subscription_health (subscription_id, queue_reason, window_at, updated_at) VALUES ($1, $2, $3, $3)`, sub.ID, switchboard.ReasonWaitingForSlot, b.clock())))
	b.advance(time.Second)
	other := b.acceptKeyed("acme", "other")[0] // behind it in the queue of the subscription
	b.advance(time.Second)
	released, err := b.ReleaseNext(t.Context(), sub.ID, time.Second, roomFor(5))
	must(t, err)
	equal(t, "released", inOrder(released), []string{other.ID})
	equal(t, "of the key", b.queue(all), "pending 0")
	b.end(all[0].ID, 200)
	equal(t, "after the first", b.queue(all), "delivered pending")
	equal(t, "checks", b.checks(), []string(nil))
}

// TestProbeIsInOrderOfTheKey: the oldest delivery that the breaker holds is not the probe while an
// earlier one of its key is open.
func TestProbeIsInOrderOfTheKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.ordering("acme", byKey)
	all := b.heldBehind(sub, switchboard.ReasonBreakerOpen)
	b.openBreaker(&sub)
	other := b.acceptKeyed("acme", "other")[0]
	equal(t, "accepted", other.Reason, switchboard.ReasonBreakerOpen)
	b.advance(time.Minute)
	step, err := b.NextRecovery(t.Context(), sub.ID)
	must(t, err)
	equal(t, "the probe", step.Probe, other.ID)
	equal(t, "of the key", b.queue(all), "pending 0")
}
