package activities

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
)

// What our own faults and a crowded worker wait for. They use up no attempt.
const (
	faultWait   = 2 * time.Second // until Postgres is asked again
	crowdedWait = time.Second     // until a place among the requests in flight is looked for again
)

var (
	errNotRecorded = errors.New("the request was sent, and its outcome waits to be recorded: Postgres is away")
	errUnderWay    = errors.New("an attempt that Temporal has lost sight of is still under way")
)

// dated is the failure of a regular activity whose delivery has a date: Temporal
// calls the activity again then, and meanwhile shows reason, attempts and date.
func dated(r AttemptResult, now time.Time) error {
	message := fmt.Sprintf("%s after %d attempts; next attempt at %s", r.State, r.AttemptsMade, r.NextAttemptAt.UTC().Format(time.RFC3339))
	kind := string(r.State)
	if r.Reason != "" {
		message, kind = r.Reason+": "+message, r.Reason
	}
	return temporal.NewApplicationErrorWithOptions(message, kind, temporal.ApplicationErrorOptions{
		// A delay of zero would mean none was given.
		NextRetryDelay: max(r.NextAttemptAt.Sub(now), time.Millisecond),
		Category:       temporal.ApplicationErrorCategoryBenign,
		Details:        []any{r},
	})
}

// fault is our own failure, retried at a steady pace whatever the subscription's
// policy says.
func fault(err error) error {
	return temporal.NewApplicationErrorWithOptions("Switchboard's own fault, no attempt used: "+err.Error(), "fault",
		temporal.ApplicationErrorOptions{NextRetryDelay: faultWait, Cause: err})
}
