// Package postgres runs a private PostgreSQL as a child process: the only store of the development
// stack, and of every test that needs one.
//
// The server belongs to its folder: data, socket and log are there, and nothing listens on TCP
// unless it is configured. Connections through the socket need no password, because only the
// folder's owner reaches it. The server ends with the process that started it. Commits are durable,
// as in production, so that measurements here are valid there.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// User is the name of the superuser that every URL uses.
const User = "switchboard"

// defaultPort names the socket's file if TCP is off.
const defaultPort = 5432

// How long a server may take. Recovery after a crash replays at most max_wal_size; a fast shutdown
// writes the content of shared buffers.
const (
	startTimeout     = 2 * time.Minute
	fastTimeout      = 20 * time.Second
	immediateTimeout = 5 * time.Second
)

// Config configures a server.
type Config struct {
	// Dir is the server's own folder, which is made if it does not exist. It must not be shared
	// with anything else.
	Dir string
	// Port is the TCP port on 127.0.0.1, which needs the password in the folder's file "password";
	// 0: no TCP.
	Port int
	// Settings overrides settings of postgresql.conf by name.
	Settings map[string]string
	// Progress gets a line for each step that takes long; may be nil.
	Progress func(string)
}

// Server is a running PostgreSQL.
type Server struct {
	cfg    Config
	layout layout
	bin    string // folder of PostgreSQL's programs
	lock   *os.File
	child  *child
}

// Start starts the server in cfg.Dir, and makes it first if there is none. It looks for PostgreSQL
// on this machine, and installs it if there is none. The context bounds only the start, not the
// server's life.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Progress == nil {
		cfg.Progress = func(string) {}
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout+installTimeout)
	defer cancel()
	s, err := start(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("postgres in %s: %w", cfg.Dir, err)
	}
	return s, nil
}

func start(ctx context.Context, cfg Config) (*Server, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	// This comes first, because installing PostgreSQL may also make the user who will run it.
	bin, err := binaries(ctx, layout{dir: dir}.version(), cfg.Progress)
	if err != nil {
		return nil, err
	}
	who, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	if dir, err = who.home(dir, cfg.Progress); err != nil {
		return nil, err
	}
	l := layout{dir: dir}
	if err := l.prepare(who); err != nil {
		return nil, err
	}
	lock, err := lockFile(l.path("lock"))
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, layout: l, bin: bin, lock: lock}
	if err := s.run(ctx, who); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func (s *Server) run(ctx context.Context, who owner) (err error) {
	if s.layout.version() == "" {
		s.cfg.Progress("creating a PostgreSQL data directory in " + s.layout.data())
		if err := s.layout.initdb(ctx, s.bin, who); err != nil {
			return err
		}
	}
	if err := s.layout.endOrphan(ctx); err != nil {
		return err
	}
	s.child, err = s.launch(ctx, s.bin, who)
	return err
}

// Stop shuts the server down in order: it ends sessions and writes everything. A server that takes
// too long is killed. Stopping a stopped server has no effect.
func (s *Server) Stop() error {
	return s.end(step{syscall.SIGINT, fastTimeout}, step{syscall.SIGQUIT, immediateTimeout}, step{syscall.SIGKILL, immediateTimeout})
}

// Kill ends the server at once, like a crash: nothing is written, and the next start recovers.
func (s *Server) Kill() error {
	return s.end(step{syscall.SIGQUIT, immediateTimeout}, step{syscall.SIGKILL, immediateTimeout})
}

// end also releases the folder's lock, so that another Start may follow.
func (s *Server) end(steps ...step) error {
	if err := s.child.end(steps...); err != nil {
		return err
	}
	if err := s.lock.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// PID returns the process id of the server.
func (s *Server) PID() int { return s.child.pid }

// Done is closed when the server's process has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.child.done }

// Program returns the path of one of PostgreSQL's programs, such as pg_dump, in the server's
// version.
func (s *Server) Program(name string) (string, error) {
	bin := s.bin
	if server, err := filepath.EvalSymlinks(filepath.Join(bin, "postgres")); err == nil {
		bin = filepath.Dir(server) // the path may be a link from a folder without the other programs
	}
	path := filepath.Join(bin, name)
	if !exists(path) {
		return "", fmt.Errorf("there is no %s in %s: install PostgreSQL's client programs of version %s", name, bin, s.layout.version())
	}
	return path, nil
}

// URL returns the address of a database through the socket, for lib/pq and pgx. It stays the same
// for the life of the folder.
func (s *Server) URL(database string) string {
	query := url.Values{"host": {s.SocketDir()}, "port": {strconv.Itoa(s.Port())}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", User: url.User(User), Path: "/" + database, RawQuery: query.Encode()}
	return u.String()
}

// SocketDir returns the folder with the server's socket.
func (s *Server) SocketDir() string { return s.layout.socketDir }

// Port returns the server's port, which is also in the name of the socket's file.
func (s *Server) Port() int {
	if s.cfg.Port == 0 {
		return defaultPort
	}
	return s.cfg.Port
}
