package store_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

// silentProxy is between a store and Postgres. After it falls silent it keeps every connection
// open, accepts new ones, and lets nothing through.
type silentProxy struct{ silent atomic.Bool }

func (p *silentProxy) serve(t *testing.T, socket string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			behind, err := net.Dial("unix", socket)
			if err != nil {
				_ = from.Close()
				continue
			}
			go p.pipe(from, behind)
			go p.pipe(behind, from)
		}
	}()
	return listener.Addr().String()
}

func (p *silentProxy) pipe(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	for piece := make([]byte, 4096); ; {
		n, err := from.Read(piece)
		if err != nil {
			return
		}
		if p.silent.Load() {
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
	}
}

// TestPostgresHangs: callers that post get an error within the time limit of the accept path,
// however many wait, and everything works again when Postgres answers again.
func TestPostgresHangs(t *testing.T) {
	t.Parallel()
	database := pg.Database(t)
	address, err := url.Parse(database)
	must(t, err)
	proxy := &silentProxy{}
	query := address.Query()
	behind := url.URL{Scheme: address.Scheme, User: address.User, Path: address.Path, RawQuery: "sslmode=disable"}
	behind.Host = proxy.serve(t, filepath.Join(query.Get("host"), ".s.PGSQL."+query.Get("port")))
	b := setupAt(t, database)
	keyring, err := store.ParseKeyring(ring)
	must(t, err)
	s, err := store.Open(store.Config{URL: behind.String(), Keyring: keyring})
	must(t, err)
	sub := b.subscribe("acme", "*")
	must(t, second(s.Accept(t.Context(), root(), []switchboard.Event{event("acme", "")})))
	refused(t, "a key", second(s.Authenticate(t.Context(), "text")), switchboard.CodeUnauthenticated, "")

	proxy.silent.Store(true)
	// Longer than the 3 and 4 s of the accept path, and shorter than the limit of any other call.
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
	defer cancel()
	answers := make(chan error, 60)
	for range 20 {
		go func() { answers <- second(s.Authenticate(ctx, "text")) }()
		go func() { answers <- second(s.Accept(ctx, root(), []switchboard.Event{event("acme", "")})) }()
		go func() { answers <- second(s.AcceptFor(ctx, root(), sub.ID, event("acme", ""), false)) }()
	}
	for range cap(answers) {
		refused(t, "while Postgres hangs", <-answers, switchboard.CodeUnavailable, "")
	}
	must(t, ctx.Err())

	proxy.silent.Store(false)
	eventually(t, "works again", func() bool {
		return second(s.Accept(t.Context(), root(), []switchboard.Event{event("acme", "")})) == nil
	})
	must(t, s.Close())
}

// TestLargeBatchesDelayNobody: batches that wait for Postgres do not delay a single event.
func TestLargeBatchesDelayNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	busy := b.subscribe("busy", "*")
	b.subscribe("acme", "*")
	tx, err := b.sql.Beginx()
	must(t, err)
	_, err = tx.Exec("SELECT FROM subscriptions WHERE id = $1 FOR UPDATE", busy.ID)
	must(t, err)
	many := make([]switchboard.Event, 200)
	for i := range many {
		many[i] = event("busy", "")
	}
	stored := make(chan error, 4)
	for range cap(stored) {
		go func() { stored <- second(b.Accept(t.Context(), root(), many)) }()
	}
	b.awaitLockWait()
	for range 5 {
		b.accept(event("acme", ""))
	}
	// On a slow machine the time of a batch may be over by now.
	late := 0
	for ; len(stored) > 0; late++ {
		refused(t, "a batch whose subscription is locked", <-stored, switchboard.CodeUnavailable, "")
	}
	must(t, tx.Rollback())
	for range cap(stored) - late {
		if err := <-stored; err != nil {
			refused(t, "a batch", err, switchboard.CodeUnavailable, "")
		}
	}
}
