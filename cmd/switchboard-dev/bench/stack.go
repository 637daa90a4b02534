package bench

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/temporalserver"
	"github.com/seed-49a43567/switchboard/store/postgres"
)

// startTimeout bounds the start of the whole stack; of a fresh machine's, too,
// which obtains a Postgres first.
const startTimeout = 10 * time.Minute

// database is Switchboard's own.
const database = "switchboard"

// stackConfig says what a stack is made of.
type stackConfig struct {
	dir         string
	switchboard string // path of the production binary
	floor       bool   // with the bare worker
	serve       bool   // with Switchboard
	concurrency int
	history     int // old deliveries that are to be seeded; 0: the databases begin empty
}

// stack is everything that is measured, and what measures it.
type stack struct {
	postgres *postgres.Server
	temporal *child
	floor    *child // nil: not asked for
	serve    *child // nil: not asked for
	client   client.Client
	receiver *receiver
	poster   *poster

	config       stackConfig
	more         []string // further environment of Switchboard
	temporalAddr string
	listen       string             // address of Switchboard
	keyring      string             // that it encrypts with
	history      []*historyDatabase // the full one and the empty one; nil: not asked for
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

func (s *stack) startTemporal(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "bench-temporal", "--database-url", s.postgres.URL("temporal"))
	cmd.Env = append(os.Environ(), "GOGC=400", "GOMEMLIMIT=4GiB") // as in the development stack
	if s.temporal, err = startChild("the Temporal server", filepath.Join(s.config.dir, "temporal.log"), cmd); err != nil {
		return err
	}
	var ready temporalReady
	if err := s.temporal.ask(ctx, "", &ready); err != nil {
		return err
	}
	s.temporalAddr = ready.Addr
	s.client, err = client.DialContext(ctx, client.Options{
		HostPort: ready.Addr, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
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
	if s.floor, err = startChild("the bare worker", filepath.Join(s.config.dir, "floor.log"), cmd); err != nil {
		return err
	}
	var ready floorReady
	return s.floor.ask(ctx, "", &ready)
}

// startSwitchboard migrates, makes a key, serves, and subscribes the receiver.
func (s *stack) startSwitchboard(ctx context.Context) (err error) {
	if err := s.postgres.CreateDatabase(ctx, database, ""); err != nil {
		return err
	}
	if s.listen, err = temporalserver.FreeAddress(); err != nil {
		return err
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	s.keyring = "bench:" + base64.StdEncoding.EncodeToString(key)
	if s.config.history > 0 {
		if err := s.openHistories(ctx, s.keyring); err != nil {
			return err
		}
	}
	if _, err := output(ctx, s.environment(), s.config.switchboard, "migrate"); err != nil {
		return err
	}
	printed, err := output(ctx, s.environment(), s.config.switchboard, "keys", "create", "--name", "bench", "--role", "admin")
	if err != nil {
		return err
	}
	words := strings.Fields(printed)
	if len(words) != 2 {
		return fmt.Errorf("keys create printed %d words; want the key's id and its text", len(words))
	}
	if s.receiver, err = startReceiver(); err != nil {
		return err
	}
	if s.poster, err = newPoster("http://"+s.listen, switchboard.Secret(words[1]), s.config.concurrency); err != nil {
		return err
	}
	if err := s.startServe(ctx); err != nil {
		return err
	}
	return s.poster.subscribe(ctx, s.receiver.url)
}

// startServe starts `switchboard serve` and returns when it is ready.
func (s *stack) startServe(ctx context.Context) (err error) {
	cmd := exec.Command(s.config.switchboard, "serve")
	cmd.Env = s.environment()
	if s.serve, err = startChild("switchboard serve", filepath.Join(s.config.dir, "serve.log"), cmd); err != nil {
		return err
	}
	return s.untilReady(ctx)
}

// killAll ends Switchboard, Temporal and Postgres as a loss of power would, and starts them again.
func (s *stack) killAll(ctx context.Context) (err error) {
	s.client.Close()
	if err := errors.Join(s.serve.kill(), s.temporal.kill(), s.postgres.Kill()); err != nil {
		return err
	}
	if s.postgres, err = postgres.Start(ctx, s.postgresConfig()); err != nil {
		return err
	}
	return errors.Join(s.startTemporal(ctx), s.startServe(ctx))
}

// environment is the whole environment of Switchboard: nothing of ours is in it.
func (s *stack) environment() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + os.Getenv("HOME"),
		"SWITCHBOARD_DATABASE_URL=" + s.postgres.URL(database),
		"SWITCHBOARD_ENCRYPTION_KEY=" + s.keyring,
		"SWITCHBOARD_LISTEN=" + s.listen,
		"SWITCHBOARD_ALLOW_CIDRS=127.0.0.0/8",
		"TEMPORAL_ADDRESS=" + s.temporalAddr,
		"TEMPORAL_NAMESPACE=" + client.DefaultNamespace,
	}
	if s.config.history > 0 {
		env = append(env, fmt.Sprintf("SWITCHBOARD_RETENTION=%dd", retained(s.config.history)))
	}
	return append(env, s.more...)
}

// untilReady waits until Switchboard says that nothing is missing.
func (s *stack) untilReady(ctx context.Context) error {
	for {
		_, err := s.poster.api.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.serve.done:
			return s.serve.ended(err)
		case <-ctx.Done():
			return fmt.Errorf("switchboard serve is not ready: %w; its log %s ends with:\n%s", errors.Join(ctx.Err(), err), s.serve.log, tail(s.serve.log))
		case <-time.After(pollPause):
		}
	}
}

// stop ends what was started, in reverse.
func (s *stack) stop() error {
	var errs []error
	if s.poster != nil {
		s.poster.idle()
	}
	for _, c := range []*child{s.serve, s.floor} {
		if c != nil {
			errs = append(errs, c.stop())
		}
	}
	if s.receiver != nil {
		errs = append(errs, s.receiver.server.Close())
	}
	if s.client != nil {
		s.client.Close()
	}
	if s.temporal != nil {
		errs = append(errs, s.temporal.stop())
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop())
	}
	return errors.Join(errs...)
}

// output runs a command to its end and returns what it printed.
func output(ctx context.Context, env []string, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = env
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return string(out), nil
}
