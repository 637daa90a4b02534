// Package embedded gives the development stack a Temporal server in this process.
package embedded

import (
	"context"
	"errors"
	"net"
	"strconv"

	"go.temporal.io/sdk/client"

	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/stack"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/temporalserver"
	"github.com/seed-49a43567/switchboard/worker"
)

// Start starts a Temporal server and its web UI, and returns when they answer.
func Start(ctx context.Context, c stack.TemporalConfig) (stack.Temporal, error) {
	host, port, err := split(c.Addr)
	if err != nil {
		return stack.Temporal{}, err
	}
	uiHost, uiPort, err := split(c.UIAddr)
	if err != nil {
		return stack.Temporal{}, err
	}
	server, err := temporalserver.Start(ctx, temporalserver.Config{
		DatabaseURL: c.DatabaseURL, Host: host, Port: port, Keywords: worker.SearchAttributes(), MetricsAddr: c.MetricsAddr, Log: c.Log, Progress: c.Progress,
	})
	if err != nil {
		return stack.Temporal{}, err
	}
	ui, err := temporalserver.StartUI(ctx, temporalserver.UIConfig{Host: uiHost, Port: uiPort, TemporalAddr: server.Addr()})
	if err != nil {
		return stack.Temporal{}, errors.Join(err, server.Stop())
	}
	stop := func() error {
		ui.Stop()
		return server.Stop()
	}
	return stack.Temporal{Options: client.Options{HostPort: server.Addr()}, Stop: stop}, nil
}

func split(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}
