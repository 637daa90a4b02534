package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxSocketDir is how long the path of a socket's folder may be: the kernel accepts a path of 107
// bytes on Linux and 103 on macOS, and the longest name of the file is .s.PGSQL.65535.lock.
const maxSocketDir = 103 - len("/.s.PGSQL.65535.lock")

// maxLog is the size in bytes at which the log is emptied.
const maxLog = 16 << 20

// layout is the layout of a server's folder.
type layout struct {
	dir       string
	socketDir string // set by prepare
}

func (l layout) path(name string) string { return filepath.Join(l.dir, name) }
func (l layout) data() string            { return l.path("data") }

// version returns the major version that made the data directory; empty: there is none.
func (l layout) version() string {
	text, err := os.ReadFile(filepath.Join(l.data(), "PG_VERSION"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// prepare makes the folders, owned by the user who will run the server.
func (l *layout) prepare(who owner) error {
	if err := who.mkdir(l.dir); err != nil {
		return err
	}
	if !who.enters(l.dir) {
		return fmt.Errorf("PostgreSQL does not run as root, and user %s, who runs it instead, cannot enter %s: "+
			"choose a folder whose parents everybody may enter (--data-dir)", who.name, l.dir)
	}
	return l.placeSocket(who)
}

// placeSocket chooses the socket's folder: inside the server's folder if the path is short enough,
// otherwise a temporary one. It remembers the temporary one, because URLs name it.
func (l *layout) placeSocket(who owner) error {
	l.socketDir = l.path("run")
	if len(l.socketDir) <= maxSocketDir {
		return who.mkdir(l.socketDir)
	}
	remembered, err := os.ReadFile(l.path("socket_dir"))
	if err == nil {
		l.socketDir = string(remembered)
		return who.mkdir(l.socketDir)
	}
	if l.socketDir, err = os.MkdirTemp("", "switchboard-pg-"); err != nil {
		return err
	}
	if err := who.mkdir(l.socketDir); err != nil {
		return err
	}
	return os.WriteFile(l.path("socket_dir"), []byte(l.socketDir), 0o600)
}

// initdb makes the data directory. It makes it elsewhere and renames it, so that an existing one is
// complete.
func (l layout) initdb(ctx context.Context, bin string, who owner) error {
	aside, password := l.path("data.new"), l.path("password")
	if err := errors.Join(os.RemoveAll(aside), os.RemoveAll(l.data())); err != nil {
		return err
	}
	if err := os.WriteFile(password, []byte(rand.Text()+"\n"), 0o600); err != nil {
		return err
	}
	if err := who.give(password); err != nil {
		return err
	}
	// The C locale sorts by bytes everywhere. --no-sync: nothing there has value yet, and the
	// server's first checkpoint writes everything.
	cmd := who.command(ctx, l.dir, filepath.Join(bin, "initdb"), "--pgdata", aside, "--username", User, "--pwfile", password,
		"--auth-local", "trust", "--auth-host", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLines(out))
	}
	return os.Rename(aside, l.data())
}

// openLog opens the server's log for appending, and empties it if it is too long.
func (l layout) openLog() (*os.File, error) {
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(l.path("postgres.log")); err == nil && info.Size() > maxLog {
		flags |= os.O_TRUNC
	}
	return os.OpenFile(l.path("postgres.log"), flags, 0o600)
}

// logTail returns the last lines of the server's log.
func (l layout) logTail() string {
	text, err := os.ReadFile(l.path("postgres.log"))
	if err != nil {
		return err.Error()
	}
	return lastLines(text)
}

// lastLines keeps the end of a program's output, which says what went wrong.
func lastLines(text []byte) string {
	const lines = 8
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

// lockFile takes the lock of a process that works on the folder. The kernel releases it when the
// process ends, in whatever way.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("the folder is in use by another process (lock on %s: %w)", path, err)
	}
	return f, nil
}

// exists reports whether there is a file with that name.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
