package activities

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/temporal"

	"github.com/seed-49a43567/switchboard"
)

// ErasureStore is what the workflow Erase needs of the store.
type ErasureStore interface {
	// EraseStep does the next part of an erasure. It may be repeated.
	EraseStep(ctx context.Context, id string) (switchboard.ErasureProgress, error)
}

// EraseInput is the input of the workflow Erase. Postgres has whose data it erases.
type EraseInput struct {
	ErasureID string `json:"erasure_id"`
}

// Eraser makes the steps of the workflow Erase.
type Eraser struct {
	Store ErasureStore
	Log   *slog.Logger
}

// EraseStep does the next part of an erasure, and returns its progress.
func (e *Eraser) EraseStep(ctx context.Context, in EraseInput) (switchboard.ErasureProgress, error) {
	defer heartbeat(ctx)()
	progress, err := e.Store.EraseStep(ctx, in.ErasureID)
	if switchboard.CodeOf(err) == switchboard.CodeNotFound {
		return progress, temporal.NewNonRetryableApplicationError("there is no such erasure", "not_found", nil)
	}
	return progress, maintenanceError(ctx, e.Log, err)
}
