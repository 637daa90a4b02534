package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/embedded"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/process"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/stack"
)

// temporalCommand is the hidden command that only runs the Temporal server and its web UI, until
// its standard input ends. switchboard-stack starts it.
type temporalCommand struct {
	DatabaseURL string `name:"database-url" required:"" help:"Main database of the server, made if it is missing."`
	Addr        string `required:"" help:"Address of the server."`
	UIAddr      string `required:"" help:"Address of the web UI."`
	MetricsAddr string `name:"metrics-addr" help:"Address of the metrics; left out: none are shown."`
}

// Run runs the server.
func (c temporalCommand) Run(ctx context.Context) error {
	tuneCollector()
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	temporal, err := embedded.Start(ctx, stack.TemporalConfig{
		Addr: c.Addr, UIAddr: c.UIAddr, MetricsAddr: c.MetricsAddr, DatabaseURL: c.DatabaseURL, Log: log, Progress: func(what string) { log.InfoContext(ctx, what) },
	})
	if err != nil {
		return err
	}
	process.UntilParentEnds(ctx)
	return temporal.Stop()
}
