package process

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"

	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/temporalserver"
	"github.com/seed-49a43567/switchboard/worker"
)

// TemporalCommandName is the name of the hidden command of [TemporalCommand].
const TemporalCommandName = "temporal-server"

// TemporalCommand is the hidden command that runs the embedded Temporal server as a separate
// process, until its standard input ends.
type TemporalCommand struct {
	DatabaseURL string `name:"database-url" required:"" help:"Main database of the server, made if it is missing."`
	Port        int    `help:"Port of the frontend; 0: a free one."`
	MetricsAddr string `help:"Address at which the server shows its metrics for Prometheus; empty: nowhere."`
}

// temporalReady is its output when the server answers.
type temporalReady struct {
	Addr string `json:"addr"`
}

// StartTemporal starts the embedded Temporal server on that database, and returns the address of
// its frontend once it answers. This program must have [TemporalCommand] under its name.
func StartTemporal(ctx context.Context, logFile, databaseURL string) (*Child, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(self, TemporalCommandName, "--database-url", databaseURL)
	cmd.Env = append(os.Environ(), "GOGC=400", "GOMEMLIMIT=4GiB") // as in the development stack
	c, err := Start("the Temporal server", logFile, cmd)
	if err != nil {
		return nil, "", err
	}
	var ready temporalReady
	if err := c.Ask(ctx, "", &ready); err != nil {
		return nil, "", errors.Join(err, c.Kill())
	}
	return c, ready.Addr, nil
}

// Run runs the server.
func (c *TemporalCommand) Run(ctx context.Context) error {
	server, err := temporalserver.Start(ctx, temporalserver.Config{
		DatabaseURL: c.DatabaseURL,
		Port:        c.Port,
		MetricsAddr: c.MetricsAddr,
		Keywords:    worker.SearchAttributes(),
		Log:         slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(temporalReady{Addr: server.Addr()}); err != nil {
		return err
	}
	UntilParentEnds(ctx)
	return server.Stop()
}

// UntilParentEnds returns when ctx ends, or when standard input ends, which happens when the parent
// process ends.
func UntilParentEnds(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	<-ctx.Done()
}
