package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api"
	apiclient "github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/freeport"
	"github.com/seed-49a43567/switchboard/store/postgres/pgtest"
)

// testTimeout limits the wait for what takes no time.
const testTimeout = 5 * time.Minute

var pg = pgtest.New(func(url string) error { return Migrate(context.Background(), configOf(url), io.Discard) })

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// configOf is the configuration of a process that never reaches Temporal.
func configOf(databaseURL string) Config {
	config, err := DefaultConfig()
	if err != nil {
		panic(err) // the tags are wrong
	}
	config.DatabaseURL, config.EncryptionKey, config.Listen = databaseURL, "test:"+strings.Repeat("00", 32), "127.0.0.1:0"
	config.AllowCIDRs = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	config.Slots, config.MaxConns = minSlots, minConns
	config.Temporal = func() (client.Options, error) { return client.Options{HostPort: "127.0.0.1:1"}, nil }
	return config
}

// TestReadyWithoutTemporal: a process with the API accepts events before its worker has started. A
// worker without the API cannot do anything yet.
func TestReadyWithoutTemporal(t *testing.T) {
	t.Parallel()
	for parts, takesTraffic := range map[Parts]bool{{API: true, Worker: true}: true, {API: true}: true, {Worker: true}: false} {
		a, err := build(t.Context(), configOf(pg.Database(t)), parts, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		want := "temporal"
		if parts.Worker {
			want = "worker temporal"
		}
		await(t, func() bool { // a Postgres under load may not answer a check in time
			for _, w := range a.ready.watches() {
				w.once(t.Context())
			}
			var names []string
			ready := true
			for _, m := range a.missing(t.Context()) {
				names = append(names, m.Name)
				ready = ready && m.Optional
			}
			got := strings.Join(names, " ")
			t.Logf("%+v: ready %v, missing %s; want %v, %s", parts, ready, got, takesTraffic, want)
			return ready == takesTraffic && got == want
		})
		a.close()
	}
}

// TestStopWhileAScriptWaits: the script is told at once that its delivery continues, and the
// process ends without an error.
func TestStopWhileAScriptWaits(t *testing.T) {
	t.Parallel()
	config := configOf(pg.Database(t))
	config.Listen = freeAddress(t)
	if err := EnsureKey(t.Context(), config, "test", "sbk_test"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, config, Parts{API: true}, slog.New(slog.DiscardHandler)) }()
	c, err := apiclient.New(apiclient.Config{URL: "http://" + config.Listen, Key: "sbk_test"})
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { _, err := c.Health(t.Context()); return err == nil })
	subscription, err := c.CreateSubscription(t.Context(), apiclient.NewSubscription{Subscription: switchboard.Subscription{
		Tenant: "acme", Name: "n", Events: []string{"*"}, Request: switchboard.Request{URL: "http://127.0.0.1:1/"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		_, err := c.TriggerAndWait(t.Context(), subscription.ID, apiclient.Trigger{Data: json.RawMessage(`1`)}, time.Minute)
		answered <- err
	}()
	await(t, func() bool {
		page, err := c.ListDeliveries(t.Context(), switchboard.DeliveryFilter{}, switchboard.PageRequest{})
		return err == nil && len(page.Items) == 1
	})

	stop()
	// Without an answer, the connection would be aborted after a while.
	got := <-answered
	problem, ok := errors.AsType[*apiclient.Error](got)
	if !ok || problem.Status != http.StatusServiceUnavailable || !strings.Contains(problem.Detail, "continues") || problem.DeliveryID == "" {
		t.Errorf("answered %+v", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("the process ends with %v", err)
	}
}

// TestStragglers: a request that does not end delays the end of the process only for a while, and
// does not make it fail.
func TestStragglers(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	brokenOff := make(chan struct{})
	var log bytes.Buffer
	address, ended := serve(t, ctx, newServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stop()
		<-r.Context().Done()
		close(brokenOff)
	})), &log)
	if response, err := http.Get("http://" + address); err == nil {
		t.Errorf("answered %s", response.Status)
	}
	if err := <-ended; err != nil {
		t.Errorf("serving ends with %v", err)
	}
	if !strings.Contains(log.String(), "broken off") {
		t.Errorf("logged %q", log.String())
	}
	awaitClosed(t, brokenOff)
}

// TestUnreadAnswer: a client that does not read its answer is dropped, after the time for which a
// script may wait.
func TestUnreadAnswer(t *testing.T) {
	t.Parallel()
	gaveUp := make(chan struct{})
	server := newServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for piece := make([]byte, 1<<20); ; {
			if _, err := w.Write(piece); err != nil {
				close(gaveUp)
				return
			}
		}
	}))
	if server.WriteTimeout <= api.MaxWait {
		t.Errorf("an answer has %s, and a wait may last %s", server.WriteTimeout, api.MaxWait)
	}
	server.WriteTimeout = 100 * time.Millisecond
	address, _ := serve(t, t.Context(), server, io.Discard)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	awaitClosed(t, gaveUp)
}

// serve serves on loopback until ctx ends, and gives unfinished requests almost no time.
func serve(t *testing.T, ctx context.Context, server *http.Server, log io.Writer) (address string, ended <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		result <- serveHTTP(ctx, server, listener, 50*time.Millisecond, slog.New(slog.NewTextHandler(log, nil)))
	}()
	return listener.Addr().String(), result
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func await(t *testing.T, condition func() bool) {
	t.Helper()
	deadline, poll := time.After(testTimeout), time.Tick(20*time.Millisecond)
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("not within %s", testTimeout)
		case <-poll:
		}
	}
}

func awaitClosed(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(testTimeout):
		t.Errorf("not within %s", testTimeout)
	}
}
