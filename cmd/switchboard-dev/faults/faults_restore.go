package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// dump is a backup of some databases that were in use.
type dump struct {
	files map[string]string // by database
	order []string
	since time.Time // everything that was committed before then is in it
}

// back goes back in time. It dumps databases in use, waits while more work is done, stops the
// processes that use them, restores them and starts the processes again. Of these, the ones that
// others need come last.
func (r *run) back(ctx context.Context, databases []string, users []*service, meanwhile func()) error {
	backup, err := r.stack.dump(ctx, databases)
	if err != nil {
		return err
	}
	defer func() { _ = backup.remove() }()
	if err := r.hold(ctx); err != nil {
		return err
	}
	for _, user := range users {
		if err := user.takeDown(); err != nil {
			return err
		}
	}
	if err := r.stack.restore(ctx, backup); err != nil {
		return err
	}
	meanwhile()
	for _, user := range slices.Backward(users) {
		if err := user.bringUp(); err != nil {
			return err
		}
	}
	for _, part := range r.stack.parts() {
		if err := r.stack.untilReady(ctx, part); err != nil {
			return err
		}
	}
	if slices.Contains(databases, databaseOurs) {
		r.log("posted %d events again that were accepted after the dump", r.load.postAgain(backup.since))
	}
	return nil
}

// restoreSwitchboard does what deploy/README.md says about a restored database: what was accepted
// after the dump is posted again, and Temporal gets a new namespace.
func restoreSwitchboard(ctx context.Context, r *run) error {
	return r.back(ctx, []string{databaseOurs}, r.stack.parts(), func() { r.stack.namespace += "-restored" })
}

func restoreTemporal(ctx context.Context, r *run) error {
	return r.back(ctx, []string{databaseTemporal, databaseVisibility}, []*service{r.stack.temporal}, func() {})
}

// restoreBoth restores everything. Switchboard's database is dumped last, so Temporal's are older.
// What Temporal does not know yet is started again.
func restoreBoth(ctx context.Context, r *run) error {
	return r.back(ctx, []string{databaseTemporal, databaseVisibility, databaseOurs}, append(r.stack.parts(), r.stack.temporal), func() {})
}

// dump dumps databases one after the other, while they are in use.
func (s *stack) dump(ctx context.Context, databases []string) (dump, error) {
	d := dump{files: map[string]string{}, order: databases, since: time.Now()}
	for _, database := range databases {
		d.files[database] = filepath.Join(s.dir, database+".dump")
		err := s.program(ctx, "pg_dump", "--format=custom", "--file="+d.files[database], "--dbname="+s.server.URL(database))
		if err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d dump) remove() error {
	var errs []error
	for _, file := range d.files {
		errs = append(errs, os.Remove(file))
	}
	return errors.Join(errs...)
}

// restore replaces databases with their dumps.
func (s *stack) restore(ctx context.Context, d dump) error {
	for _, database := range d.order {
		if err := errors.Join(s.server.DropDatabase(ctx, database), s.server.CreateDatabase(ctx, database, "")); err != nil {
			return err
		}
		err := s.program(ctx, "pg_restore", "--exit-on-error", "--dbname="+s.server.URL(database), d.files[database])
		if err != nil {
			return err
		}
	}
	return nil
}

// program runs a program of PostgreSQL to its end.
func (s *stack) program(ctx context.Context, name string, args ...string) error {
	path, err := s.server.Program(name)
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, path, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
