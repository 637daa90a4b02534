package activities

import (
	"context"
	"errors"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// EndpointStore finds the endpoints that the reconciler looks after.
type EndpointStore interface {
	// LateRecoveries returns the endpoints for which something has been due for longer than slack.
	LateRecoveries(ctx context.Context, slack time.Duration) ([]switchboard.Endpoint, error)
	// ForgetHealthy removes what is known of endpoints that are healthy by now, and returns how many.
	ForgetHealthy(ctx context.Context) (int, error)
}

// recoverySlack is how late a probe, or the end of a time for which a receiver asked to wait, is
// before the workflow that does it is started again: the process that changed the health may have
// died before it started it, or somebody has ended it in Temporal.
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
