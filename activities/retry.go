package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook"
)

// What a fault of our own waits for at first, and at most, until Postgres is asked
// again. It uses up no attempt.
const (
	faultWait        = 2 * time.Second
	longestFaultWait = 30 * time.Second
)

var (
	errNotRecorded = errors.New("the request was sent, and its outcome waits to be recorded: Postgres is away")
	errUnderWay    = errors.New("an attempt that Temporal has lost sight of is still under way, or is being recorded")
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

// backoff doubles the wait with every execution of the activity that Temporal
// counts, and spreads it, so that what waits together does not ask together.
func backoff(ctx context.Context) time.Duration {
	doublings := min(activity.GetInfo(ctx).Attempt-1, 5)
	wait := min(faultWait<<max(doublings, 0), longestFaultWait)
	return wait/2 + rand.N(wait/2) //nolint:gosec // a spread, not a secret
}

// delay is a fault that keeps a delivery from its attempt, with why in words that its
// tenant may read.
type delay struct {
	delivery switchboard.Delivery
	why      string
	err      error
}

func (d *delay) Error() string { return d.why + ": " + d.err.Error() }

func (d *delay) Unwrap() error { return d.err }

// fault is our own failure. What it was stands in our log: Temporal is told its
// code only, because an error may name what is nobody's business there.
func (a *Deliveries) fault(ctx context.Context, deliveryID string, err error) error {
	level := slog.LevelDebug
	if a.isNews(ctx, err) {
		level = slog.LevelWarn
	}
	a.Log.Log(ctx, level, "our own fault, no attempt used", "delivery", deliveryID, "error", err)
	return temporal.NewApplicationErrorWithOptions(faultMessage(err), "fault",
		temporal.ApplicationErrorOptions{NextRetryDelay: backoff(ctx)})
}

// isNews reports whether the fault is not one of an outage, and not the one that the
// delivery's row gives as its reason. There it is noted: whoever reads the row sees why
// the date has passed. A fault that goes on costs one write.
func (a *Deliveries) isNews(ctx context.Context, err error) bool {
	switch {
	case errors.Is(err, errNotRecorded), errors.Is(err, errUnderWay):
		return false
	case switchboard.CodeOf(err) == switchboard.CodeUnavailable && !isUnsent(err):
		return a.Outages.Observe(ctx, Postgres, err)
	}
	late, ok := errors.AsType[*delay](err)
	if !ok || late.delivery.ID == "" {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	changed, failed := a.Store.Postpone(ctx, late.delivery, late.delivery.NextAttemptAt, switchboard.WaitingForSwitchboard(late.why))
	return changed || failed != nil
}

// whyUnread says why what an attempt needs could not be read, as far as that is anybody's
// business who may read the delivery.
func whyUnread(err error) string {
	if errors.Is(err, switchboard.ErrUnreadable) {
		return "its subscription cannot be read"
	}
	return "its subscription or its event cannot be read"
}

// isUnsent reports whether the error is one of sending: what is unavailable then is the
// egress proxy, and not Postgres.
func isUnsent(err error) bool {
	_, ok := errors.AsType[*webhook.Interrupted](err)
	return ok
}

// whyUnsent says why a request was not sent.
func whyUnsent(err error) string {
	if switchboard.CodeOf(err) == switchboard.CodeUnavailable {
		return "the egress proxy cannot be used"
	}
	return "its request was interrupted before it was sent"
}

func faultMessage(err error) string {
	if errors.Is(err, errNotRecorded) || errors.Is(err, errUnderWay) {
		return err.Error()
	}
	if errors.Is(err, switchboard.ErrUnreadable) {
		return switchboard.WaitingForSwitchboard(whyUnread(err))
	}
	return "Switchboard's own fault, no attempt used: " + string(switchboard.CodeOf(err)) + "; see Switchboard's log"
}
