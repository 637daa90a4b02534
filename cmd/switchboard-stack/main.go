// Command switchboard-stack is the development stack with an available Temporal server: one that
// runs, or that of the program `temporal`. It builds in a fraction of the time of switchboard-dev,
// which compiles a Temporal server. If no server is available, it builds and runs
// switchboard-dev's.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"go.temporal.io/sdk/contrib/envconfig"

	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/stack"
	"github.com/seed-49a43567/switchboard/cmd/switchboard/app"
)

const (
	// serverPackage is the program with the compiled-in Temporal server.
	serverPackage = "github.com/seed-49a43567/switchboard/cmd/switchboard-dev"
	// serverCosts is how much time of one processor its build takes after Switchboard is built: 6
	// min 40 s with nothing else compiled (Go 1.26.8, Temporal server 1.32.1).
	serverCosts = 7 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "switchboard-stack:", err)
		os.Exit(1)
	}
}

// run runs the stack with the arguments of a command line until ctx ends.
func run(ctx context.Context, line []string, out io.Writer) error {
	app.SetGC()
	temporal, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return fmt.Errorf("TEMPORAL_… variables: %w", err)
	}
	c := stack.Config{Out: out}
	parser, err := kong.New(&c,
		kong.Name("switchboard-stack"),
		kong.Description("Switchboard's development stack, on the Temporal server that is at hand: the one that answers at --temporal-addr, "+
			"else that of the program temporal, else one that is built and run."),
		kong.Vars{"temporal_addr": cmp.Or(temporal.HostPort, stack.DefaultTemporalAddr)},
	)
	if err != nil {
		return err
	}
	if _, err := parser.Parse(line); err != nil {
		return err
	}
	return stack.Run(ctx, c, stack.AtHand(compiledIn))
}

// compiledIn is the server of switchboard-dev, which is built next to this program.
func compiledIn(c stack.TemporalConfig) (stack.Program, error) {
	tool, err := exec.LookPath("go")
	if err != nil {
		return stack.Program{}, fmt.Errorf("no Temporal server answers on %s, and neither temporal nor go is on the PATH to start or build one", c.Addr)
	}
	self, err := os.Executable()
	if err != nil {
		return stack.Program{}, err
	}
	program := filepath.Join(filepath.Dir(self), "switchboard-dev")
	return stack.Program{
		Name:  "the Temporal server of switchboard-dev",
		Build: []string{tool, "build", "-o", program, serverPackage},
		Costs: serverCosts,
		Serve: []string{program, "temporal", "--database-url", c.DatabaseURL, "--addr", c.Addr, "--ui-addr", c.UIAddr, "--metrics-addr", c.MetricsAddr},
	}, nil
}
