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

// installTimeout bounds package manager or download.
const installTimeout = 10 * time.Minute

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

// advice is what a person can do where we could not.
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

// unlessDone calls what cannot be interrupted, and leaves it behind when ctx ends.
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
