package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationsTable is where goose notes which migrations have run.
const migrationsTable = "switchboard_migrations"

func (s *Store) provider() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	// Two processes that migrate at the same time take turns.
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, s.db.DB, files,
		goose.WithSessionLocker(locker), goose.WithTableName(migrationsTable), goose.WithDisableGlobalRegistry(true))
}

// Migrate brings the schema to the version of this binary, from whatever version
// it has. It does nothing if there is nothing to do.
func (s *Store) Migrate(ctx context.Context) error {
	provider, err := s.provider()
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fault(ctx, fmt.Errorf("migrate: %w", err))
	}
	return nil
}

// ErrNewerSchema is the error of [Store.CheckSchema] where the binary is the older
// one, as during an upgrade, which begins with the schema.
var ErrNewerSchema = errors.New("the binary is older than the schema")

// CheckSchema returns nil if the schema is the one that this binary works on, and
// otherwise an error that says which it is and what to do. It changes nothing.
func (s *Store) CheckSchema(ctx context.Context) error {
	provider, err := s.provider()
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	sources := provider.ListSources()
	needed := sources[len(sources)-1].Version
	var there bool
	if err := s.get(ctx, &there, nil, "SELECT to_regclass($1) IS NOT NULL", migrationsTable); err != nil {
		return err
	}
	var found int64
	if there {
		query := "SELECT coalesce(max(version_id), 0) FROM " + migrationsTable + " WHERE is_applied"
		if err := s.get(ctx, &found, nil, query); err != nil {
			return err
		}
	}
	return compareVersions(found, needed)
}

func compareVersions(found, needed int64) error {
	switch {
	case found == needed:
		return nil
	case found == 0:
		return fmt.Errorf("the database has no Switchboard schema, and version %d is needed: run `switchboard migrate`", needed)
	case found < needed:
		return fmt.Errorf("the database's schema has version %d, and version %d is needed: run `switchboard migrate`", found, needed)
	}
	return fmt.Errorf("%w: the database's schema has version %d, and this binary knows versions up to %d only: run a newer one",
		ErrNewerSchema, found, needed)
}
