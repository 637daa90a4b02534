package rest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/time/rate"

	"github.com/seed-49a43567/switchboard"
)

const (
	// maxHolders limits the buckets in memory. The least recently used ones are dropped.
	maxHolders = 10_000
	// MaxCost is the highest cost of an operation. Every bucket has room for at least twice as
	// much.
	MaxCost = 10
)

// buckets is one token bucket per holder: an address, or a key. They are in the memory of this
// process, so that no call waits for another process.
type buckets struct {
	limit    rate.Limit
	burst    int
	byHolder *lru.Cache[string, *rate.Limiter]
}

// newBuckets makes buckets that fill at that rate. Their capacity is that many seconds of it, but
// at least the cost of two of the most expensive calls.
func newBuckets(perSecond, seconds float64) (*buckets, error) {
	byHolder, err := lru.New[string, *rate.Limiter](maxHolders)
	return &buckets{rate.Limit(perSecond), int(max(perSecond*seconds, 2*MaxCost)), byHolder}, err
}

func (b *buckets) of(holder string) *rate.Limiter {
	if known, ok := b.byHolder.Get(holder); ok {
		return known
	}
	fresh := rate.NewLimiter(b.limit, b.burst)
	if known, ok, _ := b.byHolder.PeekOrAdd(holder, fresh); ok {
		return known
	}
	return fresh
}

// empty reports whether the holder's bucket is empty. A holder without a bucket has spent nothing.
func (b *buckets) empty(holder string) bool {
	known, ok := b.byHolder.Get(holder)
	return ok && known.Tokens() < 1
}

// spend takes the cost from the holder's bucket, or returns when to try again.
func (b *buckets) spend(holder string, cost int, what string) error {
	if cost == 0 {
		return nil
	}
	taken := b.of(holder).ReserveN(time.Now(), cost)
	wait := taken.Delay()
	if wait == 0 {
		return nil
	}
	taken.Cancel()
	return &retryLaterError{switchboard.Errorf(switchboard.CodeRateLimited, "too many %s: try again in %s", what, max(wait, time.Second).Round(time.Second)), wait}
}

// keyGate limits the lookups of refused keys per address. Nobody can guess 32 random bytes, but
// each try costs a lookup. A key that was valid before is always looked up, so that callers behind
// the same proxy do not block each other.
type keyGate struct {
	refusals *buckets                                // by address
	good     *lru.Cache[[sha256.Size]byte, struct{}] // hashes of keys that were valid; the store decides whether they still are
	refused  metric.Int64Counter
}

func newKeyGate(meter metric.Meter, perSecond float64) (*keyGate, error) {
	refusals, err := newBuckets(perSecond, 10)
	if err != nil {
		return nil, err
	}
	good, err := lru.New[[sha256.Size]byte, struct{}](maxHolders)
	if err != nil {
		return nil, err
	}
	refused, err := meter.Int64Counter("switchboard_keys_refused",
		metric.WithDescription("Calls without a key that is valid, by reason: missing, unknown (or expired or revoked), rate_limited"))
	return &keyGate{refusals, good, refused}, err
}

// pass finds the caller behind the key, unless its address has tried too many refused
// keys.
func (g *keyGate) pass(ctx context.Context, store Store, remoteAddr string, key switchboard.Secret) (switchboard.Caller, error) {
	hash, holder := sha256.Sum256([]byte(key.Reveal())), holderOf(remoteAddr)
	if g.refusals.empty(holder) && !g.good.Contains(hash) {
		g.count(ctx, "rate_limited")
		wait := time.Duration(float64(time.Second) / float64(g.refusals.limit))
		return switchboard.Caller{}, &retryLaterError{switchboard.Errorf(switchboard.CodeRateLimited, "too many keys from this address were refused: try again later"), wait}
	}
	caller, err := store.Authenticate(ctx, key)
	switch {
	case err == nil:
		g.good.Add(hash, struct{}{})
	case switchboard.CodeOf(err) == switchboard.CodeUnauthenticated:
		g.refusals.of(holder).Allow()
		g.count(ctx, "unknown")
	}
	return caller, err
}

func (g *keyGate) count(ctx context.Context, reason string) {
	g.refused.Add(ctx, 1, metric.WithAttributes(attribute.String("reason", reason)))
}

// peerOf returns the address of the connected peer, without its port. It ignores headers such as
// X-Forwarded-For, because anybody can send them.
func peerOf(remoteAddr string) string {
	peer, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return remoteAddr
	}
	return peer.Addr().Unmap().String()
}

// holderOf returns the client's address without its port. For IPv6 it is the 64-bit network,
// because one client has all of it.
func holderOf(remoteAddr string) string {
	client, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return remoteAddr
	}
	address := client.Addr().Unmap().WithZone("")
	if address.Is4() {
		return address.String()
	}
	network, err := address.Prefix(64)
	if err != nil {
		return fmt.Sprint(address)
	}
	return network.String()
}
