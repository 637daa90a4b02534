// Package stack is the development stack: Switchboard and everything that it needs, started by one
// call and kept in one folder. The caller provides the Temporal server: it takes minutes to
// compile, so this package and its imports do without it.
package stack

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/demo"
	"github.com/seed-49a43567/switchboard/cmd/switchboard/app"
	"github.com/seed-49a43567/switchboard/store/postgres"
)

// DefaultTemporalAddr is also where Temporal's own programs look for a server.
const DefaultTemporalAddr = "127.0.0.1:7233"

// Config says where the stack stores its data and listens. kong's variable temporal_addr is the
// address of Temporal if no flag gives one.
type Config struct {
	DataDir      string `name:"data-dir" default:".switchboard" help:"Folder that all state lives in."`
	APIAddr      string `name:"api-addr" default:"127.0.0.1:8080" help:"Address of the API."`
	TemporalAddr string `name:"temporal-addr" default:"${temporal_addr}" help:"Address of the Temporal server."`
	UIAddr       string `name:"temporal-ui-addr" default:"127.0.0.1:8233" help:"Address of Temporal's web UI."`
	MetricsAddr  string `name:"temporal-metrics-addr" help:"Address of the metrics of the Temporal server that is started here, for Prometheus; left out: it shows none."`
	DemoAddr     string `name:"demo-addr" default:"127.0.0.1:8090" help:"Address of the demo's receiver."`
	DemoTLSAddr  string `name:"demo-tls-addr" default:"127.0.0.1:8091" help:"Address of the demo's receiver whose certificate is expired."`
	Demo         bool   `name:"demo" default:"true" negatable:"" help:"Run a receiver, subscriptions to it and a stream of sample events."`
	APIKey       string `name:"api-key" help:"Text of the development key, which has the role admin; one is made at the first start if left out."`

	Console *app.ConsoleConfig `kong:"-"` // how people sign in; nil: with keys
	Out     io.Writer          `kong:"-"` // output for progress and addresses
}

// keyName is the name of the development key, and of its user.
const keyName = "development"

// database is the name of Switchboard's own database on the private Postgres.
const database = "switchboard"

// Run starts the stack, prints its addresses, and runs it until ctx ends. A second start with the
// same folder resumes pending work.
func Run(ctx context.Context, c Config, startTemporal StartTemporal) error {
	if err := c.checkPorts(); err != nil {
		return err
	}
	secrets, err := loadSecrets(c.DataDir, switchboard.Secret(c.APIKey))
	if err != nil {
		return err
	}
	log, logFile, err := c.openLog()
	if err != nil {
		return err
	}
	defer logFile.Close()

	c.progress("Postgres")
	pg, err := postgres.Start(ctx, postgres.Config{Dir: filepath.Join(c.DataDir, "postgres"), Progress: c.progress})
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	defer stop(log, "postgres", pg.Stop)
	if err := pg.CreateDatabase(ctx, database, ""); err != nil {
		return err
	}

	c.progress("Temporal")
	temporal, err := startTemporal(ctx, TemporalConfig{
		Addr: c.TemporalAddr, UIAddr: c.UIAddr, MetricsAddr: c.MetricsAddr, DatabaseURL: pg.URL("temporal"), Dir: c.DataDir, Log: log, Progress: c.progress,
	})
	if err != nil {
		return err
	}
	defer stop(log, "temporal", temporal.Stop)

	c.progress("Switchboard")
	return c.runSwitchboard(ctx, pg.URL(database), temporal, secrets, log)
}

// runSwitchboard migrates the schema, makes the development key and runs the API and the worker,
// and on request the demo, until ctx ends.
func (c Config) runSwitchboard(ctx context.Context, databaseURL string, temporal Temporal, s secrets, log *slog.Logger) error {
	config, err := app.DefaultConfig()
	if err != nil {
		return err
	}
	config.DatabaseURL, config.EncryptionKey, config.Listen = databaseURL, s.encryptionKey.Reveal(), c.APIAddr
	config.AllowCIDRs, config.TemporalUI = loopback(), "http://"+c.UIAddr
	config.PublicURL = "http://" + c.APIAddr
	if c.Console != nil {
		config.Console = *c.Console
	}
	config.Temporal = func() (client.Options, error) { return temporal.Options, nil }
	if err := app.Migrate(ctx, config, io.Discard); err != nil {
		return err
	}
	enter, err := app.EnterConsole(ctx, config, keyName, s.apiKey)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		select {
		case err := <-temporal.Ended:
			return err
		case <-ctx.Done():
			return nil
		}
	})
	group.Go(func() error { return app.Run(ctx, config, app.Parts{API: true, Worker: true}, log) })
	group.Go(func() error {
		if err := awaitReady(ctx, "http://"+c.APIAddr); err != nil {
			return err
		}
		c.printAddresses(s, enter)
		if !c.Demo {
			return nil
		}
		return demo.Run(ctx, demo.Config{API: "http://" + c.APIAddr, Key: s.apiKey, Receiver: c.DemoAddr, Expired: c.DemoTLSAddr, Secret: s.demoSecret, Out: c.Out})
	})
	return group.Wait()
}

func (c Config) printAddresses(s secrets, enter switchboard.Secret) {
	fmt.Fprintf(c.Out, `
Switchboard is ready.

  console       http://%[1]s%[5]s
                (signs in once; later with the API key)
  API           http://%[1]s/v1   (docs http://%[1]s/docs)
  Temporal UI   http://%[2]s
  API key       %[3]s
  log           %[4]s
`, c.APIAddr, c.UIAddr, s.apiKey.Reveal(), c.logPath(), enter.Reveal())
	if c.Demo {
		fmt.Fprintf(c.Out, "  receiver      http://%s   (the demo's)\n", c.DemoAddr)
	}
	fmt.Fprint(c.Out, "\nCtrl-C stops everything; the next start resumes what is pending.\n\n")
}

func (c Config) progress(what string) { fmt.Fprintf(c.Out, "  … %s\n", what) }

func (c Config) logPath() string { return filepath.Join(c.DataDir, "switchboard.log") }

// openLog opens the stack's log. Logs do not go to the terminal, which is for the person's own
// work.
func (c Config) openLog() (*slog.Logger, io.Closer, error) {
	file, err := openRotated(c.logPath(), maxLog)
	if err != nil {
		return nil, nil, err
	}
	return slog.New(slog.NewJSONHandler(file, nil)), file, nil
}

// checkPorts reports a taken port before anything is started.
func (c Config) checkPorts() error {
	for _, a := range []struct {
		flag, addr string
		ours       bool // we listen there
	}{
		{"--api-addr", c.APIAddr, true},
		{"--demo-addr", c.DemoAddr, c.Demo},
		{"--demo-tls-addr", c.DemoTLSAddr, c.Demo},
		{"--temporal-addr", c.TemporalAddr, false},
		{"--temporal-ui-addr", c.UIAddr, false},
		{"--temporal-metrics-addr", cmp.Or(c.MetricsAddr, c.TemporalAddr), c.MetricsAddr != ""},
	} {
		if _, _, err := net.SplitHostPort(a.addr); err != nil {
			return fmt.Errorf("%s: %q is not an address such as 127.0.0.1:8080", a.flag, a.addr)
		}
		if !a.ours {
			continue
		}
		if err := checkFree(a.flag, a.addr); err != nil {
			return err
		}
	}
	return nil
}

// checkFree returns an error if somebody listens on the address. It names the flag that sets it.
func checkFree(flag, addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%s cannot be listened on, perhaps another stack runs: choose another with %s (%w)", addr, flag, err)
	}
	return listener.Close()
}

func stop(log *slog.Logger, what string, stop func() error) {
	if stop == nil {
		return
	}
	if err := stop(); err != nil {
		log.Error("stop", "what", what, "error", err)
	}
}

// loopback is what the development stack's egress guard allows: receivers on this machine.
func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}
