package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/freeport"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/process"
	"github.com/seed-49a43567/switchboard/store/postgres"
)

// startTimeout limits the start of the whole stack, also on a fresh machine, which first gets a
// Postgres.
const startTimeout = 10 * time.Minute

// database is Switchboard's own.
const database = "switchboard"

// stackConfig says what the stack consists of.
type stackConfig struct {
	dir         string
	switchboard string // path of the production binary
	floor       bool   // with the bare worker
	serve       bool   // with Switchboard
	concurrency int
	history     int // old deliveries to seed; 0: the databases begin empty
}

// stack is everything that is measured, and what measures it.
type stack struct {
	postgres *postgres.Server
	temporal *process.Child
	floor    *process.Child // nil: not requested
	serve    *process.Child // nil: not requested
	client   client.Client
	receiver *receiver
	poster   *poster

	config       stackConfig
	more         []string // additional environment of Switchboard
	temporalAddr string
	listen       string             // address of Switchboard
	keyring      string             // the encryption keys
	history      []*historyDatabase // the full one and the empty one; nil: not requested
}

// startStack starts everything. After an error nothing is left running.
func startStack(ctx context.Context, c stackConfig) (_ *stack, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s := &stack{config: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if s.postgres, err = postgres.Start(ctx, s.postgresConfig()); err != nil {
		return nil, err
	}
	if err := s.startTemporal(ctx); err != nil {
		return nil, err
	}
	if c.floor {
		if err := s.startFloor(ctx); err != nil {
			return nil, err
		}
	}
	if c.serve {
		if err := s.startSwitchboard(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *stack) startTemporal(ctx context.Context) (err error) {
	if s.temporal, s.temporalAddr, err = process.StartTemporal(ctx, filepath.Join(s.config.dir, "temporal.log"), s.postgres.URL("temporal")); err != nil {
		return err
	}
	s.client, err = client.DialContext(ctx, client.Options{
		HostPort: s.temporalAddr, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	return err
}

func (s *stack) postgresConfig() postgres.Config {
	return postgres.Config{Dir: filepath.Join(s.config.dir, "postgres")}
}

func (s *stack) startFloor(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "bench-floor", "--temporal-addr", s.temporalAddr)
	if s.floor, err = process.Start("the bare worker", filepath.Join(s.config.dir, "floor.log"), cmd); err != nil {
		return err
	}
	var ready floorReady
	return s.floor.Ask(ctx, "", &ready)
}

// startSwitchboard migrates, makes a key, serves, and subscribes the receiver.
func (s *stack) startSwitchboard(ctx context.Context) (err error) {
	if err := s.postgres.CreateDatabase(ctx, database, ""); err != nil {
		return err
	}
	if s.listen, err = freeport.Address(); err != nil {
		return err
	}
	s.keyring = process.NewKeyring("bench")
	if s.config.history > 0 {
		if err := s.openHistories(ctx, s.keyring); err != nil {
			return err
		}
	}
	key, err := s.switchboard().Prepare(ctx, "bench")
	if err != nil {
		return err
	}
	if s.receiver, err = startReceiver(); err != nil {
		return err
	}
	if s.poster, err = newPoster("http://"+s.listen, key, s.config.concurrency); err != nil {
		return err
	}
	if err := s.startServe(ctx); err != nil {
		return err
	}
	return s.poster.subscribe(ctx, s.receiver.url)
}

// startServe starts `switchboard serve` and returns when it is ready.
func (s *stack) startServe(ctx context.Context) (err error) {
	if s.serve, err = s.switchboard().Start("switchboard serve", filepath.Join(s.config.dir, "serve.log"), "serve", s.listen); err != nil {
		return err
	}
	return process.UntilReady(ctx, s.serve, s.poster.api)
}

// killAll ends Switchboard, Temporal and Postgres like a power failure, and starts them again.
func (s *stack) killAll(ctx context.Context) (err error) {
	s.client.Close()
	if err := errors.Join(s.serve.Kill(), s.temporal.Kill(), s.postgres.Kill()); err != nil {
		return err
	}
	if s.postgres, err = postgres.Start(ctx, s.postgresConfig()); err != nil {
		return err
	}
	return errors.Join(s.startTemporal(ctx), s.startServe(ctx))
}

// switchboard is the binary with its configuration.
func (s *stack) switchboard() process.Switchboard {
	configured := process.Switchboard{
		Binary: s.config.switchboard, DatabaseURL: s.postgres.URL(database), Keyring: s.keyring,
		TemporalAddr: s.temporalAddr, Namespace: client.DefaultNamespace, Settings: slices.Clone(s.more),
	}
	if s.config.history > 0 {
		configured.Settings = append(configured.Settings, fmt.Sprintf("SWITCHBOARD_RETENTION=%dd", retained(s.config.history)))
	}
	return configured
}

// stop ends what was started, in reverse.
func (s *stack) stop() error {
	var errs []error
	if s.poster != nil {
		s.poster.idle()
	}
	for _, c := range []*process.Child{s.serve, s.floor} {
		if c != nil {
			errs = append(errs, c.Stop())
		}
	}
	if s.receiver != nil {
		errs = append(errs, s.receiver.server.Close())
	}
	if s.client != nil {
		s.client.Close()
	}
	if s.temporal != nil {
		errs = append(errs, s.temporal.Stop())
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop())
	}
	return errors.Join(errs...)
}
