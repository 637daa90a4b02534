package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// process is a Switchboard as in production: the built binary, in a process of
// its own that can be killed.
type process struct {
	*system
	binary string
	child  *exec.Cmd
	env    []string // further settings, as name=value
}

// binary is the production binary, which is built when the first test asks.
type binary struct {
	once sync.Once
	dir  string
	err  error
}

func (b *binary) path(t *testing.T) string {
	t.Helper()
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "switchboard-e2e-"); b.err != nil {
			return
		}
		output, err := exec.Command("go", "build", "-o", filepath.Join(b.dir, "switchboard"), "github.com/seed-49a43567/switchboard/cmd/switchboard").CombinedOutput()
		if err != nil {
			b.err = fmt.Errorf("build: %w\n%s", err, output)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return filepath.Join(b.dir, "switchboard")
}

func (b *binary) remove() error {
	if b.dir == "" {
		return nil
	}
	return os.RemoveAll(b.dir)
}

// newProcess prepares a system that runs the production binary, on the shared Postgres and Temporal.
func newProcess(t *testing.T) *process {
	t.Helper()
	s := prepareSystem(t, shared.databases.Database(t), shared.addr(t), namespaceOf(t))
	p := &process{system: s, binary: built.path(t)}
	t.Cleanup(p.kill)
	return p
}

// start runs `switchboard serve`, configured by its environment as in production,
// and returns when it is ready.
func (p *process) start() {
	p.t.Helper()
	p.child = exec.Command(p.binary, "serve")
	p.child.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"SWITCHBOARD_DATABASE_URL=" + p.config.DatabaseURL,
		"SWITCHBOARD_ENCRYPTION_KEY=" + p.config.EncryptionKey,
		"SWITCHBOARD_LISTEN=" + p.config.Listen,
		"SWITCHBOARD_ALLOW_CIDRS=127.0.0.0/8",
		"SWITCHBOARD_SLOTS=100",
		"SWITCHBOARD_MAX_CONNS=10",
		"TEMPORAL_ADDRESS=" + shared.addr(p.t),
		"TEMPORAL_NAMESPACE=" + p.namespace,
	}
	p.child.Env = append(p.child.Env, p.env...)
	p.child.Stderr = p.log
	if err := p.child.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.awaitReady()
}

// kill ends the process as kill -9 does, and returns when it is gone. Killing one
// that does not run does nothing.
func (p *process) kill() {
	if p.child == nil || p.child.Process == nil {
		return
	}
	if err := p.child.Process.Kill(); err == nil {
		_ = p.child.Wait() // "signal: killed"
	}
	p.child = nil
}
