package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// aptScript installs the distribution's package without the cluster that it would create and start,
// because our server is private. If one source cannot be updated, another may still have the
// package.
const aptScript = `set -e
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
conf=/etc/postgresql-common/createcluster.d/switchboard-no-cluster.conf
mkdir -p "$(dirname "$conf")"
trap 'rm -f "$conf"' EXIT
trap 'exit 130' INT
echo 'create_main_cluster = false' > "$conf"
apt-get -o DPkg::Lock::Timeout=300 update || true
apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends postgresql`

// apt installs the package as root, or through sudo if it asks for no password. If ctx ends during
// an installation, it is finished first: an interrupted one would leave the system's packages half
// configured.
func apt(ctx context.Context, progress func(string)) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("there is no apt-get")
	}
	shell := []string{"sh", "-c", aptScript}
	if os.Geteuid() != 0 {
		if err := exec.CommandContext(ctx, "sudo", "-n", "true").Run(); err != nil {
			return errors.New("apt-get needs root, and sudo without a password is not to be had")
		}
		shell = append([]string{"sudo", "-n"}, shell...)
	}
	progress("PostgreSQL is not on this machine: installing it with apt-get, which takes about a minute")
	cmd := exec.CommandContext(ctx, shell[0], shell[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C in the terminal would reach dpkg
	cmd.Cancel = func() error {
		progress("stopping once apt-get is through, so that the system's packages stay whole")
		return cmd.Process.Signal(os.Interrupt) // to the shell, which waits for apt-get
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get: %w: %s", err, aptReason(string(out)))
	}
	progress("PostgreSQL is installed")
	return nil
}

// aptReason returns, in one line, the first and the last complaint of apt-get: the cause, such as a
// missing network, and its effect.
func aptReason(out string) string {
	var complaints []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "E: ") || strings.HasPrefix(line, "W: Failed to fetch ") {
			complaints = append(complaints, line[len("E: "):])
		}
	}
	switch len(complaints) {
	case 0:
		return lastLines([]byte(out))
	case 1:
		return complaints[0]
	}
	return complaints[0] + "; " + complaints[len(complaints)-1]
}
