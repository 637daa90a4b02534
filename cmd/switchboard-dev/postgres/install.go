package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// installTimeout bounds package manager or download.
const installTimeout = 10 * time.Minute

// aptScript installs the distribution's package without the cluster that it would
// create and start: ours is private, and nobody asked for another.
const aptScript = `set -e
export DEBIAN_FRONTEND=noninteractive
conf=/etc/postgresql-common/createcluster.d/switchboard-no-cluster.conf
mkdir -p "$(dirname "$conf")"
trap 'rm -f "$conf"' EXIT
echo 'create_main_cluster = false' > "$conf"
apt-get -o DPkg::Lock::Timeout=300 update
apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends postgresql`

// install obtains PostgreSQL: from the package manager where that needs no
// password, else by a download into the user's cache. Processes that find it
// missing at the same time wait for one of them to do it.
func install(ctx context.Context, progress func(string)) error {
	dir := filepath.Dir(downloaded())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "install.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // gives the lock up
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if bin, _ := choose(ctx, ""); bin != "" {
		return nil
	}
	aptErr := apt(ctx, progress)
	if aptErr == nil {
		return nil
	}
	downloadErr := download(progress)
	if downloadErr == nil {
		return nil
	}
	return fmt.Errorf("PostgreSQL %d or newer is not on this machine and could not be obtained; install it (Debian, Ubuntu: apt-get install postgresql; "+
		"Fedora: dnf install postgresql-server; macOS: brew install postgresql@17) so that initdb and postgres are found: %w",
		oldest, errors.Join(aptErr, downloadErr))
}

// apt installs the package as root, or through sudo where it asks for no password.
func apt(ctx context.Context, progress func(string)) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("there is no apt-get")
	}
	shell := []string{"sh", "-c", aptScript}
	if os.Geteuid() != 0 {
		if err := exec.CommandContext(ctx, "sudo", "-n", "true").Run(); err != nil {
			return errors.New("apt-get needs root, and sudo asks for a password")
		}
		shell = append([]string{"sudo", "-n"}, shell...)
	}
	progress("PostgreSQL is not on this machine: installing it with apt-get, which takes about a minute")
	cmd := exec.CommandContext(ctx, shell[0], shell[1:]...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get: %w: %s", err, lastLines(out))
	}
	progress("PostgreSQL is installed")
	return nil
}

// downloaded is where a download is kept, for every folder and every test of the
// user. Root's own cache is closed to the user who will run the programs.
func downloaded() string {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	if os.Geteuid() == 0 {
		base = "/var/cache"
	}
	return filepath.Join(base, "switchboard", "postgresql")
}

// download has the library fetch the programs. It can only do so by running a
// server of its own, in a scratch folder; whether that server ran does not matter
// (as root it cannot), the programs do.
func download(progress func(string)) error {
	progress("PostgreSQL is not on this machine: downloading it, about 10 MB")
	scratch, err := os.MkdirTemp("", "switchboard-pg-download-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	port, err := freePort()
	if err != nil {
		return err
	}
	var log bytes.Buffer
	database := embedded.NewDatabase(embedded.DefaultConfig().Port(port).Logger(&log).
		CachePath(filepath.Dir(downloaded())).BinariesPath(downloaded()).
		RuntimePath(filepath.Join(scratch, "run")).DataPath(filepath.Join(scratch, "data")))
	startErr := database.Start()
	if startErr == nil {
		return database.Stop()
	}
	if exists(filepath.Join(downloaded(), "bin", "postgres")) {
		return nil
	}
	return fmt.Errorf("download: %w: %s", startErr, lastLines(log.Bytes()))
}

func freePort() (uint32, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return uint32(l.Addr().(*net.TCPAddr).Port), nil
}
