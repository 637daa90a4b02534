package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard/store/postgres"
)

// folder is one that an unprivileged user may enter, unlike t.TempDir.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sb-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "pg")
}

func start(t *testing.T, cfg postgres.Config) *postgres.Server {
	t.Helper()
	s, err := postgres.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func open(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func query(t *testing.T, url, statement string) string {
	t.Helper()
	var s string
	if err := open(t, url).QueryRow(statement).Scan(&s); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return s
}

func TestDataOutlivesStopAndKill(t *testing.T) {
	t.Parallel()
	cfg := postgres.Config{Dir: folder(t)}
	s := start(t, cfg)
	url := s.URL("kept")
	if err := s.CreateDatabase(t.Context(), "kept", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, url).Exec("CREATE TABLE t AS SELECT 'still here' AS v"); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func(*postgres.Server) error{"stop": (*postgres.Server).Stop, "kill": (*postgres.Server).Kill} {
		if err := end(s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := end(s); err != nil {
			t.Fatalf("%s again: %v", name, err)
		}
		if err := syscall.Kill(s.PID(), 0); err != syscall.ESRCH {
			t.Fatalf("%s: process %d is still there: %v", name, s.PID(), err)
		}
		s = start(t, cfg)
		if s.URL("kept") != url {
			t.Errorf("%s: URL is now %s, was %s", name, s.URL("kept"), url)
		}
		if got := query(t, url, "SELECT v FROM t"); got != "still here" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestDataOfAnotherVersion(t *testing.T) {
	t.Parallel()
	cfg := postgres.Config{Dir: folder(t)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(start(t, cfg).Stop())
	must(os.WriteFile(filepath.Join(cfg.Dir, "data", "PG_VERSION"), []byte("9\n"), 0o600))
	_, err := postgres.Start(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "PostgreSQL 9") || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("got %v", err)
	}
}

func TestProgram(t *testing.T) {
	t.Parallel()
	s := start(t, postgres.Config{Dir: folder(t)})
	path, err := s.Program("postgres")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if path, err := s.Program("none-such"); err == nil {
		t.Errorf("a program that is not there is at %s", path)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := start(t, postgres.Config{Dir: folder(t), Settings: map[string]string{"max_connections": "17"}})
	for name, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "max_connections": "17", "shared_buffers": "256MB",
		"wal_level": "minimal", "jit": "off", "listen_addresses": "", "server_encoding": "UTF8",
	} {
		if got := query(t, s.URL("postgres"), "SHOW "+name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestLongPathGetsAShortSocket(t *testing.T) {
	t.Parallel()
	cfg := postgres.Config{Dir: folder(t) + strings.Repeat("long", 30)}
	s := start(t, cfg)
	socket := s.SocketDir()
	t.Cleanup(func() { _ = os.RemoveAll(socket) })
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(socket); err != nil { // as a cleaner of /tmp would
		t.Fatal(err)
	}
	s = start(t, cfg)
	if s.SocketDir() != socket {
		t.Errorf("socket is now in %s, was in %s", s.SocketDir(), socket)
	}
	if got := query(t, s.URL("postgres"), "SELECT 'ok'"); got != "ok" {
		t.Errorf("got %q", got)
	}
}

func TestSecondStartIsRefused(t *testing.T) {
	t.Parallel()
	cfg := postgres.Config{Dir: folder(t)}
	start(t, cfg)
	if _, err := postgres.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("got %v", err)
	}
}

func TestTCPNeedsThePassword(t *testing.T) {
	t.Parallel()
	cfg := postgres.Config{Dir: folder(t)}
	s := startOnAFreePort(t, &cfg)
	address := func(password string) string {
		return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/postgres?sslmode=disable", postgres.User, password, s.Port())
	}
	if err := open(t, address("guess")).Ping(); err == nil {
		t.Error("a wrong password was accepted")
	}
	password, err := os.ReadFile(filepath.Join(cfg.Dir, "password"))
	if err != nil {
		t.Fatal(err)
	}
	if got := query(t, address(strings.TrimSpace(string(password))), "SELECT 'ok'"); got != "ok" {
		t.Errorf("got %q", got)
	}
}

// startOnAFreePort starts a server on a port of loopback that was just free. If another program has
// taken it since, it tries the next.
func startOnAFreePort(t *testing.T, cfg *postgres.Config) *postgres.Server {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Port = l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		s, err := postgres.Start(t.Context(), *cfg)
		if err == nil {
			t.Cleanup(func() {
				if err := s.Stop(); err != nil {
					t.Error(err)
				}
			})
			return s
		}
		if !strings.Contains(err.Error(), "Address already in use") {
			t.Fatal(err)
		}
	}
	t.Fatal("no port stays free")
	return nil
}

func TestStaleProcessFile(t *testing.T) {
	t.Parallel()
	cfg := postgres.Config{Dir: folder(t)}
	s := start(t, cfg)
	pidFile := filepath.Join(cfg.Dir, "data", "postmaster.pid")
	written, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	// The dead server's process id now belongs to a program of the server's own user.
	other := exec.Command("sleep", "60")
	info, err := os.Stat(filepath.Join(cfg.Dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; os.Geteuid() == 0 {
		other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = other.Process.Kill(), other.Wait() })
	_, rest, _ := strings.Cut(string(written), "\n")
	if err := os.WriteFile(pidFile, fmt.Appendf(nil, "%d\n%s", other.Process.Pid, rest), 0o644); err != nil {
		t.Fatal(err)
	}
	s = start(t, cfg)
	if got := query(t, s.URL("postgres"), "SELECT 'ok'"); got != "ok" {
		t.Errorf("got %q", got)
	}
}

func TestUnreachableFolder(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		// For an ordinary user the same happens with a folder that this user may not write.
		if _, err := postgres.Start(t.Context(), postgres.Config{Dir: "/switchboard-test/pg"}); err == nil {
			t.Error("a folder that cannot be made was accepted")
		}
		return
	}
	closed := filepath.Dir(folder(t))
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	cfg := postgres.Config{Dir: filepath.Join(closed, "pg")}
	s := start(t, cfg)
	home, err := os.Readlink(cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	query(t, s.URL("postgres"), "CREATE TABLE kept (); SELECT 'made'")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	again := start(t, cfg)
	if got := query(t, again.URL("postgres"), "SELECT coalesce(to_regclass('kept')::text, 'lost')"); got != "kept" {
		t.Errorf("after a second start the table is %s", got)
	}
}

// TestRootKeepsTheOwner: data that nobody made, on a machine without a user postgres, stays
// nobody's after a package has made that user.
func TestRootKeepsTheOwner(t *testing.T) {
	t.Parallel()
	nobody, err := user.Lookup("nobody")
	if os.Geteuid() != 0 || err != nil {
		t.Skip("only root chooses, and nobody must exist")
	}
	uid, err := strconv.Atoi(nobody.Uid)
	if err != nil || uid <= 0 {
		t.Skip("nobody has no id that can be taken")
	}
	cfg := postgres.Config{Dir: folder(t)}
	if err := errors.Join(os.Mkdir(cfg.Dir, 0o700), os.Chown(cfg.Dir, uid, uid)); err != nil {
		t.Fatal(err)
	}
	start(t, cfg)
	info, err := os.Stat(filepath.Join(cfg.Dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	if got := int(info.Sys().(*syscall.Stat_t).Uid); got != uid {
		t.Errorf("the data belongs to user id %d, want %d", got, uid)
	}
}

// TestEndsWithItsParent runs this test binary once more as the parent, kills it,
// and expects the server to end.
func TestEndsWithItsParent(t *testing.T) {
	t.Parallel()
	const variable = "SWITCHBOARD_TEST_PARENT_OF_POSTGRES_IN"
	if dir := os.Getenv(variable); dir != "" {
		s, err := postgres.Start(context.Background(), postgres.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("pid %d\n", s.PID())
		<-s.Done() // never: the test kills this process
		return
	}
	cfg := postgres.Config{Dir: folder(t)}
	parent := exec.Command(os.Args[0], "-test.run", "^TestEndsWithItsParent$")
	parent.Env = append(os.Environ(), variable+"="+cfg.Dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscanf(out, "pid %d\n", &pid); err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	// An immediate start must cope with the old server still writing or, if the system cannot tell
	// it of its parent's death, still running.
	s := start(t, cfg)
	deadline := time.Now().Add(time.Minute)
	for syscall.Kill(pid, 0) == nil {
		if time.Now().After(deadline) {
			t.Fatalf("the first server, process %d, is still there", pid)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if got := query(t, s.URL("postgres"), "SELECT 'ok'"); got != "ok" {
		t.Errorf("got %q", got)
	}
}
