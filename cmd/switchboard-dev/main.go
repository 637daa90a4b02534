// Command switchboard-dev is Switchboard with everything that it needs in one process: a private
// Postgres, a Temporal server, and Temporal's web UI. It is for development and measurements;
// production runs the command switchboard.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/bench"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/embedded"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/faults"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/process"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/stack"
)

const (
	// Rarer garbage collections in the Temporal server cost memory and save 17 % of the CPU of a
	// delivery (temporal-notes §12).
	gcPercent   = 400
	memoryLimit = 4 << 30 // bytes; above it the collector works as hard as necessary
)

// commands is the command line.
type commands struct {
	Run    runCommand     `cmd:"" default:"withargs" help:"Run the development stack."`
	Bench  bench.Command  `cmd:"" help:"Measure Switchboard beside bare Temporal."`
	Faults faults.Command `cmd:"" help:"Kill, freeze, cut off and fill up what Switchboard runs on, and see whether anything is lost."`

	Temporal temporalCommand `cmd:"" hidden:""`

	// Commands that bench and faults start as separate processes.
	TemporalServer process.TemporalCommand `cmd:"" hidden:""` // process.TemporalCommandName
	BenchFloor     bench.FloorCommand      `cmd:"" hidden:""`
}

type runCommand struct{ stack.Config }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	parsed := kong.Parse(&c,
		kong.Name("switchboard-dev"),
		kong.Description("Switchboard's development stack, all in one process."),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Vars{"temporal_addr": stack.DefaultTemporalAddr},
	)
	if err := parsed.Run(); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "switchboard-dev:", err)
		os.Exit(1)
	}
}

func (c runCommand) Run(ctx context.Context) error {
	tuneCollector()
	c.Out = os.Stdout
	return stack.Run(ctx, c.Config, embedded.Start)
}

// tuneCollector is for a process with a Temporal server.
func tuneCollector() {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
}
