package stack

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/client"
)

// TemporalConfig is what a stack tells its Temporal server.
type TemporalConfig struct {
	Addr, UIAddr string       // of the server and of its web UI
	MetricsAddr  string       // where a started server shows its metrics; empty: nowhere
	DatabaseURL  string       // main database on the stack's Postgres, created if missing
	Dir          string       // the stack's folder
	Log          *slog.Logger // the stack's log
	Progress     func(string) // called before something that takes long
}

// Temporal is the Temporal server of a stack.
type Temporal struct {
	Options client.Options // how to connect to it
	Ended   <-chan error   // gets the reason why it ended, or could not be started; nil: unknown
	Stop    func() error   // ends it; nil: it belongs to somebody else
}

// StartTemporal gets a Temporal server for a stack. It may return before the server answers, if
// that takes minutes: Switchboard accepts events in the meantime, and delivers them later.
type StartTemporal func(context.Context, TemporalConfig) (Temporal, error)
