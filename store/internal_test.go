package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const testKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

func TestParseKeyring(t *testing.T) {
	t.Parallel()
	const b64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	for text, ids := range map[string][]string{
		testKey:                          {"630dcd29"},
		b64:                              {"630dcd29"},
		strings.TrimSuffix(b64, "="):     {"630dcd29"},
		"k1:" + testKey:                  {"k1"},
		" k2:" + b64 + " ,k1:" + testKey: {"k2", "k1"},
	} {
		ring, err := ParseKeyring(text)
		if err != nil {
			t.Errorf("%d bytes: %v", len(text), err)
			continue
		}
		var got []string
		for _, k := range ring.keys {
			got = append(got, k.id)
		}
		if !slices.Equal(got, ids) {
			t.Errorf("ids %v, want %v", got, ids)
		}
	}
	for name, text := range map[string]string{
		"empty": " ", "short": "c2hvcnRodW50ZXIy", "odd letters": "hunter2!hunter2!hunter2!hunter2!", "48 bytes": strings.Repeat("h", 64),
		"an empty part": testKey + ",", "no id": ":" + testKey, "bad id": "a b:" + testKey, "twice": "k:" + testKey + ",k:" + testKey,
	} {
		_, err := ParseKeyring(text)
		if err == nil || !strings.Contains(err.Error(), KeyringVariable) || strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), testKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCursor(f *testing.F) {
	ring, err := ParseKeyring("k:" + testKey)
	if err != nil {
		f.Fatal(err)
	}
	l := listing{ring, "events", switchboard.Caller{Tenant: "acme"}, switchboard.EventFilter{Type: "a"}}
	want := position{At: time.Date(2026, 7, 1, 12, 0, 0, 1000, time.UTC), ID: "evt_1", Tenant: "acme"}
	good, err := l.encode(want)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", good, good[:20], good + "A", "azo", "azo6", "?", strings.ToUpper(good), good[1:], "\x00", "AAAA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		got, err := l.decode(cursor)
		switch {
		case cursor == "":
			if got != nil || err != nil {
				t.Errorf("empty: %v, %v", got, err)
			}
		case err == nil:
			// Nobody can make one that was not given out: this is the seed's, or
			// that of another of the fuzzer's processes.
			if *got != want {
				t.Errorf("%q: got %v", cursor, got)
			}
		case cursor == good || switchboard.CodeOf(err) != switchboard.CodeInvalid:
			t.Errorf("%q: %v", cursor, err)
		}
	})
}

// flushed collects what a batcher flushes.
type flushed struct {
	mu      sync.Mutex
	batches [][]string
	refuse  func(items []string) error // nil: nothing is refused
}

func (f *flushed) flush(_ context.Context, items []string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batches = append(f.batches, slices.Clone(items))
	if f.refuse != nil {
		if err := f.refuse(items); err != nil {
			return nil, err
		}
	}
	outs := make([]string, len(items))
	for i, item := range items {
		outs[i] = "did " + item
	}
	return outs, nil
}

// impatient is the patience of a batcher that is not to wait.
var impatient = patience{quiet: time.Millisecond, most: time.Millisecond}

// occupy takes all of the batcher's slots, so that items gather, until free is called.
func occupy(b *batcher[string, string]) (free func()) {
	for range flushes {
		b.slots <- struct{}{}
	}
	return func() {
		for range flushes {
			<-b.slots
		}
	}
}

// doTogether gives the items to the batcher in one batch, and returns the errors.
func doTogether(t *testing.T, b *batcher[string, string], items ...string) map[string]error {
	t.Helper()
	free := occupy(b)
	var mu sync.Mutex
	errs := map[string]error{}
	var group sync.WaitGroup
	for _, item := range items {
		group.Go(func() {
			out, err := b.do(t.Context(), item)
			if err == nil && out != "did "+item {
				t.Errorf("%s got the result %q", item, out)
			}
			mu.Lock()
			defer mu.Unlock()
			errs[item] = err
		})
	}
	for joined := 0; joined < len(items); time.Sleep(time.Millisecond) {
		b.mu.Lock()
		if b.open != nil {
			joined = len(b.open.items)
		}
		b.mu.Unlock()
	}
	free()
	group.Wait()
	b.close()
	return errs
}

func TestBatcherIsolatesTheItemThatFails(t *testing.T) {
	t.Parallel()
	f := &flushed{refuse: func(items []string) error {
		if slices.Contains(items, "bad") {
			return errors.New("cannot be stored")
		}
		return nil
	}}
	b := newBatcher(flushes, impatient, weighless[string], f.flush)
	errs := doTogether(t, b, "a", "bad", "c")
	if errs["a"] != nil || errs["c"] != nil || errs["bad"] == nil {
		t.Errorf("errors: %v", errs)
	}
	if len(f.batches) != 4 || len(f.batches[0]) != 3 {
		t.Errorf("batches: %v", f.batches)
	}
}

func TestBatcherGivesAnOutageToAll(t *testing.T) {
	t.Parallel()
	away := switchboard.Errorf(switchboard.CodeUnavailable, "away")
	f := &flushed{refuse: func([]string) error { return away }}
	b := newBatcher(flushes, impatient, weighless[string], f.flush)
	errs := doTogether(t, b, "a", "b")
	if !errors.Is(errs["a"], away) || !errors.Is(errs["b"], away) || len(f.batches) != 1 {
		t.Errorf("errors %v, batches %v", errs, f.batches)
	}
}

func TestBatcherFlushesAFullBatchAtOnce(t *testing.T) {
	t.Parallel()
	f := &flushed{}
	b := newBatcher(flushes, patience{time.Hour, time.Hour}, func(item string) int { return len(item) }, f.flush)
	b.stirred = time.Now() // an hour's wait for what is not full
	if _, err := b.do(t.Context(), strings.Repeat("x", fullWeight)); err != nil {
		t.Error(err)
	}
	b.close()
}

// TestBatcherWaitsWhileMoreCome: what comes at these times, in ms, is flushed so.
func TestBatcherWaitsWhileMoreCome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at   []int
		want [][]string
	}{
		"one by one, none waits":                            {[]int{10, 30, 50}, [][]string{{"10 at 10"}, {"30 at 30"}, {"50 at 50"}}},
		"two soon after one":                                {[]int{10, 12, 14}, [][]string{{"10 at 10"}, {"12 at 20", "14 at 20"}}},
		"a crowd, until the next is late":                   {[]int{10, 12, 15, 20, 25, 33}, [][]string{{"10 at 10"}, {"12 at 31", "15 at 31", "20 at 31", "25 at 31"}, {"33 at 39"}}},
		"an endless crowd, until the first is":              {[]int{10, 12, 15, 20, 25, 30, 35, 40, 45}, [][]string{{"10 at 10"}, {"12 at 42", "15 at 42", "20 at 42", "25 at 42", "30 at 42", "35 at 42", "40 at 42"}, {"45 at 51"}}},
		"the first after a crowd waits, and then none does": {[]int{10, 12, 14, 40, 60}, [][]string{{"10 at 10"}, {"12 at 20", "14 at 20"}, {"40 at 46"}, {"60 at 60"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				since := func() int { return int(time.Since(begin).Milliseconds()) }
				var flushed [][]string
				b := newBatcher(flushes, patience{quiet: 6 * time.Millisecond, most: 30 * time.Millisecond}, weighless[string],
					func(_ context.Context, items []string) ([]string, error) {
						at := fmt.Sprintf(" at %d", since())
						var batch []string
						for _, item := range items {
							batch = append(batch, item+at)
						}
						flushed = append(flushed, batch)
						return items, nil
					})
				var group sync.WaitGroup
				for _, at := range c.at {
					time.Sleep(time.Duration(at-since()) * time.Millisecond)
					synctest.Wait() // what is due now is done before somebody comes now
					group.Go(func() { _, _ = b.do(t.Context(), fmt.Sprint(at)) })
				}
				group.Wait()
				if got := fmt.Sprint(flushed); got != fmt.Sprint(c.want) {
					t.Errorf("got  %s\nwant %v", got, c.want)
				}
			})
		})
	}
}

// TestBatcherCallerMayLeave: the others, and the item itself, are not hurt.
func TestBatcherCallerMayLeave(t *testing.T) {
	t.Parallel()
	f := &flushed{}
	b := newBatcher(flushes, impatient, weighless[string], f.flush)
	free := occupy(b)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := b.do(ctx, "a")
		left <- err
	}()
	for joined := false; !joined; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		joined = b.open != nil
		b.mu.Unlock()
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("left with %v", err)
	}
	if _, err := b.do(ctx, "b"); !errors.Is(err, context.Canceled) {
		t.Errorf("joined with %v", err)
	}
	free()
	if out, err := b.do(t.Context(), "c"); err != nil || out != "did c" {
		t.Errorf("the next: %q, %v", out, err)
	}
	b.close()
	if _, err := b.do(t.Context(), "d"); switchboard.CodeOf(err) != switchboard.CodeUnavailable {
		t.Errorf("after close: %v", err)
	}
	if all := slices.Concat(f.batches...); !slices.Equal(all, []string{"a", "c"}) {
		t.Errorf("flushed %v", all)
	}
}

func TestHostOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"https://A.example/x": "a.example", "http://[::1]:80": "[::1]:80", "://": "", "https://a.example/{% if b %}c{% endif %}": "a.example"} {
		if got := hostOf(address); got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
}

func TestSnake(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{"ID": "id", "EventID": "event_id", "LastStatusCode": "last_status_code", "URL": "url", "HeadersKeyID": "headers_key_id"} {
		if got := snake(field); got != want {
			t.Errorf("%s: got %q, want %q", field, got, want)
		}
	}
}

func TestSealIsBoundToItsPlace(t *testing.T) {
	t.Parallel()
	ring, err := ParseKeyring(testKey)
	if err != nil {
		t.Fatal(err)
	}
	id, sealed, err := ring.seal([]byte("plain"), "here")
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := ring.open(id, sealed, "here"); err != nil || !bytes.Equal(plain, []byte("plain")) {
		t.Errorf("got %q, %v", plain, err)
	}
	if _, err := ring.open(id, sealed, "there"); err == nil {
		t.Error("opened in another place")
	}
	if _, err := ring.open("other", sealed, "here"); err == nil || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("unknown key: %v", err)
	}
	if _, _, err := (*Keyring)(nil).seal(nil, ""); err == nil || !strings.Contains(err.Error(), KeyringVariable) {
		t.Errorf("no keyring: %v", err)
	}
}
