package stack

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"github.com/seed-49a43567/switchboard/cmd/switchboard/app"
	"github.com/seed-49a43567/switchboard/worker"
)

// connectTimeout is how long connecting to a server may take. A running server takes much less.
const connectTimeout = 5 * time.Second

// AtHand uses an available Temporal server, so that none has to be compiled: one that answers at
// the address, or that of the program `temporal`. If there is neither, it runs the server of
// otherwise.
func AtHand(otherwise func(TemporalConfig) (Program, error)) StartTemporal {
	return func(ctx context.Context, c TemporalConfig) (Temporal, error) {
		if listens(ctx, c.Addr) {
			return running(ctx, c)
		}
		if c.Addr = numeric(c.Addr); !isLoopback(c.Addr) {
			return Temporal{}, fmt.Errorf("no Temporal server answers on %s: --temporal-addr or TEMPORAL_ADDRESS names another, and an address of this machine has one started there", c.Addr)
		}
		for flag, addr := range map[string]string{"--temporal-addr": c.Addr, "--temporal-ui-addr": c.UIAddr} {
			if err := checkFree(flag, addr); err != nil {
				return Temporal{}, err
			}
		}
		program, err := commandLineTool(c)
		if err != nil {
			if program, err = otherwise(c); err != nil {
				return Temporal{}, err
			}
		}
		return program.start(ctx, c)
	}
}

// running uses the server that answers at the address, and creates what it lacks.
func running(ctx context.Context, c TemporalConfig) (Temporal, error) {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return Temporal{}, fmt.Errorf("TEMPORAL_… variables: %w", err)
	}
	options.HostPort = c.Addr
	var did strings.Builder
	if err := app.Setup(ctx, app.Config{Temporal: func() (client.Options, error) { return options, nil }}, 0, &did); err != nil {
		return Temporal{}, err
	}
	for line := range strings.Lines(did.String()) {
		c.Progress(strings.TrimSpace(line))
	}
	return Temporal{Options: options}, nil
}

// commandLineTool runs the server of Temporal's own command-line tool, if that is on the PATH. The
// server's state is a file in the stack's folder.
func commandLineTool(c TemporalConfig) (Program, error) {
	path, err := exec.LookPath("temporal")
	if err != nil {
		return Program{}, err
	}
	host, port, _ := net.SplitHostPort(c.Addr) // checkPorts has checked both
	uiHost, uiPort, _ := net.SplitHostPort(numeric(c.UIAddr))
	arguments := []string{
		"server", "start-dev", "--ip", host, "--port", port, "--ui-ip", uiHost, "--ui-port", uiPort,
		"--db-filename", filepath.Join(c.Dir, "temporal.sqlite"),
	}
	if c.MetricsAddr != "" {
		_, metricsPort, _ := net.SplitHostPort(c.MetricsAddr) // the address is the server's own
		arguments = append(arguments, "--metrics-port", metricsPort)
	}
	for _, name := range worker.SearchAttributes() {
		arguments = append(arguments, "--search-attribute", name+"=Keyword")
	}
	for _, setting := range devSettings() {
		arguments = append(arguments, "--dynamic-config-value", setting)
	}
	return Program{Name: path + " server start-dev", Serve: append([]string{path}, arguments...)}, nil
}

// devSettings are the dynamic settings that Switchboard relies on, as in deploy/temporal, in the
// form for the command-line tool.
func devSettings() []string {
	return []string{
		"matching.enableFairness=true",
		"system.enableEagerWorkflowStart=true",
		"frontend.enableCancelWorkerPollsOnShutdown=true",
		`history.workflowIdReuseMinimalInterval="0s"`,
		"limit.maxIDLength=255",
	}
}

func listens(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}

// numeric returns the address with the number of localhost, on which a server can listen.
func numeric(addr string) string {
	if port, ok := strings.CutPrefix(addr, "localhost:"); ok {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

// isLoopback reports whether only this machine can reach an address.
func isLoopback(addr string) bool {
	parsed, err := netip.ParseAddrPort(addr)
	return err == nil && parsed.Addr().IsLoopback()
}
