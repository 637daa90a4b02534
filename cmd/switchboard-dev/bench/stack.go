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
	history  []*historyDatabase // the full one and the empty one; nil: not asked for
}

// startStack starts everything. After an error nothing is left running.
func startStack(ctx context.Context, c stackConfig) (_ *stack, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s := &stack{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if s.postgres, err = postgres.Start(ctx, postgres.Config{Dir: filepath.Join(c.dir, "postgres")}); err != nil {
		return nil, err
	}
	addr, err := s.startTemporal(ctx, self, c.dir)
	if err != nil {
		return nil, err
	}
	if c.floor {
		if err := s.startFloor(ctx, self, c.dir, addr); err != nil {
			return nil, err
		}
	}
	if c.serve {
		if err := s.startSwitchboard(ctx, c, addr); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *stack) startTemporal(ctx context.Context, self, dir string) (addr string, err error) {
	cmd := exec.Command(self, "bench-temporal", "--database-url", s.postgres.URL("temporal"))
	cmd.Env = append(os.Environ(), "GOGC=400", "GOMEMLIMIT=4GiB") // as in the development stack
	if s.temporal, err = startChild("the Temporal server", filepath.Join(dir, "temporal.log"), cmd); err != nil {
		return "", err
	}
	var ready temporalReady
	if err := s.temporal.ask(ctx, "", &ready); err != nil {
		return "", err
	}
	s.client, err = client.DialContext(ctx, client.Options{
		HostPort: ready.Addr, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	return ready.Addr, err
}

func (s *stack) startFloor(ctx context.Context, self, dir, addr string) (err error) {
	cmd := exec.Command(self, "bench-floor", "--temporal-addr", addr)
	if s.floor, err = startChild("the bare worker", filepath.Join(dir, "floor.log"), cmd); err != nil {
		return err
	}
	var ready floorReady
	return s.floor.ask(ctx, "", &ready)
}

// startSwitchboard migrates, makes a key, serves, and subscribes the receiver.
func (s *stack) startSwitchboard(ctx context.Context, c stackConfig, temporalAddr string) error {
	if err := s.postgres.CreateDatabase(ctx, database, ""); err != nil {
		return err
	}
	listen, err := temporalserver.FreeAddress()
	if err != nil {
		return err
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	keyring := "bench:" + base64.StdEncoding.EncodeToString(key)
	env := s.environment(listen, temporalAddr, keyring)
	if c.history > 0 {
		if err := s.openHistories(ctx, keyring); err != nil {
			return err
		}
		env = append(env, fmt.Sprintf("SWITCHBOARD_RETENTION=%dd", retained(c.history)))
	}
	if _, err := output(ctx, env, c.switchboard, "migrate"); err != nil {
		return err
	}
	printed, err := output(ctx, env, c.switchboard, "keys", "create", "--name", "bench", "--role", "admin")
	if err != nil {
		return err
	}
	words := strings.Fields(printed)
	if len(words) != 2 {
		return fmt.Errorf("keys create printed %d words; want the key's id and its text", len(words))
	}
	cmd := exec.Command(c.switchboard, "serve")
	cmd.Env = env
	if s.serve, err = startChild("switchboard serve", filepath.Join(c.dir, "serve.log"), cmd); err != nil {
		return err
	}
	if s.receiver, err = startReceiver(); err != nil {
		return err
	}
	if s.poster, err = newPoster("http://"+listen, switchboard.Secret(words[1]), c.concurrency); err != nil {
		return err
	}
	if err := s.untilReady(ctx); err != nil {
		return err
	}
	return s.poster.subscribe(ctx, s.receiver.url)
}

// environment is the whole environment of Switchboard: nothing of ours is in it.
func (s *stack) environment(listen, temporalAddr, keyring string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + os.Getenv("HOME"),
		"SWITCHBOARD_DATABASE_URL=" + s.postgres.URL(database),
		"SWITCHBOARD_ENCRYPTION_KEY=" + keyring,
		"SWITCHBOARD_LISTEN=" + listen,
		"SWITCHBOARD_ALLOW_CIDRS=127.0.0.0/8",
		"TEMPORAL_ADDRESS=" + temporalAddr,
		"TEMPORAL_NAMESPACE=" + client.DefaultNamespace,
	}
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
