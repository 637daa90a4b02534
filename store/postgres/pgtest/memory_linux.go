package pgtest

import (
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A database is some 800 small files, which a file system in memory copies at a tenth of what a disk costs.
const (
	memory       = "/dev/shm"
	memoryNeeded = 4 << 30 // in bytes: far more than the servers of several test binaries take
	leftBehind   = 3 * time.Hour
)

// parent is the folder that servers have theirs in: in memory where there is enough, unless TMPDIR says
// otherwise. Empty: the system's for temporary files.
func parent() string {
	var free syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(memory, &free) != nil || free.Bavail*uint64(free.Bsize) < memoryNeeded { //nolint:gosec // a size
		return ""
	}
	forget()
	return memory
}

// forget removes what tests that were killed have left, which would stay in memory. No test runs for so long.
func forget() {
	folders, _ := filepath.Glob(filepath.Join(memory, prefix+"*")) // it fails for a bad pattern only
	for _, folder := range folders {
		if info, err := os.Stat(folder); err == nil && time.Since(info.ModTime()) > leftBehind {
			_ = os.RemoveAll(folder)
		}
	}
}
