package temporalserver

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/temporalio/ui-server/v2/server"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// UIConfig is what [StartUI] needs.
type UIConfig struct {
	Host         string // empty: 127.0.0.1
	Port         int    // 0: a free one
	TemporalAddr string // the frontend, as host:port
	Namespace    string // shown first; empty: default
}

// UI is Temporal's running web UI.
type UI struct {
	server *server.Server
	addr   string
}

// StartUI starts Temporal's web UI and returns when it answers. The error about a taken port names
// the port and the flag.
func StartUI(ctx context.Context, c UIConfig) (*UI, error) {
	defaults := Config{Host: c.Host, Namespace: c.Namespace}.withDefaults()
	c.Host, c.Namespace = defaults.Host, defaults.Namespace

	// The UI ends the process if it cannot bind, so check the port first.
	listener, err := listen(c.Host, c.Port, "--temporal-ui-addr")
	if err != nil {
		return nil, err
	}
	u := &UI{addr: listener.Addr().String()}
	c.Port = portOf(listener)
	if err := listener.Close(); err != nil {
		return nil, err
	}
	u.server = server.NewServer(server_options.WithConfigProvider(&config.Config{
		Host:                c.Host,
		Port:                c.Port,
		TemporalGRPCAddress: c.TemporalAddr,
		DefaultNamespace:    c.Namespace,
		EnableUI:            true,
		CORS:                config.CORS{CookieInsecure: true}, // no TLS on loopback
		HideLogs:            true,
		DisableNewsFetch:    true, // no requests to the outside
	}))
	go func() { _ = u.server.Start() }() // returns nil, only after Stop
	if err := u.waitReady(ctx); err != nil {
		u.Stop()
		return nil, err
	}
	return u, nil
}

// Addr is the address of the UI, as host:port.
func (u *UI) Addr() string { return u.addr }

// Stop ends the UI and its running requests.
func (u *UI) Stop() { u.server.Stop() }

func (u *UI) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		err := u.check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("temporal's web UI does not answer on %s: %w", u.addr, err)
		case <-time.After(readyPause):
		}
	}
}

func (u *UI) check(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+u.addr+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
