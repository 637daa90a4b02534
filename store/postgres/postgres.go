// Package postgres runs a private PostgreSQL as a child process: the one store of
// the development stack, and of every test that needs one.
//
// The server belongs to its folder: data, socket and log live there, nothing
// listens on TCP unless asked for, and connections through the socket need no
// password because only the folder's owner reaches it. It ends with the process
// that started it. Commits are durable, as in production, so that what is
// measured here holds there.
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

// defaultPort names the socket's file where TCP is off.
const defaultPort = 5432

// How long a server may take. Recovery after a crash replays at most
// max_wal_size; a fast shutdown writes what is in shared buffers.
const (
	startTimeout     = 2 * time.Minute
	fastTimeout      = 20 * time.Second
	immediateTimeout = 5 * time.Second
)

// Config says where the server lives.
type Config struct {
	// Dir is the server's own folder, made if it does not exist. It must not be
	// shared with anything else.
	Dir string
	// Port is the TCP port on 127.0.0.1, for which the password in the folder's
	// file "password" is needed; 0: no TCP at all.
	Port int
	// Settings overrides settings of postgresql.conf by name.
	Settings map[string]string
	// Progress gets a line for each thing that takes long; may be nil.
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

// Start starts the server that lives in cfg.Dir, and makes it first if there is
// none. PostgreSQL itself is looked for on this machine, and obtained if it is
// not there. The context bounds the start only, not the server's life.
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
	// First of all: what installs PostgreSQL may also make the user who will run it.
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

// Stop ends the server in order: sessions are cut, everything is written. A server
// that takes too long is ended at once. Stopping a stopped server does nothing.
func (s *Server) Stop() error {
	return s.end(step{syscall.SIGINT, fastTimeout}, step{syscall.SIGQUIT, immediateTimeout}, step{syscall.SIGKILL, immediateTimeout})
}

// Kill ends the server at once, as a crash would: nothing is written, and the next
// start recovers.
func (s *Server) Kill() error {
	return s.end(step{syscall.SIGQUIT, immediateTimeout}, step{syscall.SIGKILL, immediateTimeout})
}

// end also gives up the folder's lock, so that another Start may follow.
func (s *Server) end(steps ...step) error {
	if err := s.child.end(steps...); err != nil {
		return err
	}
	if err := s.lock.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// PID is the process id of the server.
func (s *Server) PID() int { return s.child.pid }

// Done is closed when the server's process has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.child.done }

// Program is the path of one of PostgreSQL's programs, as pg_dump, in the server's version.
func (s *Server) Program(name string) (string, error) {
	bin := s.bin
	if server, err := filepath.EvalSymlinks(filepath.Join(bin, "postgres")); err == nil {
		bin = filepath.Dir(server) // a link may lead there from a folder without the others
	}
	path := filepath.Join(bin, name)
	if !exists(path) {
		return "", fmt.Errorf("there is no %s in %s: install PostgreSQL's client programs of version %s", name, bin, s.layout.version())
	}
	return path, nil
}

// URL is the address of a database, for lib/pq and pgx, through the socket. It
// stays the same for as long as the folder lives.
func (s *Server) URL(database string) string {
	query := url.Values{"host": {s.SocketDir()}, "port": {strconv.Itoa(s.Port())}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", User: url.User(User), Path: "/" + database, RawQuery: query.Encode()}
	return u.String()
}

// SocketDir is the folder that holds the server's socket.
func (s *Server) SocketDir() string { return s.layout.socketDir }

// Port is the server's port, which names the socket's file too.
func (s *Server) Port() int {
	if s.cfg.Port == 0 {
		return defaultPort
	}
	return s.cfg.Port
}
