package activities

import (
	"context"
	"log/slog"

	"github.com/seed-49a43567/switchboard"
)

// RollupStore counts attempts. Its method may be repeated.
type RollupStore interface {
	// RollUp counts attempts since the last pass, and those that may have been incomplete then.
	RollUp(ctx context.Context) (switchboard.RollupResult, error)
}

// Counter counts attempts for the workflow RollUp.
type Counter struct {
	Store RollupStore
	Log   *slog.Logger
}

// RollUp makes one pass.
func (c *Counter) RollUp(ctx context.Context) (switchboard.RollupResult, error) {
	defer heartbeat(ctx)()
	result, err := c.Store.RollUp(ctx)
	return result, maintenanceError(ctx, c.Log, err)
}
