package store

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// baseline is the version of the first released schema. Pre-releases had lower ones.
const baseline = 100

// migrationsTable is where goose records which migrations have run.
const migrationsTable = "switchboard_migrations"

func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	// Two processes that migrate at the same time take turns.
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithTableName(migrationsTable), goose.WithDisableGlobalRegistry(true))
}

// SchemaVersion is the version of the schema that this binary is made for.
func SchemaVersion() (int64, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, err
	}
	return goose.NumericComponent(slices.Max(names)) // the numbers have leading zeros
}

// Migrate brings the schema from any older version to that of this binary, and makes the partitions
// of today and the days ahead. It does nothing if there is nothing to do, or if the schema is newer
// and this binary works with it. If the binary does not work with it, it returns [ErrTooNewSchema],
// and for a pre-release [ErrPreRelease], and changes nothing.
//
// It waits for a lock in short tries, until ctx ends, because everybody else queues behind it.
func (s *Store) Migrate(ctx context.Context) error {
	err := s.CheckSchema(ctx)
	switch {
	case errors.Is(err, ErrNewerSchema):
		return nil
	case errors.Is(err, ErrTooNewSchema), errors.Is(err, ErrPreRelease):
		return err
	}
	// An index may take minutes to build, during which Postgres sends nothing.
	db := sql.OpenDB(connector{s.unbounded, fmt.Sprintf("SET lock_timeout = %d", partitionLockTimeout.Milliseconds())})
	defer db.Close()
	provider, err := newProvider(db)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	for _, err = provider.Up(ctx); lockFailed(err); _, err = provider.Up(ctx) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(partitionRetryPause):
		}
	}
	if err != nil {
		return mapError(ctx, "migrate", err)
	}
	_, err = s.MakePartitions(ctx, PartitionsAhead, 24*time.Hour)
	return err
}

// ErrNewerSchema is the error of [Store.CheckSchema] if the schema is newer than the binary, but
// works with it. This is so during an upgrade, which migrates first, and after a rollback of the
// binary.
var ErrNewerSchema = errors.New("the schema is newer than this binary, which works on it")

// ErrTooNewSchema is the error of [Store.CheckSchema] if the schema is so much newer that it lacks
// something that the binary needs.
var ErrTooNewSchema = errors.New("the schema is too new for this binary")

// ErrPreRelease is the error of [Store.CheckSchema] if the schema is that of a pre-release, which
// no release migrates.
var ErrPreRelease = errors.New("the database is of a pre-release")

// CheckSchema returns nil if the schema is the one that this binary was made for. Otherwise it
// returns an error with the version and advice. It changes nothing.
func (s *Store) CheckSchema(ctx context.Context) error {
	needed, err := SchemaVersion()
	if err != nil {
		return err
	}
	found, err := s.FoundSchema(ctx)
	if err != nil || found <= needed {
		return cmp.Or(err, compareVersions(found, needed, 0))
	}
	var oldest int64
	if err := s.get(ctx, "read which binaries the schema is for", &oldest, nil, "SELECT oldest FROM schema_compatibility"); err != nil {
		return err
	}
	return compareVersions(found, needed, oldest)
}

// FoundSchema returns the version of the database's schema; 0: none.
func (s *Store) FoundSchema(ctx context.Context) (int64, error) {
	var there bool
	if err := s.get(ctx, "read schema version", &there, nil, "SELECT to_regclass($1) IS NOT NULL", migrationsTable); err != nil || !there {
		return 0, err
	}
	var found int64
	err := s.get(ctx, "read schema version", &found, nil, "SELECT coalesce(max(version_id), 0) FROM "+migrationsTable+" WHERE is_applied")
	return found, err
}

// compareVersions compares the found version, and the oldest version that the found schema needs of
// a binary, with the version of this binary.
func compareVersions(found, needed, oldest int64) error {
	switch {
	case found == needed:
		return nil
	case found == 0:
		return fmt.Errorf("the database has no Switchboard schema, and version %d is needed: run `switchboard migrate`", needed)
	case found < baseline:
		return fmt.Errorf("%w of Switchboard (schema version %d), which cannot be migrated, and was left as it is: "+
			"give a new, empty database; if the data folder is that of `switchboard-dev` or `make run`, delete the folder or give another one", ErrPreRelease, found)
	case found < needed:
		return fmt.Errorf("the database's schema has version %d, and version %d is needed: run `switchboard migrate`", found, needed)
	case needed >= oldest:
		return fmt.Errorf("%w: the schema has version %d, and the binary was made for %d", ErrNewerSchema, found, needed)
	}
	return fmt.Errorf("%w: the database's schema has version %d, which binaries for version %d and later work on, and this one is for %d: run a newer one",
		ErrTooNewSchema, found, oldest, needed)
}
