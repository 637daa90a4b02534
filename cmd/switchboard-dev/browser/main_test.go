// Package browser tests the console as people use it: in Chromium, on the stack that `make run` starts.
package browser

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/embedded"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/freeport"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/stack"
	"github.com/seed-49a43567/switchboard/cmd/switchboard/app"
)

// awaitTimeout limits how long a condition may take. It is far more than it needs.
const awaitTimeout = 5 * time.Minute

// pictures is the folder for pictures of the tests, which git ignores.
const pictures = "pictures"

// The headers of a proxy on this machine that the stack's console trusts.
const (
	personHeader = "X-Auth-User"
	groupsHeader = "X-Auth-Groups"
)

var (
	shared  = &running{}
	browser = &chromium{}
)

func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range []func() error{browser.stop, shared.stop} {
		if err := stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// running is the development stack with its demo, which the tests share. It starts when the first
// test needs it.
type running struct {
	once   sync.Once
	dir    string
	url    string
	key    switchboard.Secret // an admin's
	api    *client.Client     // that admin's
	cancel context.CancelFunc
	ended  chan error
	out    printed
	err    error

	seeds     seeds
	mu        sync.Mutex
	receivers []*httptest.Server
}

// stack is the running stack.
func (r *running) stack(t *testing.T) *running {
	t.Helper()
	r.once.Do(r.start)
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r
}

func (r *running) start() {
	if r.dir, r.err = os.MkdirTemp("", "switchboard-browser-"); r.err != nil {
		return
	}
	// Postgres may run as another user, who must be able to enter the folder.
	if r.err = os.Chmod(r.dir, 0o755); r.err != nil {
		return
	}
	var addresses [5]string
	for i := range addresses {
		if addresses[i], r.err = freeport.Address(); r.err != nil {
			return
		}
	}
	signIn := app.ConsoleConfig{
		KeySignIn: true, ProxyHeader: personHeader, GroupsHeader: groupsHeader, Groups: "wh-support=support,wh-admin=admin+read_payload",
		ProxyCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
	r.key, r.url = switchboard.NewKeyText(), "http://"+addresses[0]
	if r.api, r.err = client.New(client.Config{URL: r.url, Key: r.key}); r.err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.ended = cancel, make(chan error, 1)
	r.out.ready = make(chan struct{})
	go func() {
		r.ended <- stack.Run(ctx, stack.Config{
			DataDir: filepath.Join(r.dir, "data"), APIAddr: addresses[0], TemporalAddr: addresses[1], UIAddr: addresses[2], DemoAddr: addresses[3], DemoTLSAddr: addresses[4],
			Demo: true, APIKey: r.key.Reveal(), Console: &signIn, Out: &r.out,
		}, embedded.Start)
	}()
	select {
	case err := <-r.ended:
		r.cancel()
		r.cancel, r.err = nil, fmt.Errorf("the stack ended: %w\n%s", err, r.out.String())
	case <-r.out.ready:
	}
}

// stop ends the stack, and deletes its state.
func (r *running) stop() error {
	for _, receiver := range r.receivers {
		defer receiver.Close()
	}
	if r.cancel != nil {
		r.cancel()
		if err := <-r.ended; err != nil {
			return fmt.Errorf("the stack ended: %w", err)
		}
	}
	if r.dir == "" {
		return nil
	}
	return os.RemoveAll(r.dir)
}

// printed is the output of the stack, as a newcomer sees it.
type printed struct {
	mu    sync.Mutex
	text  strings.Builder
	ready chan struct{} // closed when the demo has begun
}

const begun = "The demo posts events"

func (p *printed) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := strings.Contains(p.text.String(), begun)
	n, err := p.text.Write(text)
	if !before && strings.Contains(p.text.String(), begun) {
		close(p.ready)
	}
	return n, err
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// signInLink is the address in the stack's output that signs one person in.
func (r *running) signInLink(t *testing.T) string {
	t.Helper()
	_, rest, found := strings.Cut(r.out.String(), "console       ")
	link, _, _ := strings.Cut(rest, "\n")
	if !found {
		t.Fatalf("no link to the console is printed:\n%s", r.out.String())
	}
	return link
}

// await returns when the condition is true, and fails the test if it does not become so.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	awaitFor(t, awaitTimeout, what, condition)
}

func awaitFor(t *testing.T, timeout time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("not %s within %s", what, timeout)
		case <-poll.C:
		}
	}
}
