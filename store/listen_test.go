package store_test

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
	"github.com/seed-49a43567/switchboard/store/postgres"
)

// TestStandby: no process stays connected to a standby, for example if a name still leads there
// after a failover. Once it is promoted everything continues.
func TestStandby(t *testing.T) {
	t.Parallel()
	server, cfg := pg.Own(t)
	b := setupAt(t, server.URL("switchboard"))
	sub := b.subscribe("acme", "*")
	accepted, err := b.AcceptFor(t.Context(), root(), sub.ID, event("acme", ""), true)
	must(t, err)
	d := accepted.Deliveries[0]

	must(t, server.Stop())
	cfg.Settings["wal_level"] = "replica"
	restart := func() {
		t.Helper()
		server, err = postgres.Start(t.Context(), cfg)
		must(t, err)
	}
	restart() // it logs what a standby requires
	must(t, server.Stop())
	signal := filepath.Join(cfg.Dir, "data", "standby.signal")
	must(t, os.WriteFile(signal, nil, 0o666))
	must(t, os.Chmod(signal, 0o666))
	restart()
	t.Cleanup(func() { must(t, server.Stop()) })

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	listens, answered := make(chan struct{}, 1), make(chan error, 1)
	go b.Listen(ctx, func() { listens <- struct{}{} }, func(string) {})
	go func() { answered <- second(b.Answer(ctx, root(), d.ID)) }()
	refused(t, "accept", second(b.Accept(ctx, root(), []switchboard.Event{event("acme", "")})), switchboard.CodeUnavailable, "")
	refused(t, "read", second(b.Find(ctx, []string{d.ID})), switchboard.CodeUnavailable, "")
	eventually(t, "no connection of Switchboard", func() bool {
		var kept int
		must(t, b.sql.Get(&kept, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'switchboard'"))
		return kept == 0
	})
	must(t, second(b.sql.Exec("SELECT pg_promote()")))
	next(t, "what may be dispatched", listens)
	eventually(t, "the promoted server records", func() bool {
		_, err := b.Record(t.Context(), switchboard.Record{Attempt: b.attempt(d, 1, 200), Decision: switchboard.Decision{State: switchboard.StateDelivered}, TemporalRunID: "r", Generation: 1})
		return err == nil
	})
	must(t, next(t, "the answer", answered))
}

// TestListenEndsWhilePostgresHangs: Postgres accepts connections, and sends nothing.
func TestListenEndsWhilePostgresHangs(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	connected := make(chan net.Conn, 2)
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			select {
			case connected <- conn:
			default:
			}
		}
	}()
	keyring, err := store.ParseKeyring(ring)
	must(t, err)
	// Longer than a test may take, so nothing else ends it.
	s, err := store.Open(store.Config{URL: "postgres://u@" + silent.Addr().String() + "/d?sslmode=disable&connect_timeout=3600", Keyring: keyring})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{}, 3)
	go func() {
		s.Listen(ctx, func() {}, func(string) {})
		ended <- struct{}{}
	}()
	go func() {
		_, _ = s.Answer(ctx, root(), "dlv_1")
		ended <- struct{}{}
	}()
	next(t, "a connection", connected)
	next(t, "another one", connected)
	cancel()
	next(t, "the end of one", ended)
	next(t, "the end of both", ended)
	go func() {
		_ = s.Close()
		ended <- struct{}{}
	}()
	next(t, "the end of the store", ended)
}

// TestListenGivesUpAHostThatHangs: it goes to the next host, as after a failover.
func TestListenGivesUpAHostThatHangs(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts connections, and nobody answers
	must(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	address, err := url.Parse(pg.Database(t))
	must(t, err)
	query := address.Query()
	alive := (&silentProxy{}).serve(t, filepath.Join(query.Get("host"), ".s.PGSQL."+query.Get("port")))
	port := func(address string) string {
		_, port, err := net.SplitHostPort(address)
		must(t, err)
		return port
	}
	ports := port(silent.Addr().String()) + "," + port(alive)
	for name, address := range map[string]string{
		"URL":               "postgres://" + address.User.String() + "@" + address.Path + "?host=127.0.0.1,127.0.0.1&port=" + ports + "&sslmode=disable",
		"keyword and value": "user=" + address.User.String() + " dbname=" + address.Path[1:] + " host=127.0.0.1,127.0.0.1 port=" + ports + " sslmode=disable",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := store.Open(store.Config{URL: address})
			must(t, err)
			t.Cleanup(func() { must(t, s.Close()) })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			listens := make(chan struct{}, 1)
			go s.Listen(ctx, func() { listens <- struct{}{} }, func(string) {})
			next(t, "a connection to the host that answers", listens)
		})
	}
}
