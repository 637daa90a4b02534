package stack

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/client"
)

// TemporalConfig is what a stack tells its Temporal server.
type TemporalConfig struct {
	Addr, UIAddr string       // of the server and of its web UI
	MetricsAddr  string       // where a server that is started shows its metrics; empty: nowhere
	DatabaseURL  string       // main database on the stack's Postgres, made if it is missing
	Dir          string       // the stack's folder
	Log          *slog.Logger // the stack's log
	Progress     func(string) // gets what takes long while it happens
}

// Temporal is the Temporal server of a stack.
type Temporal struct {
	Options client.Options // the way to it
	Ended   <-chan error   // gets why it is not there any more, or could not be started; nil: nobody looks
	Stop    func() error   // ends it; nil: it is somebody else's
}

// StartTemporal gets a Temporal server for a stack. It may return before the server answers, if
// that takes minutes: Switchboard accepts events meanwhile, and delivers them later.
type StartTemporal func(context.Context, TemporalConfig) (Temporal, error)
