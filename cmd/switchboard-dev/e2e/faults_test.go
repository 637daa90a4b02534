package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/faults"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/process"
)

// TestFaults is the short part of `make faults`: a process is killed, connections are
// ended, and a dependency is away. No other test of this package runs beside it.
func TestFaults(t *testing.T) {
	suite := faults.Command{
		Switchboard: built.path(t), Rate: 15, Seconds: 4, Out: io.Discard,
		Only: []string{"kill-api", "backends-killed", "temporal-away"},
	}
	if err := suite.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

// serveTemporal runs the Temporal server of the fault suite: it starts this program again.
func serveTemporal(line []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command := process.TemporalCommand{DatabaseURL: line[len(line)-1]}
	if err := command.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
