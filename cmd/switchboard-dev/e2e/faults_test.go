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
	processes "github.com/seed-49a43567/switchboard/cmd/switchboard-dev/process"
)

// TestFaults is the short part of `make faults`: a process is killed, connections are ended, and a
// dependency is away. No other test of this package runs at the same time.
func TestFaults(t *testing.T) {
	suite := faults.Command{
		Switchboard: built.path(t), Rate: 5, Seconds: 4, Out: io.Discard,
		Only: []string{"kill-api", "backends-killed", "temporal-away"},
	}
	if err := suite.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

// serveTemporal runs the Temporal server of the fault suite, which starts this program again, if
// the command line says so.
func serveTemporal(line []string) (code int, asked bool) {
	if len(line) < 2 || line[1] != processes.TemporalCommandName {
		return 0, false
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command := processes.TemporalCommand{DatabaseURL: line[len(line)-1]}
	if err := command.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}
