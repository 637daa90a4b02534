package postgres

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// installTimeout bounds the package manager or the download.
const installTimeout = 10 * time.Minute

// install obtains PostgreSQL: from the package manager if that needs no password, otherwise by a
// download into the user's cache. If several processes need it at the same time, one of them
// installs it and the others wait.
func install(ctx context.Context, progress func(string)) error {
	dir := filepath.Dir(downloaded())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "install.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // releases the lock
	if err := unlessDone(ctx, func() error { return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX) }); err != nil {
		return err
	}
	if bin, _ := choose(ctx, ""); bin != "" {
		return nil
	}
	aptErr := apt(ctx, progress)
	if aptErr == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	downloadErr := download(ctx, maven, downloaded(), progress)
	if downloadErr == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("PostgreSQL %d or newer is not on this machine and could not be obtained (%w; %w)\n%s",
		oldest, aptErr, downloadErr, advice())
}

// advice says what a person can do after a failed installation.
func advice() string {
	for _, manager := range []struct{ program, command string }{
		{"apt-get", "as an administrator: apt-get update && apt-get install postgresql"},
		{"dnf", "as an administrator: dnf install postgresql-server"},
		{"apk", "as an administrator: apk add postgresql"},
		{"brew", "brew install postgresql@17"},
	} {
		if _, err := exec.LookPath(manager.program); err == nil {
			return "Install it and start again; " + manager.command
		}
	}
	return "Install it so that initdb and postgres are in a folder of PATH, and start again"
}

// unlessDone calls a function that cannot be interrupted, and stops waiting for it when ctx ends.
func unlessDone(ctx context.Context, call func() error) error {
	result := make(chan error, 1)
	go func() { result <- call() }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
