package postgres

import (
	"context"
	"database/sql"
	"errors"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// CreateDatabase makes a database, as a copy of template unless that is empty. An existing database
// stays as it is.
func (s *Server) CreateDatabase(ctx context.Context, name, template string) error {
	statement := "CREATE DATABASE " + pq.QuoteIdentifier(name)
	if template != "" {
		statement += " TEMPLATE " + pq.QuoteIdentifier(template)
	}
	err := s.exec(ctx, statement)
	if pq.As(err, pqerror.DuplicateDatabase) != nil {
		err = nil
	}
	return err
}

// DropDatabase removes a database and ends the sessions that use it. A missing database is no
// error.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	return s.exec(ctx, "DROP DATABASE IF EXISTS "+pq.QuoteIdentifier(name)+" WITH (FORCE)")
}

// exec runs one statement in the database that always exists.
func (s *Server) exec(ctx context.Context, statement string) (err error) {
	db, err := sql.Open("postgres", s.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, statement)
	return err
}
