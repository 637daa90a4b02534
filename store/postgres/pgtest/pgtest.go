// Package pgtest gives tests real databases: one private server per test binary,
// started when the first test asks, and one database per test, copied from a
// template in which the migrations have run.
//
// In a package's tests:
//
//	var pg = pgtest.New(migrate) // migrate: func(url string) error
//
//	func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }
//
//	func TestSomething(t *testing.T) { url := pg.Database(t) … }
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/seed-49a43567/switchboard/store/postgres"
)

const template = "template_migrated"

// Cluster is the server of one test binary.
type Cluster struct {
	migrate func(url string) error
	once    sync.Once
	dir     string
	server  *postgres.Server
	err     error
	count   atomic.Int64
}

// New prepares a cluster; nothing is started yet. migrate fills the template that
// databases are copied from, and must close its connections; nil: they are empty.
func New(migrate func(url string) error) *Cluster {
	return &Cluster{migrate: migrate}
}

// Run runs the tests, stops the server and returns the exit code for os.Exit.
func (c *Cluster) Run(m *testing.M) int {
	code := m.Run()
	if err := c.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return max(code, 1)
	}
	return code
}

// Database makes a migrated database for the test and returns its URL. It is
// dropped at the test's end, even if a client is connected.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	return c.database(t, template)
}

// Lasting makes a migrated database that stays for as long as the server, and returns
// its URL: for tests that take turns with one.
func (c *Cluster) Lasting(t testing.TB) string {
	t.Helper()
	server := c.Server(t)
	name := fmt.Sprintf("test_%d", c.count.Add(1))
	if err := patiently(func() error { return server.CreateDatabase(context.Background(), name, template) }); err != nil {
		t.Fatalf("pgtest: create %s: %v", name, err)
	}
	return server.URL(name)
}

// Empty makes a database without any migration, and returns its URL.
func (c *Cluster) Empty(t testing.TB) string {
	t.Helper()
	return c.database(t, "")
}

// Server is the server that the binary's tests share.
func (c *Cluster) Server(t testing.TB) *postgres.Server {
	t.Helper()
	c.once.Do(func() { c.err = c.start() })
	if c.err != nil {
		t.Fatalf("pgtest: %v", c.err)
	}
	return c.server
}

func (c *Cluster) database(t testing.TB, from string) string {
	t.Helper()
	server := c.Server(t)
	name := fmt.Sprintf("test_%d", c.count.Add(1))
	if err := patiently(func() error { return server.CreateDatabase(t.Context(), name, from) }); err != nil {
		t.Fatalf("pgtest: create %s: %v", name, err)
	}
	t.Cleanup(func() {
		if err := patiently(func() error { return server.DropDatabase(context.Background(), name) }); err != nil {
			t.Errorf("pgtest: drop %s: %v", name, err)
		}
	})
	return server.URL(name)
}

// patiently repeats what Postgres refuses because a database is in use. It gives sessions that are ending, and
// its own autovacuum, five seconds to leave one that is copied or dropped, which may be too short on a busy machine.
func patiently(do func() error) error {
	for tries := 1; ; tries++ {
		err := do()
		if pq.As(err, pqerror.ObjectInUse) == nil || tries == 12 {
			return err
		}
	}
}

// Own starts a server for this test alone, which the test may stop, kill and
// start again; it is stopped at the test's end. Its database "switchboard" is
// migrated. The folder to start it from again is its Config.
func (c *Cluster) Own(t testing.TB) (*postgres.Server, postgres.Config) {
	t.Helper()
	dir, err := folder()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg := config(dir)
	server, err := postgres.Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("pgtest: stop: %v", err)
		}
	})
	if err := c.fill(server, "switchboard"); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return server, cfg
}

// prefix is what the folders of servers begin with.
const prefix = "sb-pg-"

// folder makes a temporary folder that the user who runs the server when we are
// root may enter.
func folder() (string, error) {
	dir, err := os.MkdirTemp(parent(), prefix)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}

// config is a small server that does not wait for the disk: tests kill processes,
// not machines.
func config(dir string) postgres.Config {
	return postgres.Config{
		Dir:      filepath.Join(dir, "pg"),
		Progress: func(line string) { fmt.Fprintln(os.Stderr, "pgtest:", line) },
		Settings: map[string]string{"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB", "max_wal_size": "256MB", "max_connections": "400"},
	}
}

func (c *Cluster) start() error {
	dir, err := folder()
	if err != nil {
		return err
	}
	c.dir = dir
	if c.server, err = postgres.Start(context.Background(), config(dir)); err != nil {
		return err
	}
	return c.fill(c.server, template)
}

func (c *Cluster) fill(server *postgres.Server, database string) error {
	if err := server.CreateDatabase(context.Background(), database, ""); err != nil {
		return fmt.Errorf("create %s: %w", database, err)
	}
	if c.migrate == nil {
		return nil
	}
	if err := c.migrate(server.URL(database)); err != nil {
		return fmt.Errorf("migrate %s: %w", database, err)
	}
	return nil
}

func (c *Cluster) stop() error {
	var err error
	if c.server != nil {
		err = c.server.Stop()
	}
	if c.dir != "" {
		err = errors.Join(err, os.RemoveAll(c.dir))
	}
	return err
}
