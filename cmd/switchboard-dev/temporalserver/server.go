package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

// How long the server may take. It starts in about a second and stops in less. These limits allow
// for a machine that is busy with something else.
const (
	readyTimeout = 3 * time.Minute
	readyPause   = 20 * time.Millisecond // interval of polls
	stopTimeout  = 2 * time.Minute
)

// Config is what [Start] needs.
type Config struct {
	// DatabaseURL is the main database in the form of lib/pq, for example
	// postgres://user@/temporal?host=/folder/of/the/socket&port=5432. The socket is faster than
	// TCP. The other database has the same name with "_visibility" appended. Both are created if
	// missing, which the user must be allowed to do.
	DatabaseURL string

	Host string // address of the frontend; empty: 127.0.0.1
	Port int    // port of the frontend; 0: a free one

	Namespace string        // created if missing; empty: default
	Retention time.Duration // of closed workflows in a new namespace; 0: three days

	// Keywords are the names of search attributes of type keyword that a new namespace has from the
	// start, at most ten. Only these keep the index of their column.
	Keywords []string

	// FreshAttributes makes search attributes usable as soon as they are registered, in a namespace
	// that a test has just made. It costs a read at every start of a workflow: a quarter of the CPU
	// of a delivery.
	FreshAttributes bool

	// MetricsAddr is where the server shows its metrics for Prometheus, with the names that they
	// have in production; empty: no metrics.
	MetricsAddr string

	Log      *slog.Logger // gets the server's warnings and errors; nil: dropped
	Progress func(string) // called before something that takes long; may be nil
}

// Server is a running Temporal server.
type Server struct {
	server temporal.Server
	addr   string
	log    serverLog
}

// Start creates or upgrades the two databases, starts a server on them and returns when it answers.
// The error about a taken port names the port and the flag.
func Start(ctx context.Context, config Config) (_ *Server, err error) {
	config = config.withDefaults()
	db, err := parseDatabaseURL(config.DatabaseURL)
	if err != nil {
		return nil, err
	}
	ports, err := choosePorts(config.Host, config.Port)
	if err != nil {
		return nil, err
	}
	log := serverLog{to: config.Log, silent: new(atomic.Bool)}
	if err := prepare(ctx, config, db, log); err != nil {
		return nil, err
	}
	config.Progress("starting Temporal")

	defer recoverFatal(&err)
	dynamic := settings()
	dynamic[dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key()] = config.FreshAttributes
	hosts := map[primitives.ServiceName]static.Hosts{}
	for service, port := range ports {
		hosts[service] = static.SingleLocalHost(hostPort(config.Host, port))
	}
	measured, err := metricsHandler(config, log)
	if err != nil {
		return nil, err
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(serverConfig(config, db, ports)),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts), // one process: no discovery, and no ports for it
		temporal.WithLogger(log),
		temporal.WithDynamicConfigClient(dynamicconfig.StaticClient(dynamic)),
		temporal.WithCustomMetricsHandler(measured),
	)
	if err != nil {
		return nil, fmt.Errorf("set up temporal: %w", err)
	}
	s := &Server{server: server, addr: hostPort(config.Host, ports[primitives.FrontendService]), log: log}
	if err := server.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start temporal: %w", err), s.Stop())
	}
	if err := s.waitReady(ctx, config.Namespace); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// metricsHandler returns the server's metrics handler: that of Temporal's own image with
// PROMETHEUS_ENDPOINT, or none.
func metricsHandler(c Config, log serverLog) (metrics.Handler, error) {
	if c.MetricsAddr == "" {
		return metrics.NoopMetricsHandler, nil
	}
	return metrics.MetricsHandlerFromConfig(log, &metrics.Config{Prometheus: &metrics.PrometheusConfig{ListenAddress: c.MetricsAddr, TimerType: "histogram"}})
}

func (c Config) withDefaults() Config {
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	if c.Namespace == "" {
		c.Namespace = client.DefaultNamespace
	}
	if c.Retention == 0 {
		c.Retention = 3 * 24 * time.Hour
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c
}

// Addr is the address of the frontend, as host:port.
func (s *Server) Addr() string { return s.addr }

// Stop ends the server and returns when its ports and its connections to Postgres are free again.
// The next start completes unfinished work. Call it once. It returns an error if the server did not
// end within half a minute.
func (s *Server) Stop() error {
	defer s.log.silent.Store(true)
	stopped := make(chan error, 1)
	go func() { stopped <- s.server.Stop() }()
	select {
	case err := <-stopped:
		return err
	case <-time.After(stopTimeout):
		return fmt.Errorf("temporal did not stop within %s", stopTimeout)
	}
}

// waitReady returns when the frontend is healthy and knows the namespace.
func (s *Server) waitReady(ctx context.Context, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		err := s.check(ctx, namespace)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("temporal does not answer on %s: %w", s.addr, err)
		case <-time.After(readyPause):
		}
	}
}

func (s *Server) check(ctx context.Context, namespace string) error {
	c, err := client.DialContext(ctx, client.Options{
		HostPort: s.addr, Namespace: namespace, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.CheckHealth(ctx, nil); err != nil {
		return err
	}
	// A list goes all the way to the databases, and needs the namespace.
	_, err = c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{})
	return err
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
