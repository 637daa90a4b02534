package faults

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	_ "github.com/lib/pq" // the driver for killing backends

	"github.com/seed-49a43567/switchboard"
	apiclient "github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/freeport"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/process"
	"github.com/seed-49a43567/switchboard/store/postgres"
)

// stackLimit limits the start of the whole stack, also on a fresh machine, which first gets a
// Postgres.
const stackLimit = 10 * time.Minute

// lookPause is the interval of polls.
const lookPause = 100 * time.Millisecond

// The databases.
const (
	databaseOurs       = "switchboard"
	databaseTemporal   = "temporal"
	databaseVisibility = "temporal_visibility"
)

// instances is how many processes of the API and of the worker run.
const instances = 2

// stack is everything that faults affect.
type stack struct {
	dir    string
	binary string
	log    func(format string, args ...any)
	ctx    context.Context // of the supervision
	end    context.CancelFunc

	disk     *disk            // with Postgres' data
	server   *postgres.Server // the first one; later ones have the same socket
	postgres *service
	temporal *service
	apis     [instances]*service
	workers  [instances]*service

	toStore         *proxy // from Switchboard to Postgres
	toTemporal      *proxy // from Switchboard to Temporal
	toTemporalStore *proxy // from Temporal to Postgres

	listens   map[string]string // of each process of Switchboard, by its name
	namespace string            // of Temporal
	keyring   string
	authority string // file with the certificate that Switchboard trusts
	key       switchboard.Secret
}

// startStack starts everything. After an error the caller must stop what was started.
func startStack(ctx context.Context, dir, binary, authority string, log func(string, ...any)) (s *stack, err error) {
	s = &stack{
		dir: dir, binary: binary, log: log, listens: map[string]string{}, authority: authority,
		namespace: client.DefaultNamespace, keyring: process.NewKeyring("faults"),
	}
	// Everything is stopped in order, also when ctx ends, so the supervision must outlive ctx.
	s.ctx, s.end = context.WithCancel(context.WithoutCancel(ctx))
	for _, made := range []**proxy{&s.toStore, &s.toTemporal, &s.toTemporalStore} {
		if *made, err = startProxy(); err != nil {
			return s, err
		}
	}
	if err := s.startPostgres(ctx); err != nil {
		return s, err
	}
	if s.temporal, err = newService(s.ctx, "temporal", s.startTemporal, log); err != nil {
		return s, err
	}
	preparing, cancel := context.WithTimeout(ctx, stackLimit)
	defer cancel()
	if s.key, err = s.switchboard().Prepare(preparing, "faults"); err != nil {
		return s, err
	}
	return s, s.startSwitchboard(preparing)
}

// startPostgres starts Postgres on a separate disk, if one can be made.
func (s *stack) startPostgres(ctx context.Context) (err error) {
	config := postgres.Config{
		Dir: filepath.Join(s.dir, "postgres"), Progress: func(line string) { s.log("%s", line) },
		// A small WAL, with files that are made when they are needed. So a full disk affects them
		// too, as on a machine that has run for a long time.
		Settings: map[string]string{"max_wal_size": "256MB", "min_wal_size": "32MB", "wal_recycle": "off", "max_connections": "300"},
	}
	if s.disk, err = newDisk(config.Dir); err != nil {
		return err
	}
	obtaining, cancel := context.WithTimeout(ctx, stackLimit)
	defer cancel()
	s.postgres, err = newService(s.ctx, "postgres", func(bounded context.Context) (running, error) {
		if s.server == nil { // a fresh machine gets it now, which may take longer than a start
			bounded = obtaining
		}
		if err := s.disk.room(); err != nil {
			return nil, err
		}
		server, err := postgres.Start(bounded, config)
		if err != nil {
			return nil, err
		}
		s.server = cmp.Or(s.server, server)
		return server, nil
	}, s.log)
	if err != nil {
		return err
	}
	socket := filepath.Join(s.server.SocketDir(), ".s.PGSQL."+strconv.Itoa(s.server.Port()))
	s.toStore.leadTo("unix", socket)
	s.toTemporalStore.leadTo("unix", socket)
	return s.server.CreateDatabase(ctx, databaseOurs, "")
}

func (s *stack) startTemporal(ctx context.Context) (running, error) {
	child, addr, err := process.StartTemporal(ctx, filepath.Join(s.dir, "temporal.log"), through(s.toTemporalStore, databaseTemporal))
	if err != nil {
		return nil, err
	}
	s.toTemporal.leadTo("tcp", addr)
	return child, nil
}

// through returns the URL of a database behind a proxy. Postgres trusts everybody who comes through
// its socket, as the proxy does.
func through(p *proxy, database string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", postgres.User, p.addr(), database)
}

// switchboard returns the binary with its configuration.
func (s *stack) switchboard() process.Switchboard {
	return process.Switchboard{
		Binary: s.binary, DatabaseURL: through(s.toStore, databaseOurs), Keyring: s.keyring,
		TemporalAddr: s.toTemporal.addr(), Namespace: s.namespace,
		Settings: []string{"SSL_CERT_FILE=" + s.authority}, // the receivers' authority, see certificates.go
	}
}

// startSwitchboard starts every process of Switchboard, and returns when all are ready.
func (s *stack) startSwitchboard(ctx context.Context) (err error) {
	for i := range instances {
		if s.apis[i], err = s.startPart(fmt.Sprintf("api-%d", i+1), "api"); err != nil {
			return err
		}
		if s.workers[i], err = s.startPart(fmt.Sprintf("worker-%d", i+1), "worker"); err != nil {
			return err
		}
	}
	for _, part := range s.parts() {
		if err := s.untilReady(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (s *stack) startPart(name, command string) (_ *service, err error) {
	if s.listens[name], err = freeport.Address(); err != nil {
		return nil, err
	}
	return newService(s.ctx, name, func(context.Context) (running, error) {
		return s.switchboard().Start(name, filepath.Join(s.dir, name+".log"), command, s.listens[name])
	}, s.log)
}

// parts are the processes of Switchboard.
func (s *stack) parts() []*service {
	var all []*service
	for _, part := range append(s.apis[:], s.workers[:]...) {
		if part != nil {
			all = append(all, part)
		}
	}
	return all
}

// untilReady waits until a process of Switchboard says that nothing is missing. If the process ends
// meanwhile, its supervisor restarts it.
func (s *stack) untilReady(ctx context.Context, part *service) error {
	health, err := apiclient.New(apiclient.Config{URL: s.url(part)})
	if err != nil {
		return err
	}
	return until(ctx, startLimit, part.name+" is ready", func(ctx context.Context) bool {
		_, err := health.Ready(ctx)
		return err == nil
	})
}

// until waits for a condition.
func until(ctx context.Context, limit time.Duration, what string, holds func(context.Context) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not within %s: %s", limit, what))
	defer cancel()
	look := time.NewTicker(lookPause)
	defer look.Stop()
	for !holds(ctx) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-look.C:
		}
	}
	return nil
}

func (s *stack) url(part *service) string { return "http://" + s.listens[part.name] }

// everything returns the services. Those that others need come last.
func (s *stack) everything() []*service {
	all := s.parts()
	for _, one := range []*service{s.temporal, s.postgres} {
		if one != nil {
			all = append(all, one)
		}
	}
	return all
}

// exec executes a statement in Postgres, without the proxies.
func (s *stack) exec(ctx context.Context, statement string) (err error) {
	db, err := sql.Open("postgres", s.server.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, statement)
	return err
}

// verify has Switchboard check its promises.
func (s *stack) verify(ctx context.Context) (switchboard.VerifyReport, error) {
	printed, err := s.switchboard().Output(ctx, "verify", "--json") // returns an error if a promise is broken
	var report switchboard.VerifyReport
	if json.Unmarshal([]byte(printed), &report) != nil {
		return report, err
	}
	return report, nil
}

// stop ends what was started, in reverse.
func (s *stack) stop() error {
	var stopping errgroup.Group
	for _, part := range s.parts() {
		stopping.Go(part.takeDown)
	}
	errs := []error{stopping.Wait()}
	defer s.end()
	for _, one := range []*service{s.temporal, s.postgres} {
		if one != nil {
			errs = append(errs, one.takeDown())
		}
	}
	for _, p := range []*proxy{s.toStore, s.toTemporal, s.toTemporalStore} {
		if p != nil {
			errs = append(errs, p.close())
		}
	}
	return errors.Join(append(errs, s.disk.remove())...)
}
