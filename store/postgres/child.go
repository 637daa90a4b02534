package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "github.com/lib/pq" // the driver that the readiness check uses
)

// poll is the pause between two checks of a server that is starting or ending.
const poll = 20 * time.Millisecond

// child is the server's process.
type child struct {
	pid  int
	done chan struct{} // closed when it has ended
}

// step is one way to end a process, and how long it may take.
type step struct {
	signal syscall.Signal
	wait   time.Duration
}

// launch starts the process and waits until it accepts connections. Sessions of a killed server may
// hold its memory for a moment longer, so it may have to try again.
func (s *Server) launch(ctx context.Context, bin string, who owner) (*child, error) {
	for {
		c, err := s.spawn(bin, who)
		if err != nil {
			return nil, err
		}
		if err = s.ready(ctx, c); err == nil {
			return c, nil
		}
		_ = c.end(step{syscall.SIGQUIT, immediateTimeout}, step{syscall.SIGKILL, immediateTimeout})
		if !strings.Contains(err.Error(), "still in use") || ctx.Err() != nil {
			return nil, err
		}
	}
}

// spawn starts the process from a thread that lives as long as the process: Linux tells a child of
// its parent's death when the thread that made it ends.
func (s *Server) spawn(bin string, who owner) (*child, error) {
	log, err := s.layout.openLog()
	if err != nil {
		return nil, err
	}
	cmd := who.command(context.Background(), s.layout.dir, filepath.Join(bin, "postgres"), s.arguments()...)
	cmd.Stdout, cmd.Stderr = log, log
	dieWithParent(cmd)
	c, started := &child{done: make(chan struct{})}, make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // its log says how it ended
		}
		_ = log.Close()
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	c.pid = cmd.Process.Pid
	return c, nil
}

// arguments returns the settings of a server for development: durable commits, no replication, room
// for the connections of the embedded Temporal server.
func (s *Server) arguments() []string {
	settings := map[string]string{
		"unix_socket_directories": s.layout.socketDir,
		"unix_socket_permissions": "0700",
		"listen_addresses":        "",
		"port":                    strconv.Itoa(s.Port()),
		"max_connections":         "200",
		"shared_buffers":          "256MB",
		"max_wal_size":            "2GB",
		"wal_level":               "minimal",
		"max_wal_senders":         "0",
		"jit":                     "off", // compiling costs more than our short statements do
		"update_process_title":    "off", // otherwise twice a statement, for a title that nobody reads
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"logging_collector":       "off",
	}
	if s.cfg.Port != 0 {
		settings["listen_addresses"] = "127.0.0.1"
	}
	maps.Copy(settings, s.cfg.Settings)
	args := []string{"-D", s.layout.data()}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// ready waits until the server answers, or has ended.
func (s *Server) ready(ctx context.Context, c *child) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	db, err := sql.Open("postgres", s.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for {
		last := db.PingContext(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-c.done:
			return fmt.Errorf("it ended while starting; its log (%s) says:\n%s", s.layout.path("postgres.log"), s.layout.logTail())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", errors.Join(ctx.Err(), last))
		case <-time.After(poll):
		}
	}
}

// end tries the steps in order until the process has ended.
func (c *child) end(steps ...step) error {
	for _, s := range steps {
		select {
		case <-c.done: // never signal a process id that may belong to another process now
			return nil
		default:
		}
		if err := syscall.Kill(c.pid, s.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		select {
		case <-c.done:
			return nil
		case <-time.After(s.wait):
		}
	}
	return fmt.Errorf("process %d does not end", c.pid)
}

// endOrphan ends a server that outlived the process that started it. This process has the lock, so
// nobody else uses the server. If the id in the process id file belongs to another program now, it
// removes the file: PostgreSQL would refuse to start because of it.
func (l layout) endOrphan(ctx context.Context) error {
	path := filepath.Join(l.data(), "postmaster.pid")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 {
		return os.Remove(path)
	}
	line := commandLine(pid)
	switch {
	case line == "":
		return nil // dead: PostgreSQL sees that itself, and checks for remaining sessions
	case !strings.Contains(line, l.data()):
		return os.Remove(path)
	}
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("a server of ours is left over as process %d: %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, fastTimeout)
	defer cancel()
	for strings.Contains(commandLine(pid), l.data()) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("a server of ours is left over as process %d and does not end", pid)
		case <-time.After(poll):
		}
	}
	return nil
}

// commandLine returns the command line of the process; empty: there is no such process.
func commandLine(pid int) string {
	if exists("/proc/self/cmdline") {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return strings.ReplaceAll(string(text), "\x00", " ")
	}
	text, _ := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return strings.TrimSpace(string(text))
}
