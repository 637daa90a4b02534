package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// process is a Switchboard as in production: the built binary, in a separate process that can be
// killed.
type process struct {
	*system
	binary string
	child  *exec.Cmd
	env    []string // additional settings, as name=value
}

// binary is the production binary, which is built when the first test needs it.
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

// start runs `switchboard serve`, with a configuration from the environment as in production, and
// returns when it is ready.
func (p *process) start() {
	p.t.Helper()
	p.serve("serve")
}

// serve does the same with that command, such as api.
func (p *process) serve(command string) {
	p.t.Helper()
	p.child = p.command(command)
	p.child.Stderr = p.log
	if err := p.child.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.awaitReady()
}

// command prepares the binary with that command line and the settings of the system.
func (p *process) command(line ...string) *exec.Cmd {
	p.t.Helper()
	command := exec.Command(p.binary, line...)
	command.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"SWITCHBOARD_DATABASE_URL=" + p.config.DatabaseURL,
		"SWITCHBOARD_ENCRYPTION_KEY=" + p.config.EncryptionKey,
		"SWITCHBOARD_LISTEN=" + p.config.Listen,
		"SWITCHBOARD_ALLOW_CIDRS=127.0.0.0/8",
		"SWITCHBOARD_SLOTS=100",
		"SWITCHBOARD_MAX_CONNS=10",
		"TEMPORAL_ADDRESS=" + p.temporalAddr,
		"TEMPORAL_NAMESPACE=" + p.namespace,
	}, p.env...)
	return command
}

// runCommand runs the command to its end, and returns what it printed.
func (p *process) runCommand(line ...string) (said string, err error) {
	var out bytes.Buffer
	command := p.command(line...)
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		return "", err
	}
	late := time.AfterFunc(loadTimeout, func() { _ = command.Process.Kill() })
	defer late.Stop()
	err = command.Wait()
	return out.String(), err
}

func (p *process) mustRunCommand(line ...string) (said string) {
	p.t.Helper()
	said, err := p.runCommand(line...)
	if err != nil {
		p.t.Fatalf("%s: %v: %s", strings.Join(line, " "), err, said)
	}
	return said
}

// schema is the schema version for which the binary was built.
func (p *process) schema() (version int) {
	p.t.Helper()
	said := p.mustRunCommand("version")
	_, after, _ := strings.Cut(said, "\nschema")
	if _, err := fmt.Sscan(after, &version); err != nil {
		p.t.Fatalf("%v: %s", err, said)
	}
	return version
}

// newAdminKey makes the first key, as an operator does.
func (p *process) newAdminKey() switchboard.Secret {
	p.t.Helper()
	lines := strings.Fields(p.mustRunCommand("keys", "create", "--name", "test", "--role", "admin"))
	return switchboard.Secret(lines[len(lines)-1])
}

// stopGracefully ends the process like a deploy, and checks that no workflow failed in it.
func (p *process) stopGracefully() {
	p.t.Helper()
	if failed := p.metrics()["temporal_workflow_task_execution_failed_total"]; failed > 0 {
		p.t.Errorf("%g workflow tasks failed", failed)
	}
	if err := p.child.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.child.Wait(); err != nil {
		p.t.Errorf("at SIGTERM it ended with %v: %s", err, p.log)
	}
	p.child = nil
	if strings.Contains(strings.ToLower(p.log.String()), "nondeterm") {
		p.t.Errorf("a workflow did not replay: %s", p.log)
	}
}

// kill ends the process like kill -9, and returns when it is gone. It does nothing if the process
// does not run.
func (p *process) kill() {
	if p.child == nil || p.child.Process == nil {
		return
	}
	if err := p.child.Process.Kill(); err == nil {
		_ = p.child.Wait() // "signal: killed"
	}
	p.child = nil
}
