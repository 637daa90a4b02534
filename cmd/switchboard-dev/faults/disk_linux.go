package faults

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// diskSize is the size of the disk for Postgres' data: three times what a whole run takes.
const diskSize = "1g"

// mountName is the name of a suite's disk in the list of mounts, before the id of its process.
const mountName = "switchboard-faults-"

// disk holds Postgres' data. It is a separate file system in memory, if one can be mounted.
type disk struct {
	dir     string
	mounted bool
	full    atomic.Bool
}

// newDisk mounts a disk at that folder, which it makes. If it may not, the disk is the machine's
// own. It first unmounts a disk whose suite was killed.
func newDisk(dir string) (*disk, error) {
	if err := unmountAbandoned(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	err := syscall.Mount(mountName+strconv.Itoa(os.Getpid()), dir, "tmpfs", 0, "mode=0700,size="+diskSize)
	if errors.Is(err, os.ErrPermission) {
		_ = os.Remove(dir) // Postgres makes it, with the right owner
		return &disk{dir: dir}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("mount a disk for Postgres: %w", err)
	}
	return &disk{dir: dir, mounted: true}, nil
}

// unmountAbandoned unmounts the disks of suites that no longer run.
func unmountAbandoned() error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for _, dir := range abandoned(string(mounts), func(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }) {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil && !errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("unmount %s, of a suite that was killed: %w", dir, err)
		}
	}
	return nil
}

// abandoned finds the disks in a list of mounts whose suite no longer runs. In the list, spaces and
// backslashes are written in octal.
func abandoned(mounts string, runs func(pid int) bool) []string {
	var dirs []string
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		id, ours := strings.CutPrefix(fields[0], mountName)
		if pid, err := strconv.Atoi(id); ours && err == nil && !runs(pid) {
			dirs = append(dirs, unescapeMount.Replace(fields[1]))
		}
	}
	return dirs
}

var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill fills the disk. It never fills the machine's own disk. There the kernel instead refuses all
// writes of the running Postgres, with that process id, and the next Postgres finds no space.
func (d *disk) fill(postgres int) error {
	d.full.Store(true)
	if !d.mounted {
		return limitFiles(postgres, "0")
	}
	file, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err = io.Copy(file, zeros{}); errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	return err
}

// room is the error of a Postgres that starts on a disk that is full only for the previous one.
func (d *disk) room() error {
	if !d.mounted && d.full.Load() {
		return syscall.ENOSPC
	}
	return nil
}

// empty frees the space again, also for the Postgres with that process id; 0: none runs.
func (d *disk) empty(postgres int) error {
	d.full.Store(false)
	switch {
	case d.mounted:
		return os.Remove(d.ballast())
	case postgres == 0:
		return nil
	}
	return limitFiles(postgres, "unlimited")
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// limitFiles sets the maximum length of files that the process or one of its children writes.
func limitFiles(parent int, size string) error {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", parent))
	if err != nil {
		return err
	}
	for i, pid := range append([]string{strconv.Itoa(parent)}, strings.Fields(string(children))...) {
		out, err := exec.Command("prlimit", "--pid", pid, "--fsize="+size+":").CombinedOutput()
		if err != nil && i == 0 { // a child may have ended
			return fmt.Errorf("prlimit: %w: %s", err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// remove unmounts the disk, which deletes everything on it.
func (d *disk) remove() error {
	if d == nil || !d.mounted {
		return nil
	}
	return syscall.Unmount(d.dir, syscall.MNT_DETACH)
}
