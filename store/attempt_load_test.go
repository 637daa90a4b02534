package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
	"github.com/seed-49a43567/switchboard/store"
)

// TestLoadSeesEveryChange: a subscription in the cache is never older than its row.
func TestLoadSeesEveryChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "*")
	d := b.accept(event("acme", "")).Deliveries[0]
	other := b.open(ring) // another process, which has its own cache
	before := work(t, other, d.ID)
	equal(t, "read again", work(t, other, d.ID), before)

	sub, err := b.UpdateSubscription(t.Context(), root(), d.SubscriptionID, 1, func(s *switchboard.Subscription) error {
		s.Request.Headers = map[string]string{"X-Changed": "yes"}
		return nil
	})
	must(t, err)
	after := work(t, other, d.ID)
	equal(t, "changed headers", after.Subscription.Request.Headers, sub.Request.Headers)
	equal(t, "secrets of before", after.Subscription.Secrets, before.Subscription.Secrets)

	next := signing.NewSecret(signing.Standard)
	_, err = b.RotateSecret(t.Context(), root(), d.SubscriptionID, next, switchboard.Rotation{Grace: time.Hour})
	must(t, err)
	equal(t, "secrets during the rotation", secretsOf(work(t, other, d.ID), b.clock()), []switchboard.Secret{next, before.Subscription.Secrets[0].Secret})
	b.advance(time.Hour)
	equal(t, "secrets after the rotation", secretsOf(work(t, other, d.ID), b.clock()), []switchboard.Secret{next})

	must(t, b.DeleteSubscription(t.Context(), root(), d.SubscriptionID, ""))
	equal(t, "deleted at", work(t, other, d.ID).Subscription.DeletedAt, b.clock())
}

func work(t *testing.T, s *store.Store, id string) switchboard.LoadedDelivery {
	t.Helper()
	found, err := s.LoadForAttempt(t.Context(), id)
	must(t, err)
	return found
}

// secretsOf returns the secrets that sign an attempt at that time.
func secretsOf(w switchboard.LoadedDelivery, at time.Time) []switchboard.Secret {
	var secrets []switchboard.Secret
	for _, s := range signing.Valid(w.Subscription.Signature.Scheme, w.Subscription.Secrets, at) {
		secrets = append(secrets, s.Secret)
	}
	return secrets
}

// TestLoadTogether: callers that share a query get their own results, and one whose delivery cannot
// be loaded does not affect the others.
func TestLoadTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids, broken := map[string]string{}, ""
	for i := range 8 {
		tenant := fmt.Sprintf("tenant-%d", i)
		d := b.delivery(tenant)
		if ids[tenant] = d.ID; i == 0 {
			broken = tenant
			_, err := b.sql.Exec("UPDATE subscriptions SET headers_ciphertext = 'scribbled over' WHERE id = $1", d.SubscriptionID)
			must(t, err)
		}
	}
	ids["nobody"] = "dlv_none"
	var group sync.WaitGroup
	for range 20 {
		for tenant, id := range ids {
			group.Go(func() {
				switch found, err := b.LoadForAttempt(t.Context(), id); {
				case tenant == "nobody":
					refused(t, tenant, err, switchboard.CodeNotFound, "")
				case tenant == broken:
					if err == nil {
						t.Error("headers that cannot be decrypted were read")
					}
				case err != nil || found.Delivery.ID != id || found.Event.Tenant != tenant || found.Subscription.Tenant != tenant || len(found.Subscription.Secrets) != 1:
					t.Errorf("%s got %+v, %v", tenant, found, err)
				}
			})
		}
	}
	group.Wait()
}

// TestAuthenticateTogether: the same for callers that authenticate.
func TestAuthenticateTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var group sync.WaitGroup
	for i := range 8 {
		text := switchboard.Secret(fmt.Sprintf("text %d", i))
		key, err := b.CreateKey(t.Context(), root(), switchboard.Key{Role: switchboard.RoleViewer, Tenant: fmt.Sprintf("tenant-%d", i)}, text)
		must(t, err)
		for range 20 {
			group.Go(func() {
				caller, err := b.Authenticate(t.Context(), text)
				if want := (switchboard.Caller{KeyID: key.ID, Role: switchboard.RoleViewer, Tenant: key.Tenant}); err != nil || caller != want {
					t.Errorf("%d: %+v, %v", i, caller, err)
				}
			})
			group.Go(func() {
				_, err := b.Authenticate(t.Context(), text+" of a stranger")
				refused(t, "a stranger", err, switchboard.CodeUnauthenticated, "")
			})
		}
	}
	group.Wait()
}
