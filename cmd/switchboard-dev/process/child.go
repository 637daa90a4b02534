package bench

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

// stopTimeout is how long a child may take to stop; Switchboard lets attempts
// under way finish, which takes up to 35 s.
const stopTimeout = 45 * time.Second

// child is a process that we started.
type child struct {
	name  string
	pid   int
	log   string // file that its standard error goes to
	stdin *os.File
	lines chan string   // of its standard output; closed at its end
	done  chan struct{} // closed when it has ended
}

// startChild starts a program. Its standard error goes to a log file, its standard
// output is read line by line.
func startChild(name, logFile string, cmd *exec.Cmd) (*child, error) {
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
	c := &child{name: name, log: logFile, stdin: stdin, lines: make(chan string, 16), done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel tells a child of its parent's death when the thread that made it ends.
		runtime.LockOSThread()
		err := cmd.Start()
		err = errors.Join(err, in.Close(), out.Close(), log.Close())
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
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

func (c *child) read(stdout io.ReadCloser) {
	defer close(c.lines)
	defer func() { _ = stdout.Close() }()
	scanner := bufio.NewScanner(stdout)
	for scanner.Scan() {
		c.lines <- scanner.Text()
	}
}

// ask sends a line, unless it is empty, and reads the JSON that is answered.
func (c *child) ask(ctx context.Context, line string, answer any) error {
	if line != "" {
		if _, err := fmt.Fprintln(c.stdin, line); err != nil {
			return c.ended(err)
		}
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s does not answer: %w", c.name, ctx.Err())
	case text, ok := <-c.lines:
		if !ok {
			return c.ended(io.ErrUnexpectedEOF)
		}
		return json.Unmarshal([]byte(text), answer)
	}
}

func (c *child) ended(err error) error {
	return fmt.Errorf("%s has ended (%w); its log %s ends with:\n%s", c.name, err, c.log, tail(c.log))
}

// tail is the end of a file.
func tail(path string) string {
	const most = 2000
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// kill ends the process as kill -9 does.
func (c *child) kill() error {
	_ = c.stdin.Close()
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

// stop ends the process in order, or by force if it takes too long.
func (c *child) stop() error {
	_ = c.stdin.Close()
	for _, step := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		select {
		case <-c.done: // never signal an id that may be somebody else's by now
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
