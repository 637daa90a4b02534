package temporalserver

import (
	"context"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/seed-49a43567/switchboard/store/postgres/pgtest"
)

var pg = pgtest.New(nil)

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// deadline limits the wait for what takes milliseconds if nothing is wrong.
const deadline = 5 * time.Minute

// start starts a server that is stopped at the end of the test, if it has not stopped before.
func start(t *testing.T, c Config) *Server {
	t.Helper()
	c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

// stop stops the server; a second time it does nothing.
func stop(t *testing.T, s *Server) {
	t.Helper()
	if s.server == nil {
		return
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	s.server = nil
}

func dial(t *testing.T, s *Server) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: s.Addr(), Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// work runs a worker on the test's own task queue, and returns the queue's name.
func work(t *testing.T, c client.Client, register func(worker.Registry)) string {
	t.Helper()
	w := worker.New(c, t.Name(), worker.Options{})
	register(w)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return t.Name()
}

// within limits what a test waits for.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(deadline); !holds(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within %s: %s", deadline, what)
		}
	}
}

// receive takes one value.
func receive[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(deadline):
		t.Fatalf("not within %s: %s", deadline, what)
		panic("unreachable")
	}
}

// events lists the types of a workflow's events.
func events(t *testing.T, c client.Client, id, run string) []string {
	t.Helper()
	var types []string
	history := c.GetWorkflowHistory(within(t), id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, event.GetEventType().String())
	}
	return types
}

func portOfAddr(t *testing.T, addr string) int {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return a.Port
}
