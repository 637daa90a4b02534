package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// stopTimeout is how long a child may take to stop. Switchboard finishes running attempts, which
// takes up to 35 s.
const stopTimeout = 45 * time.Second

// Child is a process that we started.
type Child struct {
	name  string
	pid   int
	log   string // file for its standard error
	stdin *os.File
	lines chan string   // of its standard output; closed at its end
	done  chan struct{} // closed when it has ended
}

// Start starts a program. Its standard error goes to a log file, and its standard output is read
// line by line.
func Start(name, logFile string, cmd *exec.Cmd) (*Child, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	in, stdin, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	stdout, out, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, log.Close(), in.Close(), stdin.Close())
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, log
	leaveToUs(cmd)
	c := &Child{name: name, log: logFile, stdin: stdin, lines: make(chan string, 16), done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel tells a child that its parent has died when the thread that started the child
		// ends.
		runtime.LockOSThread()
		err := cmd.Start()
		err = errors.Join(err, in.Close(), out.Close(), log.Close())
		started <- err
		if err == nil {
			_ = cmd.Wait() // its log says how it ended
		}
		close(c.done)
	}()
	go c.read(stdout)
	if err := <-started; err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), stdin.Close())
	}
	c.pid = cmd.Process.Pid
	return c, nil
}

// PID is the process id.
func (c *Child) PID() int { return c.pid }

// Done is closed after the process has ended, for whatever reason.
func (c *Child) Done() <-chan struct{} { return c.done }

func (c *Child) read(stdout io.ReadCloser) {
	defer close(c.lines)
	defer func() { _ = stdout.Close() }()
	scanner := bufio.NewScanner(stdout)
	for scanner.Scan() {
		c.lines <- scanner.Text()
	}
}

// Ask sends a line, unless it is empty, and reads the JSON answer.
func (c *Child) Ask(ctx context.Context, line string, answer any) error {
	if line != "" {
		if _, err := fmt.Fprintln(c.stdin, line); err != nil {
			return c.Ended(err)
		}
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s does not answer: %w", c.name, ctx.Err())
	case text, ok := <-c.lines:
		if !ok {
			return c.Ended(io.ErrUnexpectedEOF)
		}
		return json.Unmarshal([]byte(text), answer)
	}
}

// Ended returns the error of a process that ended although it should run: err and the end of its
// log.
func (c *Child) Ended(err error) error {
	return c.explain("has ended", err)
}

// NotReady returns the error of a process that runs but does not become ready.
func (c *Child) NotReady(err error) error {
	return c.explain("is not ready", err)
}

func (c *Child) explain(what string, err error) error {
	return fmt.Errorf("%s %s (%w); its log %s ends with:\n%s", c.name, what, err, c.log, tail(c.log))
}

// tail returns the end of a file.
func tail(path string) string {
	const most = 2000
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// Kill ends the process like kill -9.
func (c *Child) Kill() error {
	defer func() { _ = c.stdin.Close() }()
	select {
	case <-c.done:
		return nil
	default:
	}
	if err := syscall.Kill(c.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %s: %w", c.name, err)
	}
	<-c.done
	return nil
}

// Stop stops the process in order, or by force if it takes too long.
func (c *Child) Stop() error {
	_ = c.stdin.Close()
	for _, step := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		select {
		case <-c.done: // never signal an id that may belong to another process now
			return nil
		default:
		}
		if err := syscall.Kill(c.pid, step); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop %s: %w", c.name, err)
		}
		select {
		case <-c.done:
			if step == syscall.SIGKILL {
				return fmt.Errorf("%s did not stop within %s and was killed", c.name, stopTimeout)
			}
			return nil
		case <-time.After(stopTimeout):
		}
	}
	return fmt.Errorf("%s does not end", c.name)
}
