package console

import (
	"errors"
	"net/http"
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/seed-49a43567/switchboard"
)

// The maximum lengths of forms: net/http's own limit, which does not apply to a form with files,
// and what a key and a name need.
const (
	maxForm          = 10 << 20
	maxStrangersForm = 16 << 10
)

// readPosted parses the request's form, up to the limit.
func (v *visit) readPosted(limit int) error {
	r := v.request
	r.Body = http.MaxBytesReader(v.writer, r.Body, int64(limit))
	err := r.ParseForm()
	if err == nil {
		if err = r.ParseMultipartForm(int64(limit)); errors.Is(err, http.ErrNotMultipart) {
			return nil
		}
	}
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return switchboard.Errorf(switchboard.CodeTooLarge, "the form is longer than %s", bytesInWords(limit))
	}
	if err != nil {
		return switchboard.Errorf(switchboard.CodeInvalid, "the form cannot be read")
	}
	return nil
}

// How many refused keys and links may be tried per minute: from one address, and in total
// (console.md, section 4). Nobody can guess 32 random bytes, but each try costs a lookup.
const (
	triesOfOne = 10
	triesOfAll = 100

	maxAddresses = 10_000 // in memory; the least recently used one is dropped
)

// tries limits what strangers may try. It is in the memory of this process.
type tries struct {
	all       *rate.Limiter
	byAddress *lru.Cache[string, *rate.Limiter]
}

func newTries() (*tries, error) {
	byAddress, err := lru.New[string, *rate.Limiter](maxAddresses)
	return &tries{perMinute(triesOfAll), byAddress}, err
}

func perMinute(n int) *rate.Limiter {
	return rate.NewLimiter(rate.Every(time.Minute/time.Duration(n)), n)
}

// wait returns how long the address must wait for its next try; 0: it need not.
func (t *tries) wait(address string, now time.Time) time.Duration {
	longest := untilNext(t.all, now)
	if own, known := t.byAddress.Get(holderOf(address)); known {
		longest = max(longest, untilNext(own, now))
	}
	return longest
}

func untilNext(l *rate.Limiter, now time.Time) time.Duration {
	missing := 1 - l.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(l.Limit()) * float64(time.Second))
}

// failed records that a try of the address was refused.
func (t *tries) failed(address string, now time.Time) {
	holder := holderOf(address)
	fresh := perMinute(triesOfOne)
	own, known, _ := t.byAddress.PeekOrAdd(holder, fresh)
	if !known {
		own = fresh
	}
	own.AllowN(now, 1)
	t.all.AllowN(now, 1)
}

// holderOf returns the address. For IPv6 it is the 64-bit network, because one client has all of
// it.
func holderOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return network.String()
}
