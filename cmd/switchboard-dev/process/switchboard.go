package process

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// readyPause is the interval at which Switchboard is asked whether it is ready.
const readyPause = 100 * time.Millisecond

// Switchboard is the production binary with its configuration.
type Switchboard struct {
	Binary       string
	DatabaseURL  string
	Keyring      string
	TemporalAddr string
	Namespace    string
	Settings     []string // additional ones, as NAME=value
}

// NewKeyring makes an encryption key in the format of SWITCHBOARD_ENCRYPTION_KEY.
func NewKeyring(id string) string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
	return id + ":" + base64.StdEncoding.EncodeToString(key)
}

// environment returns the whole environment of Switchboard, without anything from ours.
func (s Switchboard) environment() []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + os.Getenv("HOME"),
		"SWITCHBOARD_DATABASE_URL=" + s.DatabaseURL,
		"SWITCHBOARD_ENCRYPTION_KEY=" + s.Keyring,
		"SWITCHBOARD_ALLOW_CIDRS=127.0.0.0/8",
		"TEMPORAL_ADDRESS=" + s.TemporalAddr,
		"TEMPORAL_NAMESPACE=" + s.Namespace,
	}, s.Settings...)
}

// Output runs a command of the binary to its end and returns its output, even if the command
// returns an error.
func (s Switchboard) Output(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.Binary, args...)
	cmd.Env = s.environment()
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %w", s.Binary, strings.Join(args, " "), err)
	}
	return string(out), err
}

// Prepare migrates the database and makes a key with the role admin.
func (s Switchboard) Prepare(ctx context.Context, keyName string) (switchboard.Secret, error) {
	if _, err := s.Output(ctx, "migrate"); err != nil {
		return "", err
	}
	printed, err := s.Output(ctx, "keys", "create", "--name", keyName, "--role", "admin")
	if err != nil {
		return "", err
	}
	words := strings.Fields(printed)
	if len(words) != 2 {
		return "", fmt.Errorf("keys create printed %d words; want the key's id and its text", len(words))
	}
	return switchboard.Secret(words[1]), nil
}

// Start starts a command of the binary that runs until it is stopped: serve, api or worker.
func (s Switchboard) Start(name, logFile, command, listen string) (*Child, error) {
	cmd := exec.Command(s.Binary, command)
	cmd.Env = append(s.environment(), "SWITCHBOARD_LISTEN="+listen)
	return Start(name, logFile, cmd)
}

// UntilReady waits until a process of Switchboard says that nothing is missing.
func UntilReady(ctx context.Context, c *Child, api *client.Client) error {
	for {
		_, err := api.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.done:
			return c.Ended(err)
		case <-ctx.Done():
			return c.NotReady(errors.Join(ctx.Err(), err))
		case <-time.After(readyPause):
		}
	}
}
