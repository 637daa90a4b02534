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
	"syscall"
)

// diskSize is the size of the disk that Postgres' data are on: three times what a whole run
// takes.
const diskSize = "1g"

// disk is where Postgres' data are: a file system of its own, in memory, where one can be mounted.
type disk struct {
	dir     string
	mounted bool
}

// newDisk mounts a disk at that folder, which it makes. Where we may not, the disk is the
// machine's own.
func newDisk(dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+diskSize)
	if errors.Is(err, os.ErrPermission) {
		_ = os.Remove(dir) // Postgres makes it, and gives it to the right owner
		return &disk{dir: dir}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("mount a disk for Postgres: %w", err)
	}
	return &disk{dir, true}, nil
}

func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill leaves no room on the disk. Of the machine's own disk that is not to be thought of:
// there the kernel refuses whatever the running Postgres, of that process id, writes.
func (d *disk) fill(postgres int) error {
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

// empty makes room again.
func (d *disk) empty(postgres int) error {
	if !d.mounted {
		return limitFiles(postgres, "unlimited")
	}
	return os.Remove(d.ballast())
}

// zeros are without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// limitFiles sets how long a file may become that the process or one of its children writes.
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

// remove unmounts the disk, and all on it is gone.
func (d *disk) remove() error {
	if d == nil || !d.mounted {
		return nil
	}
	return syscall.Unmount(d.dir, syscall.MNT_DETACH)
}
