package stack

import (
	"os"
	"sync"
)

// maxLog is the maximum length of the stack's log in bytes. After that, a new one begins, and the
// previous one is kept as switchboard.log.1. An outage of an hour fits into both.
const maxLog = 16 << 20

// rotated is a file that starts again empty when it is full.
type rotated struct {
	path string
	max  int64

	mu   sync.Mutex
	file *os.File
	size int64
}

func openRotated(path string, limit int64) (*rotated, error) {
	r := &rotated{path: path, max: limit}
	return r, r.open()
}

func (r *rotated) open() error {
	file, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return err
	}
	r.file, r.size = file, info.Size()
	return nil
}

// Write writes one line, because slog never writes less.
func (r *rotated) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size > 0 && r.size+int64(len(line)) > r.max {
		if err := r.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := r.file.Write(line)
	r.size += int64(n)
	return n, err
}

func (r *rotated) rotate() error {
	_ = r.file.Close()
	if err := os.Rename(r.path, r.path+".1"); err != nil {
		return err
	}
	return r.open()
}

// Close closes the file.
func (r *rotated) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.file.Close()
}
