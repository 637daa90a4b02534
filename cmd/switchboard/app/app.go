package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/activities/inflight"
	"github.com/seed-49a43567/switchboard/api"
	"github.com/seed-49a43567/switchboard/catalogue"
	"github.com/seed-49a43567/switchboard/console"
	"github.com/seed-49a43567/switchboard/store"
	"github.com/seed-49a43567/switchboard/webhook"
	"github.com/seed-49a43567/switchboard/worker"
)

// Parts says which parts of Switchboard a process runs.
type Parts struct {
	API    bool
	Worker bool
}

const (
	// shutdownTimeout is how long running requests may continue when the process stops.
	shutdownTimeout = 10 * time.Second
	// answerTimeout limits a whole answer, so that a client that does not read it cannot hold a
	// connection forever. It is the maximum wait for a receiver's answer, plus time to send it.
	answerTimeout = api.MaxWait + time.Minute
)

// app is a process of Switchboard.
type app struct {
	config    Config
	parts     Parts
	log       *slog.Logger
	store     *store.Store
	temporal  client.Client
	namespace string
	identity  string // names the process
	engine    *worker.Engine
	outages   *activities.Outages
	catalogue *catalogue.Live
	guard     *webhook.Guard
	sender    *webhook.Sender
	telemetry *telemetry
	ready     *readiness
}

// Run runs those parts until ctx ends. It refuses to start on a schema that it does not support,
// and closes what it opened before it returns.
func Run(ctx context.Context, config Config, parts Parts, log *slog.Logger) error {
	tameStandardLog(log)
	a, err := build(ctx, config, parts, log)
	if err != nil {
		return err
	}
	defer a.close()
	listener, err := net.Listen("tcp", config.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w (choose another with --listen or SWITCHBOARD_LISTEN)", config.Listen, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	handler, err := a.handler(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := newServer(handler)
	server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelError) // panics, which contain nothing from a receiver
	group.Go(func() error { return serveHTTP(ctx, server, listener, shutdownTimeout, log) })
	group.Go(func() error { a.catalogue.Run(ctx); return nil })
	group.Go(func() error { a.ready.run(ctx); return nil })
	if parts.API {
		group.Go(func() error { a.forgetAnswers(ctx); return nil })
	}
	if parts.Worker {
		group.Go(func() error { return a.runWorker(ctx) })
	}
	log.InfoContext(ctx, "switchboard runs", "listen", listener.Addr().String(), "api", parts.API, "worker", parts.Worker, "namespace", a.namespace)
	return group.Wait()
}

// build opens what the process needs. If it fails, it closes what it has opened.
func build(ctx context.Context, config Config, parts Parts, log *slog.Logger) (_ *app, err error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	identity := worker.NewIdentity()
	t, err := newTelemetry(ctx, identity, log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	s, err := config.openStore()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.CheckSchema(ctx); errors.Is(err, store.ErrNewerSchema) {
		log.WarnContext(ctx, "this is not the latest release that ran here", "schema", err.Error())
	} else if err != nil {
		return nil, err
	}
	if err := s.CheckKeys(ctx, config.LostKeys...); err != nil {
		return nil, err
	}
	if err := s.Warm(ctx); err != nil {
		log.WarnContext(ctx, "statements are planned when the first deliveries come", "error", err)
	}
	c, namespace, err := config.dialTemporal(identity, t.meter, log)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(observeStats(t.meter, newCached(s.Stats)), observeRetention(t.meter, newCached(s.RetentionStatus), config.retention()), observeFlow(t.meter, newCached(s.FlowStats))); err != nil {
		return nil, err
	}
	checks, err := newCheckTimes(t.meter)
	if err != nil {
		return nil, err
	}
	builtIn, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	types := catalogue.NewLive(builtIn, s, log)
	outages := &activities.Outages{Log: log}
	guard, err := config.guard()
	if err != nil {
		return nil, err
	}
	return &app{
		config: config, parts: parts, log: log, store: s, temporal: c, namespace: namespace, identity: identity, telemetry: t,
		engine:    worker.NewEngine(c, namespace, identity, s, outages, log).LinkTo(config.PublicURL).Trace(t.tracer),
		outages:   outages,
		ready:     newReadiness(s, c, config.LostKeys, checks),
		catalogue: types,
		guard:     guard,
		sender:    webhook.NewSender(webhook.Config{Guard: guard, Platforms: types, Version: switchboard.Version, TraceParent: config.SendTraceParent}),
	}, nil
}

func (a *app) close() {
	a.engine.Drain()
	a.sender.Close()
	a.temporal.Close()
	a.telemetry.close()
	if err := a.store.Close(); err != nil {
		a.log.Warn("close the store", "error", err)
	}
}

// handler returns the process's HTTP handler until serving ends: the API and the console, or only
// health and metrics for a worker without them.
func (a *app) handler(serving context.Context) (http.Handler, error) {
	if !a.parts.API {
		return api.Health(a.missing, a.telemetry.handler), nil
	}
	served, err := api.New(api.Config{
		Store: a.store, Sender: a.sender, Catalogue: a.catalogue, Engine: a.engine, Guard: a.guard,
		Serving: serving, Ready: a.missing,
		Metrics: a.telemetry.handler, Meter: a.telemetry.meter, Tracer: a.telemetry.tracer, Classes: a.config.TenantClasses, Logger: a.log,
		MaxData: a.config.MaxData, MaxBatch: a.config.MaxBatch, Validation: a.config.Validation, PublicURL: a.config.PublicURL, RefusedKeys: a.config.RefusedKeys, CostlyCalls: a.config.CostlyCalls, TemporalUI: a.config.TemporalUI, TemporalNamespace: a.namespace, Version: switchboard.Version,
	})
	if err != nil {
		return nil, err
	}
	pages, err := a.config.newConsole(served, a.store, a.log)
	if err != nil {
		return nil, err
	}
	return withConsole(served, pages), nil
}

// withConsole serves the console's pages below its path, and the API everywhere else.
func withConsole(served, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == console.Root || strings.HasPrefix(r.URL.Path, console.Root+"/") {
			pages.ServeHTTP(w, r)
			return
		}
		served.ServeHTTP(w, r)
	})
}

// missing returns what the process lacks to do its work.
func (a *app) missing(context.Context) []api.Missing { return a.ready.missing(a.parts) }

func (a *app) runWorker(ctx context.Context) error {
	limiter := inflight.NewLimiter(a.config.Slots, a.config.SlowSlots)
	metrics, err := activities.NewMetrics(a.telemetry.meter, limiter)
	if err != nil {
		return err
	}
	operations, err := activities.NewOperationMetrics(a.telemetry.meter)
	if err != nil {
		return err
	}
	queues := activities.NewQueues(activities.QueuesConfig{
		Store: a.store, Limiter: limiter, Start: a.engine.Start, WorkerID: a.identity, Outages: a.outages, Log: a.log, Now: time.Now,
	})
	return worker.Run(ctx, worker.Config{
		Client: a.temporal, Namespace: a.namespace, Engine: a.engine, Outbox: a.store, Notices: a.store,
		Deliveries: &activities.Deliveries{
			Store: a.store, Sender: a.sender,
			Limiter: limiter, Released: queues.Ended, InFlight: inflight.NewAttempts(webhook.ErrAborted), Unrecorded: inflight.NewBuffer(), Health: inflight.NewHealth(), Metrics: metrics, Tasks: a.engine, Recovery: a.engine, Outages: a.outages, Log: a.log, Tracer: a.telemetry.tracer, Classes: a.config.TenantClasses, Now: time.Now,
		},
		Recoverer:  &activities.Recoverer{Store: a.store, Engine: a.engine, Log: a.log, Now: time.Now},
		Reconciler: &activities.Reconciler{Store: a.store, Engine: a.engine, Metrics: operations, Log: a.log},
		Retainer: &activities.Retainer{
			Store: a.store, Retention: a.config.retention(), IdempotencyWindow: time.Duration(a.config.IdempotencyWindow), Metrics: metrics, Log: a.log,
		},
		Counter:  &activities.Counter{Store: a.store, Log: a.log},
		Eraser:   &activities.Eraser{Store: a.store, Log: a.log},
		Operator: &activities.Operator{Store: a.store, Metrics: operations, Log: a.log},
		Outages:  a.outages,
		Queues:   queues,
		Slots:    a.config.Slots, SlowSlots: a.config.SlowSlots,
		Traced:  a.telemetry.tracer != nil,
		Running: a.ready.workerRuns,
		Log:     a.log,
	})
}

// forgetAnswers deletes the answers for expired Idempotency-Keys until ctx ends. An answer may
// contain a secret. It is encrypted, but must still be gone after a day.
func (a *app) forgetAnswers(ctx context.Context) {
	const pause = 10 * time.Minute
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		for forgotten := 1; forgotten > 0 && ctx.Err() == nil; {
			var err error
			if forgotten, err = a.store.ForgetAnswers(ctx); err != nil && ctx.Err() == nil {
				a.log.WarnContext(ctx, "expired answers are not deleted yet", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       2 * time.Minute,
	}
}

// serveHTTP serves until ctx ends, and then waits for running requests. Requests that take longer
// than the timeout are aborted, which is not a failure of the process.
func serveHTTP(ctx context.Context, server *http.Server, listener net.Listener, timeout time.Duration, log *slog.Logger) error {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		if err := server.Shutdown(bounded); err != nil {
			log.WarnContext(ctx, "requests under way are broken off", "after", timeout.String(), "error", err)
			_ = server.Close() // its listener is already closed, and nothing else may fail
		}
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-stopped
	return nil
}
