package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/freeport"
	"github.com/seed-49a43567/switchboard/store/postgres/pgtest"
)

var pg = pgtest.New(nil)

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// awaitTimeout limits what takes seconds, or minutes if a Temporal server has not been compiled
// yet.
const awaitTimeout = 15 * time.Minute

// TestTemporalAtHand: the stack uses the Temporal server that answers at the address, or that of
// the program temporal, or the one that it builds. With each, the demo's events arrive.
func TestTemporalAtHand(t *testing.T) {
	t.Setenv("PATH", pathWithout(t, "temporal"))
	built := startStack(t, freeAddress(t))
	built.await("built it in", "from the Temporal server of switchboard-dev")
	built.awaitDelivered()
	built.awaitMetrics()

	t.Setenv("TEMPORAL_NAMESPACE", "another")
	running := startStack(t, built.temporal)
	running.await("namespace another on " + built.temporal + ": made, with a retention of 72h")
	running.awaitDelivered()
	running.stop()
	built.stop()

	t.Setenv("TEMPORAL_NAMESPACE", "")
	t.Setenv("PATH", commandLineTool(t)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	tool := startStack(t, freeAddress(t))
	tool.await("/temporal server start-dev")
	tool.awaitDelivered()
	tool.awaitMetrics()

	// The stack does not continue without its server, and says where to look.
	if err := syscall.Kill(-tool.serverPID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	err := <-tool.ended
	if err == nil || !strings.Contains(err.Error(), "/temporal server start-dev has ended (signal: killed): its log is "+tool.dir) {
		t.Errorf("without its server the stack ends with %v", err)
	}
}

// TestNoTemporal: what is wrong is reported before anything is built.
func TestNoTemporal(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct{ name, temporal, ui, says string }{
		{"not an address", "temporal", freeAddress(t), `--temporal-addr: "temporal" is not an address`},
		{"a server elsewhere that does not answer", "temporal.invalid:7233", freeAddress(t), "no Temporal server answers on temporal.invalid:7233"},
		{"the web UI's address is taken", freeAddress(t), taken.Addr().String(), taken.Addr().String() + " cannot be listened on, perhaps another stack runs: choose another with --temporal-ui-addr"},
	} {
		err := run(t.Context(), []string{
			"--data-dir", folder(t), "--no-demo", "--api-addr", freeAddress(t), "--temporal-addr", c.temporal, "--temporal-ui-addr", c.ui,
		}, &output{})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}

// running is a stack that a test has started.
type running struct {
	t                  *testing.T
	dir, api, temporal string
	metrics            string // of Temporal's server
	printed            output
	ended              chan error
	stop               func()
}

func startStack(t *testing.T, temporal string) *running {
	t.Helper()
	s := &running{t: t, dir: folder(t), api: freeAddress(t), temporal: temporal, metrics: freeAddress(t), ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		s.ended <- run(ctx, []string{
			"--data-dir", s.dir, "--api-addr", s.api, "--temporal-addr", temporal, "--temporal-ui-addr", freeAddress(t),
			"--temporal-metrics-addr", s.metrics, "--demo-addr", freeAddress(t), "--demo-tls-addr", freeAddress(t),
		}, &s.printed)
		close(s.ended)
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err, open := <-s.ended; open && err != nil {
			t.Errorf("the stack ended with %v", err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

// await waits until the stack has printed that.
func (s *running) await(texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		s.until(fmt.Sprintf("%q", text), func() bool { return strings.Contains(s.printed.String(), text) })
	}
}

// awaitDelivered waits until one of the demo's events has arrived.
func (s *running) awaitDelivered() {
	s.t.Helper()
	s.await("Switchboard is ready")
	key, err := os.ReadFile(filepath.Join(s.dir, "api.key"))
	if err != nil {
		s.t.Fatal(err)
	}
	api, err := client.New(client.Config{URL: "http://" + s.api, Key: switchboard.Secret(strings.TrimSpace(string(key)))})
	if err != nil {
		s.t.Fatal(err)
	}
	s.until("a delivery", func() bool {
		page, err := api.ListDeliveries(s.t.Context(), switchboard.DeliveryFilter{States: []switchboard.State{switchboard.StateDelivered}}, switchboard.PageRequest{})
		return err == nil && len(page.Items) > 0
	})
}

// awaitMetrics waits until Temporal's server shows the metrics for the dashboard.
func (s *running) awaitMetrics() {
	s.t.Helper()
	s.until("metrics of Temporal", func() bool {
		response, err := http.Get("http://" + s.metrics + "/metrics")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		return err == nil && strings.Contains(string(text), "\npersistence_latency_bucket{")
	})
}

func (s *running) until(what string, holds func() bool) {
	s.t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for deadline := time.After(awaitTimeout); !holds(); {
		select {
		case err := <-s.ended:
			s.t.Fatalf("the stack ended without %s: %v\n%s", what, err, s.printed.String())
		case <-deadline:
			s.t.Fatalf("no %s within %s:\n%s", what, awaitTimeout, s.printed.String())
		case <-again.C:
		}
	}
}

// serverPID is the process id, and so the process group, of the server that [commandLineTool] runs.
func (s *running) serverPID() int {
	s.t.Helper()
	var pid int
	text, err := os.ReadFile(filepath.Join(s.dir, "temporal.sqlite"))
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		s.t.Fatal(err)
	}
	return pid
}

// commandLineTool makes a program with the interface of Temporal's command-line tool, and returns
// its folder. It runs the server that the test built, and writes the process id where the tool
// stores its state. An argument that the tool does not know is an error.
func commandLineTool(t *testing.T) (dir string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := `#!/bin/sh
set -e
[ "$1 $2" = "server start-dev" ]
shift 2
while [ $# -gt 0 ]; do
	case $1 in
	--ip) ip=$2 ;;
	--port) port=$2 ;;
	--ui-ip) ui_ip=$2 ;;
	--ui-port) ui_port=$2 ;;
	--metrics-port) metrics=$ip:$2 ;;
	--db-filename) echo $$ > "$2" ;;
	--search-attribute) [ "${2#*=}" = Keyword ] ;;
	--dynamic-config-value) [ "${2#*=}" != "$2" ] ;;
	*) echo "unknown flag: $1" >&2; exit 1 ;;
	esac
	shift 2
done
exec ` + filepath.Join(filepath.Dir(self), "switchboard-dev") + ` temporal --addr "$ip:$port" --ui-addr "$ui_ip:$ui_port" --metrics-addr "$metrics" --database-url '` + pg.Empty(t) + `'
`
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "temporal"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// pathWithout returns the PATH without the folders that contain a program.
func pathWithout(t *testing.T, program string) string {
	t.Helper()
	var kept []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if _, err := exec.LookPath(filepath.Join(dir, program)); err != nil {
			kept = append(kept, dir)
		}
	}
	return strings.Join(kept, string(filepath.ListSeparator))
}

// folder makes a folder that Postgres may also enter as another user.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "switchboard-stack-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// freeAddress returns an address on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// output is what a stack has printed so far.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write takes what is printed.
func (o *output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(text)
}

// String is all of it.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
