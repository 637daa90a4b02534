// Package e2e tests Switchboard as a whole: the API and the worker as they run in
// production, a real Postgres, a real Temporal server, receivers on loopback.
package e2e

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/temporalserver"
	"github.com/seed-49a43567/switchboard/cmd/switchboard/app"
	"github.com/seed-49a43567/switchboard/store/postgres/pgtest"
	"github.com/seed-49a43567/switchboard/worker"
)

// awaitTimeout limits how long a condition may take. It is far more than needed, for a machine that
// is busy with something else.
const awaitTimeout = 5 * time.Minute

var (
	shared = &engine{databases: pgtest.New(migrate)}
	built  = &binary{}
	// lastRelease is the release for the tests of upgrades.
	lastRelease = &release{}
)

func TestMain(m *testing.M) {
	if code, asked := serveTemporal(os.Args); asked {
		os.Exit(code)
	}
	waitTogether()
	code := shared.databases.Run(m)
	if err := errors.Join(built.remove(), lastRelease.remove()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// waitTogether runs more tests at a time than the machine has cores, unless the command line says
// how many: tests mostly wait for dates and for other processes.
func waitTogether() {
	const together = 3
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said && runtime.GOMAXPROCS(0) < together {
		_ = flag.Set("test.parallel", strconv.Itoa(together)) // it fails only for text that is not a number
	}
}

func migrate(url string) error {
	return app.Migrate(context.Background(), app.Config{DatabaseURL: url, EncryptionKey: encryptionKey}, io.Discard)
}

var encryptionKey = "test:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))

// engine is the Temporal server that the tests share, each with its own namespace. It starts when
// the first test needs it.
type engine struct {
	databases *pgtest.Cluster
	once      sync.Once
	server    *temporalserver.Server
	err       error
}

func (e *engine) addr(t *testing.T) string {
	t.Helper()
	e.once.Do(func() {
		e.server, e.err = temporalserver.Start(context.Background(), temporalserver.Config{
			DatabaseURL: e.databases.Server(t).URL("temporal"), Keywords: worker.SearchAttributes(), FreshAttributes: true,
		})
	})
	if e.err != nil {
		t.Fatalf("temporal: %v", e.err)
	}
	return e.server.Addr()
}

// system is one Switchboard, API and worker, with its own database and namespace.
type system struct {
	t            *testing.T
	config       app.Config
	namespace    string
	temporal     client.Client
	temporalAddr string
	key          switchboard.Secret
	client       *http.Client // has its own connections
	log          *logBuffer
	stopRunning  func()
}

// newSystem starts a Switchboard on the shared Postgres and Temporal.
func newSystem(t *testing.T) *system {
	t.Helper()
	return startSystem(t, shared.databases.Database(t), shared.addr(t), namespaceOf(t))
}

// namespaceOf makes the name of a namespace, a different one in each run of the test.
func namespaceOf(t *testing.T) string {
	return switchboard.NewID(strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))+"-", time.Now())
}

func startSystem(t *testing.T, databaseURL, temporalAddr, namespace string) *system {
	t.Helper()
	s := prepareSystem(t, databaseURL, temporalAddr, namespace)
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

// prepareSystem makes a Switchboard with an API key, without starting it.
func prepareSystem(t *testing.T, databaseURL, temporalAddr, namespace string) *system {
	t.Helper()
	s := configureSystem(t, databaseURL, temporalAddr, namespace)
	s.key = switchboard.NewKeyText()
	if err := app.EnsureKey(t.Context(), s.config, "test", s.key); err != nil {
		t.Fatal(err)
	}
	return s
}

// configureSystem makes a Switchboard with its namespace, without touching the database.
func configureSystem(t *testing.T, databaseURL, temporalAddr, namespace string) *system {
	t.Helper()
	s := localSystem(t, databaseURL, temporalAddr, namespace)
	s.registerNamespace(temporalAddr)
	return s
}

// localSystem makes a Switchboard without touching the database or Temporal.
func localSystem(t *testing.T, databaseURL, temporalAddr, namespace string) *system {
	t.Helper()
	s := &system{t: t, namespace: namespace, temporalAddr: temporalAddr, log: newLog(t)}
	s.client = &http.Client{Timeout: awaitTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	t.Cleanup(s.client.CloseIdleConnections)
	var err error
	if s.config, err = app.DefaultConfig(); err != nil {
		t.Fatal(err)
	}
	s.config.DatabaseURL, s.config.EncryptionKey, s.config.Listen = databaseURL, encryptionKey, freeAddr(t)
	s.config.AllowCIDRs = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	s.config.Slots, s.config.MaxConns = 100, 10
	s.config.Temporal = func() (client.Options, error) {
		return client.Options{HostPort: temporalAddr, Namespace: namespace}, nil
	}
	return s
}

func (s *system) registerNamespace(addr string) {
	s.t.Helper()
	c, err := client.Dial(client.Options{HostPort: addr, Namespace: s.namespace, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		endSchedules(c)
		c.Close()
	})
	s.temporal = c
	_, err = c.WorkflowService().RegisterNamespace(s.t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: s.namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// endSchedules deletes the schedules of a system that has ended. Temporal would otherwise run them
// until the last test ends.
func endSchedules(c client.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // a test's own Temporal may already be away
	defer cancel()
	for _, id := range []string{worker.ReconcileSchedule, worker.RollUpSchedule, worker.RetainSchedule} {
		_ = c.ScheduleClient().GetHandle(ctx, id).Delete(ctx) // it may not exist
	}
}

// start runs API and worker in this process, and returns when they are ready.
func (s *system) start() {
	s.t.Helper()
	s.run(app.Parts{API: true, Worker: true})
}

// startWorkerBeside runs another worker of the same system until stop is called.
func (s *system) startWorkerBeside() (stop func()) {
	s.t.Helper()
	another := *s
	another.config.Listen = freeAddr(s.t)
	another.run(app.Parts{Worker: true})
	s.t.Cleanup(another.stop)
	return another.stop
}

func (s *system) run(parts app.Parts) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, s.config, parts, slog.New(slog.NewJSONHandler(s.log, nil)))
	}()
	s.stopRunning = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("switchboard ended with %v", err)
		}
	})
	s.awaitReady()
}

// stop stops API and worker as a signal would.
func (s *system) stop() { s.stopRunning() }

func (s *system) awaitReady() {
	s.t.Helper()
	await(s.t, "ready", func() bool {
		response, err := http.Get(s.url("/readyz"))
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func (s *system) url(path string) string { return "http://" + s.config.Listen + path }

// await returns when the condition is true, and fails the test if it does not
// become so.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	awaitFor(t, awaitTimeout, what, condition)
}

func awaitFor(t *testing.T, timeout time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("not %s within %s", what, timeout)
		case <-poll.C:
		}
	}
}

// logBuffer stores a process's log lines.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

// newLog makes a log whose end is shown if the test fails.
func newLog(t *testing.T) *logBuffer {
	t.Helper()
	const shown = 20_000
	b := &logBuffer{}
	t.Cleanup(func() {
		if text := b.String(); t.Failed() && text != "" {
			t.Logf("the end of a log:\n%s", text[max(0, len(text)-shown):])
		}
	})
	return b
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns everything that was logged so far.
func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
