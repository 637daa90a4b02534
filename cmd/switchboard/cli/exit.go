package cli

import (
	"errors"
	"fmt"
	"net"

	"github.com/alecthomas/kong"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// The exit codes, see docs/cli.md.
const (
	exitError        = 1 // anything else
	exitUsage        = 2 // a flag, an argument or a value is wrong
	exitNotFound     = 3 // it does not exist, or this key may not see it
	exitConflict     = 4 // its state does not allow it, or it has changed
	exitForbidden    = 5 // the key is missing or wrong, or may not do this
	exitNotConfirmed = 6 // the question was not answered with yes
	exitUnavailable  = 7 // the server is away or busy: try again
)

// usageError is a mistake of the caller.
type usageError struct{ message string }

func (u usageError) Error() string { return u.message }

func usage(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// errNotConfirmed is in the error chain of a command that was not confirmed.
var errNotConfirmed = errors.New("nothing was done")

// ExitCode returns the exit code of a command that ended with that error.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	_, isUsage := errors.AsType[usageError](err)
	if _, isParse := errors.AsType[*kong.ParseError](err); isUsage || isParse {
		return exitUsage
	}
	if errors.Is(err, errNotConfirmed) {
		return exitNotConfirmed
	}
	if problem, ok := errors.AsType[*client.Error](err); ok {
		return exitCodeOf(problem)
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return exitUnavailable
	}
	return exitError
}

func exitCodeOf(problem *client.Error) int {
	switch problem.Code {
	case switchboard.CodeInvalid, switchboard.CodeTooLarge, switchboard.CodeKeyReused:
		return exitUsage
	case switchboard.CodeNotFound:
		return exitNotFound
	case switchboard.CodeConflict:
		return exitConflict
	case switchboard.CodeUnauthenticated, switchboard.CodeForbidden:
		return exitForbidden
	case switchboard.CodeOverloaded, switchboard.CodeUnavailable, switchboard.CodeRateLimited, switchboard.CodeTimeout:
		return exitUnavailable
	case "": // from a proxy in front of the API
		if problem.Status == 429 || problem.Status >= 500 {
			return exitUnavailable
		}
	}
	return exitError
}
