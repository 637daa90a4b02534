package activities

import (
	"context"
	"errors"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// EndpointStore finds the endpoints that the reconciler repairs.
type EndpointStore interface {
	// LateRecoveries returns the endpoints whose next step is late by more than slack.
	LateRecoveries(ctx context.Context, slack time.Duration) ([]switchboard.Endpoint, error)
	// ForgetHealthy deletes the health rows of endpoints that are healthy again, and returns how
	// many.
	ForgetHealthy(ctx context.Context) (int, error)
}

// recoverySlack is how late a probe, or the end of a receiver's wait, must be before its workflow
// is started again. The process that changed the health may have died before it started the
// workflow, or somebody may have terminated it in Temporal.
const recoverySlack = time.Minute

// recoverEndpoints starts the missing workflows of unhealthy endpoints, and removes the rows of
// healthy ones.
func (r *Reconciler) recoverEndpoints(ctx context.Context, result *ReconcileResult) error {
	late, err := r.Store.LateRecoveries(ctx, recoverySlack)
	failures := []error{err}
	for _, e := range late {
		if err := r.Engine.Recover(ctx, e.SubscriptionID, recoverySummary(e.Host, &e.Health)); err != nil {
			if failures = append(failures, err); len(failures) > maxFailuresInARow {
				break
			}
			continue
		}
		result.Recovered++
	}
	_, err = r.Store.ForgetHealthy(ctx)
	return errors.Join(append(failures, err)...)
}
