package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/seed-49a43567/switchboard"
)

// mapError turns an error of the database into one for callers. If Postgres is unavailable it is
// Unavailable, if it cannot store a text it is Invalid, and any other is our own error, which names
// the operation. ctx is the caller's: an error of its own cancellation stays as it is.
func mapError(ctx context.Context, operation string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case late(err):
		return &switchboard.Error{Code: switchboard.CodeUnavailable, Message: "the database did not answer in time: try again", Err: err}
	case away(err):
		return &switchboard.Error{Code: switchboard.CodeUnavailable, Message: "the database is away: try again", Err: err}
	}
	if e, ok := errors.AsType[*switchboard.StandingConflict](err); ok {
		return e
	}
	if e, ok := errors.AsType[*switchboard.Error](err); ok {
		return e
	}
	if pq.As(err, pqerror.CharacterNotInRepertoire, pqerror.UntranslatableCharacter) != nil {
		return &switchboard.Error{Code: switchboard.CodeInvalid, Message: "some text holds a character that cannot be stored", Err: err}
	}
	return fmt.Errorf("store: %s: %w", operation, err)
}

// late reports whether the error says that Postgres took too long. The query itself may be the
// cause, so Postgres does not count as unavailable.
func late(err error) bool {
	timeout, _ := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || pq.As(err, pqerror.QueryCanceled) != nil || timeout != nil && timeout.Timeout()
}

// away reports whether the error says that Postgres is unavailable.
func away(err error) bool {
	for _, target := range []error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, context.DeadlineExceeded} {
		if errors.Is(err, target) {
			return true
		}
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	e, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return strings.Contains(err.Error(), "server is in hot standby mode") // from lib/pq, which has no type for it
	}
	switch e.Code {
	case pqerror.AdminShutdown, pqerror.CrashShutdown, pqerror.CannotConnectNow, pqerror.TooManyConnections,
		pqerror.QueryCanceled,          // our own time limit
		pqerror.ReadOnlySQLTransaction, // a standby, in the middle of a failover
		pqerror.DiskFull:
		return true
	}
	return e.Code.Class() == "08" || gaveUp(err)
}

// gaveUp reports whether Postgres ended the transaction in favour of others, so that it may succeed
// when it is repeated.
func gaveUp(err error) bool {
	return pq.As(err, pqerror.TRSerializationFailure, pqerror.TRDeadlockDetected) != nil
}

// violates reports whether the error is a violation of the named unique index.
func violates(err error, index string) bool {
	e := pq.As(err, pqerror.UniqueViolation)
	return e != nil && e.Constraint == index
}

func noDelivery(id string) error {
	return switchboard.Errorf(switchboard.CodeNotFound, "there is no delivery %q", id)
}

func noSubscription(id string) error {
	return switchboard.Errorf(switchboard.CodeNotFound, "there is no subscription %q", id)
}

func noEvent(id string) error {
	return switchboard.Errorf(switchboard.CodeNotFound, "there is no event %q", id)
}
