package store_test

import (
	"crypto/sha256"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

func sum(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }

// claim claims the key for the request, and fails the test if that is refused.
func (b *bundle) claim(key, request string) switchboard.IdempotencyClaim {
	b.t.Helper()
	c, err := b.Claim(b.t.Context(), "key_1", key, sum(request))
	must(b.t, err)
	return c
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answer := switchboard.StoredAnswer{Status: 201, Body: []byte(`{"secret":"whsec_hunter2"}`)}
	first := b.claim("k", "request")
	equal(t, "first", []any{first.CreatedAt, first.Answer == nil}, []any{begin(), true})
	refused(t, "while it is under way", second(b.Claim(t.Context(), "key_1", "k", sum("request"))), switchboard.CodeConflict, "Idempotency-Key")
	refused(t, "another request meanwhile", second(b.Claim(t.Context(), "key_1", "k", sum("other"))), switchboard.CodeKeyReused, "Idempotency-Key")
	of, err := b.Claim(t.Context(), "key_2", "k", sum("other"))
	must(t, err)
	if of.Answer != nil || of.Name == first.Name {
		t.Errorf("the same text with another API key: %+v", of)
	}
	must(t, b.SaveAnswer(t.Context(), first, answer))
	b.advance(23 * time.Hour)
	equal(t, "again", b.claim("k", "request").Answer, &answer)
	refused(t, "another request", second(b.Claim(t.Context(), "key_1", "k", sum("other"))), switchboard.CodeKeyReused, "Idempotency-Key")
	if rows := strings.Join(b.dump()["idempotency_keys"], "\n"); strings.Contains(rows, "hunter2") || strings.Contains(rows, "68756e74657232") {
		t.Errorf("the answer is kept as it is: %s", rows)
	}
	b.advance(time.Hour)
	anew := b.claim("k", "other")
	equal(t, "after a day", []any{anew.CreatedAt, anew.Answer == nil}, []any{b.clock(), true})
}

// TestIdempotencyKeyTakenOver: the claim of a dead process stays for a while. A process that takes
// it over makes the same ids, and a later answer of the first one does not count.
func TestIdempotencyKeyTakenOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.claim("k", "request")
	b.advance(89 * time.Second)
	refused(t, "before its time is up", second(b.Claim(t.Context(), "key_1", "k", sum("request"))), switchboard.CodeConflict, "Idempotency-Key")
	b.advance(time.Second)
	refused(t, "another request", second(b.Claim(t.Context(), "key_1", "k", sum("other"))), switchboard.CodeKeyReused, "Idempotency-Key")
	taken := b.claim("k", "request")
	equal(t, "ids", []string{taken.EventID(0), taken.EventID(7)}, []string{first.EventID(0), first.EventID(7)})
	if !switchboard.IsID(switchboard.EventPrefix, taken.EventID(0)) || taken.EventID(0) == taken.EventID(1) || taken.EventID(0) == b.claim("k2", "request").EventID(0) {
		t.Errorf("ids %s, %s", taken.EventID(0), taken.EventID(1))
	}
	must(t, b.SaveAnswer(t.Context(), first, switchboard.StoredAnswer{Status: 200, Body: []byte("late")}))
	must(t, b.Release(t.Context(), first, true))
	must(t, b.SaveAnswer(t.Context(), taken, switchboard.StoredAnswer{Status: 202, Body: []byte("{}")}))
	equal(t, "answer", b.claim("k", "request").Answer, &switchboard.StoredAnswer{Status: 202, Body: []byte("{}")})
}

// TestIdempotencyKeyUnreadable: if an answer is damaged, or was encrypted with a key that this
// process does not have, the request is made again, once and with the same ids.
func TestIdempotencyKeyUnreadable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, keyring := range map[string]string{"another key": "k2:" + strings.Repeat("ee", 32), "other bytes": foreign, "damaged": ring} {
		first := b.claim(name, "request")
		must(t, b.SaveAnswer(t.Context(), first, switchboard.StoredAnswer{Status: 201, Body: []byte("{}")}))
		if name == "damaged" {
			_, err := b.sql.Exec("UPDATE idempotency_keys SET ciphertext = '\\x00' WHERE name = $1", first.Name[:])
			must(t, err)
		}
		s := b.open(keyring)
		refused(t, name+": another request", second(s.Claim(t.Context(), "key_1", name, sum("other"))), switchboard.CodeKeyReused, "Idempotency-Key")
		b.advance(time.Second)
		anew, err := s.Claim(t.Context(), "key_1", name, sum("request"))
		must(t, err)
		equal(t, name, []any{anew.Answer == nil, anew.EventID(0)}, []any{true, first.EventID(0)})
		refused(t, name+": meanwhile", second(s.Claim(t.Context(), "key_1", name, sum("request"))), switchboard.CodeConflict, "Idempotency-Key")
		must(t, s.SaveAnswer(t.Context(), anew, switchboard.StoredAnswer{Status: 202, Body: []byte("[]")}))
		again, err := s.Claim(t.Context(), "key_1", name, sum("request"))
		must(t, err)
		equal(t, name+": again", again.Answer, &switchboard.StoredAnswer{Status: 202, Body: []byte("[]")})
	}
}

func TestIdempotencyKeyReleased(t *testing.T) {
	t.Parallel()
	b := setup(t)
	unknown := b.claim("unknown", "request")
	must(t, b.Release(t.Context(), unknown, false))
	b.advance(time.Minute)
	refused(t, "another request", second(b.Claim(t.Context(), "key_1", "unknown", sum("other"))), switchboard.CodeKeyReused, "Idempotency-Key")
	equal(t, "the same goes on", b.claim("unknown", "request").EventID(0), unknown.EventID(0))

	must(t, b.Release(t.Context(), b.claim("nothing", "request"), true))
	equal(t, "another request", b.claim("nothing", "other").Answer, (*switchboard.StoredAnswer)(nil))
}

// TestIdempotencyKeyConcurrently: of all requests at once, in two processes, one is carried out.
func TestIdempotencyKeyConcurrently(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.open(ring)
	var claimed atomic.Int32
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			s := b.Store
			if i%2 == 1 {
				s = other
			}
			switch _, err := s.Claim(t.Context(), "key_1", "k", sum("request")); {
			case err == nil:
				claimed.Add(1)
			case switchboard.CodeOf(err) != switchboard.CodeConflict:
				t.Error(err)
			}
		})
	}
	group.Wait()
	equal(t, "claims", claimed.Load(), int32(1))
}

func TestForgetAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.SaveAnswer(t.Context(), b.claim("old", "request"), switchboard.StoredAnswer{Status: 200, Body: []byte("{}")}))
	b.claim("abandoned", "request")
	b.advance(time.Hour)
	b.claim("young", "request")
	for i, want := range []int{0, 2, 0} {
		if i == 1 {
			b.advance(23 * time.Hour)
		}
		forgotten, err := b.ForgetAnswers(t.Context())
		must(t, err)
		equal(t, "forgotten", forgotten, want)
	}
	equal(t, "left", len(b.dump()["idempotency_keys"]), 1)
}

// TestActionSaysWho: the key by its name, and the person who used it.
func TestActionSaysWho(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key, err := b.CreateKey(t.Context(), root(), switchboard.Key{Name: "support desk", Role: switchboard.RoleSupport}, "sbk_1")
	must(t, err)
	marta := switchboard.Caller{KeyID: key.ID, Role: switchboard.RoleSupport, Person: "marta@platform"}
	who := func(id string) switchboard.Action {
		detail, err := b.Delivery(t.Context(), of("acme"), id)
		must(t, err)
		return detail.Actions[len(detail.Actions)-1]
	}
	want := switchboard.Action{At: begin(), Actor: key.ID, KeyName: "support desk", Person: "marta@platform", Reason: "r"}

	retried := b.record(b.delivery("acme"), 1, 503)
	_, _, err = b.Retry(t.Context(), marta, retried.ID, "r")
	must(t, err)
	want.Kind = switchboard.ActionRetry
	equal(t, "retry", who(retried.ID), want)

	b.advance(time.Second) // actions sort by time
	must(t, second(b.Cancel(t.Context(), marta, retried.ID, "r")))
	want.At, want.Kind = b.clock(), switchboard.ActionCancel
	equal(t, "cancel", who(retried.ID), want)

	open := b.delivery("acme")
	must(t, b.DeleteSubscription(t.Context(), marta, open.SubscriptionID, "r"))
	equal(t, "delete its subscription", who(open.ID), want)

	other := b.delivery("acme")
	must(t, second(b.Cancel(t.Context(), root(), other.ID, "")))
	equal(t, "nobody said", who(other.ID), switchboard.Action{At: b.clock(), Actor: "key_root", Kind: switchboard.ActionCancel})
}
