package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook"
)

// The first and the longest wait of an activity after an error of our own. Such a wait uses up no
// attempt.
const (
	infraWait    = 2 * time.Second
	maxInfraWait = 30 * time.Second
)

// infraErrorType is the type of our own errors in Temporal.
const infraErrorType = "infrastructure"

var (
	errNotRecorded = errors.New("the request was sent, and its outcome waits to be recorded: Postgres is away")
	// errDecideAgain never leaves an execution: when the delivery was to be parked, the reason for
	// it was gone.
	errDecideAgain = errors.New("the delivery may be sent by now")
	errUnderWay    = errors.New("an attempt whose worker Temporal no longer hears from is still under way, or is being recorded")
)

// scheduledRetryError is the failure of a regular activity whose delivery has a next attempt.
// Temporal calls the activity again at its date, and until then shows reason, attempts and date.
func scheduledRetryError(r AttemptResult, now time.Time) error {
	message := fmt.Sprintf("%s after %d attempts; next attempt at %s", r.State, r.AttemptsMade, r.NextAttemptAt.UTC().Format(time.RFC3339))
	kind := string(r.State)
	if r.Reason != "" {
		message, kind = r.Reason+": "+message, r.Reason
	}
	return temporal.NewApplicationErrorWithOptions(message, kind, temporal.ApplicationErrorOptions{
		// Temporal takes a delay of zero as none.
		NextRetryDelay: max(r.NextAttemptAt.Sub(now), time.Millisecond),
		Category:       temporal.ApplicationErrorCategoryBenign,
		Details:        []any{r},
	})
}

// attemptError is an error of ours that prevents an attempt that is due, with the reason in words
// that the tenant may read.
type attemptError struct {
	delivery switchboard.Delivery
	why      string
	err      error
}

func (e *attemptError) Error() string { return e.why + ": " + e.err.Error() }

func (e *attemptError) Unwrap() error { return e.err }

// infraError is what Temporal gets of an error of our own: only its code, because the error itself
// may contain data that must not be there. Our log has the error.
func (e *execution) infraError(ctx context.Context, err error) error {
	level := slog.LevelDebug
	if e.observe(ctx, err) {
		level = slog.LevelWarn
	}
	e.Log.Log(ctx, level, "our own error, no attempt used", "delivery", e.in.DeliveryID, "error", err)
	return temporal.NewApplicationErrorWithOptions(infraMessage(err), infraErrorType,
		temporal.ApplicationErrorOptions{NextRetryDelay: e.backoff()})
}

// backoff doubles the wait with every execution that Temporal counts, and spreads it, so that
// activities that wait together do not return together.
func (e *execution) backoff() time.Duration {
	doublings := min(e.number-1, 5)
	wait := min(infraWait<<max(doublings, 0), maxInfraWait)
	return wait/2 + rand.N(wait/2) //nolint:gosec // a spread, not a secret
}

// observe reports whether the error is new: neither part of a known outage nor the reason in the
// delivery's row. A new one is stored there, so that readers see why the delivery is late. An error
// that repeats costs one write.
func (e *execution) observe(ctx context.Context, err error) bool {
	switch {
	case errors.Is(err, errNotRecorded), errors.Is(err, errUnderWay):
		return false
	case switchboard.CodeOf(err) == switchboard.CodeUnavailable && !isInterrupted(err):
		return e.Outages.Observe(ctx, Postgres, err)
	}
	late, ok := errors.AsType[*attemptError](err)
	if !ok || late.delivery.ID == "" {
		return true
	}
	ctx, cancel := storeContext(ctx)
	defer cancel()
	changed, failed := e.Store.Postpone(ctx, late.delivery, late.delivery.NextAttemptAt, switchboard.WaitingForSwitchboard(late.why))
	return changed || failed != nil
}

// whyNotLoaded says why the attempt's data could not be read, in words for people who may read the
// delivery.
func whyNotLoaded(err error) string {
	if errors.Is(err, switchboard.ErrUnreadable) {
		return "its subscription cannot be read"
	}
	return "its subscription or its event cannot be read"
}

// isInterrupted reports whether the error comes from sending: then the egress proxy is unavailable,
// and not Postgres.
func isInterrupted(err error) bool {
	_, ok := errors.AsType[*webhook.Interrupted](err)
	return ok
}

// whyRefused says why an attempt is not recorded although Postgres is available.
const whyRefused = "the outcome of its attempt cannot be stored"

// whyNotSent says why a request was not sent.
func whyNotSent(err error) string {
	if switchboard.CodeOf(err) == switchboard.CodeUnavailable {
		return "the egress proxy cannot be used"
	}
	return "its request was interrupted before it was sent"
}

func infraMessage(err error) string {
	if errors.Is(err, errNotRecorded) || errors.Is(err, errUnderWay) {
		return err.Error()
	}
	if errors.Is(err, switchboard.ErrUnreadable) {
		return switchboard.WaitingForSwitchboard(whyNotLoaded(err))
	}
	return "Switchboard's own error, no attempt used: " + string(switchboard.CodeOf(err)) + "; see Switchboard's log"
}
