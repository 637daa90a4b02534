package store_test

import (
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// TestDeliveryHasWhatExplainsIt: the current subscription, deleted or not, its event without data,
// and when its secret was made.
func TestDeliveryHasWhatExplainsIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "ticket.*")
	e := event("acme", "")
	e.Key = "ticket-1"
	d := b.accept(e).Deliveries[0]
	b.advance(time.Minute)
	rotated, err := b.RotateSecret(t.Context(), root(), sub.ID, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", switchboard.Rotation{Grace: time.Hour})
	must(t, err)
	detail, err := b.Delivery(t.Context(), root(), d.ID)
	must(t, err)
	equal(t, "subscription", []any{detail.Subscription.Name, detail.Subscription.Version, len(detail.Subscription.Secrets), detail.Subscription.Retry}, []any{sub.Name, rotated.Version, 0, sub.Retry})
	equal(t, "secret", detail.SecretMadeAt.Equal(b.clock()), true)
	equal(t, "event", []any{detail.Event.ID, detail.Event.Key, len(detail.Event.Data)}, []any{d.EventID, "ticket-1", 0})
	must(t, b.DeleteSubscription(t.Context(), root(), sub.ID, ""))
	detail, err = b.Delivery(t.Context(), root(), d.ID)
	must(t, err)
	equal(t, "deleted", detail.Subscription.DeletedAt.IsZero(), false)
}

// TestAlikeCountsTheSameFailureOfTheHost: in the same state, whatever the port, and within the
// caller's scope.
func TestAlikeCountsTheSameFailureOfTheHost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	failing := func(tenant, host string, status, n int) (last switchboard.Delivery) {
		b.subscribe(tenant, "ticket.*")
		for range n {
			last = b.accept(event(tenant, "")).Deliveries[0]
			must(t, second(b.sql.Exec("UPDATE deliveries SET host = $2 WHERE id = $1", last.ID, host)))
			last = b.record(last, 1, status)
		}
		return last
	}
	one := failing("acme", "crm.example.com", 503, 3)
	failing("other", "crm.example.com:8443", 503, 2)
	failing("third", "crm.example.com", 404, 4)
	failing("fourth", "else.example.com", 503, 4)
	count := func(caller switchboard.Caller, id string) *switchboard.Alike {
		detail, err := b.Delivery(t.Context(), caller, id)
		must(t, err)
		return detail.Alike
	}
	equal(t, "all tenants", count(root(), one.ID), &switchboard.Alike{Count: 4})
	equal(t, "its tenant", count(of("acme"), one.ID), &switchboard.Alike{Count: 2})
	must(t, second(b.Cancel(t.Context(), root(), one.ID, "done")))
	equal(t, "in another state", count(root(), one.ID), &switchboard.Alike{})
	untried := b.accept(event("acme", "")).Deliveries[0]
	equal(t, "not tried", count(root(), untried.ID), (*switchboard.Alike)(nil))
}

// history returns the delivery with its attempts and actions, without its explanation.
func history(d switchboard.DeliveryDetail) switchboard.DeliveryDetail {
	return switchboard.DeliveryDetail{Delivery: d.Delivery, Attempts: d.Attempts, Actions: d.Actions, Health: d.Health}
}
