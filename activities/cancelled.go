package activities

import (
	"context"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook"
)

// Cancelled closes a delivery whose workflow was cancelled, and returns its state. If an operator
// cancelled it through the API, or an attempt had already ended it, the row stays as it is.
// Otherwise the workflow was cancelled in Temporal itself. A running attempt is aborted, and an
// unrecorded outcome is recorded.
func (a *Deliveries) Cancelled(ctx context.Context, in AttemptInput) (AttemptResult, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*storeTimeout)
	defer cancel()
	e := a.execution(ctx, in)
	outcome := e.unrecordedOutcome(ctx)
	loaded, err := a.Store.LoadForAttempt(ctx, in.DeliveryID)
	if switchboard.CodeOf(err) == switchboard.CodeNotFound {
		return AttemptResult{State: switchboard.StateCancelled, Reason: switchboard.ReasonErased}, nil
	}
	if err != nil {
		return AttemptResult{}, e.infraError(ctx, err)
	}
	loaded = webhook.Overridden(loaded)
	generation := in.Generation
	if in.Reset && loaded.Delivery.TemporalRunID == e.temporalRunID {
		generation = loaded.Delivery.Generation // a reset of an earlier generation's run took over the current one
	}
	if outcome.After(loaded.Delivery) {
		if result, err := e.record(ctx, loaded, outcome.Attempt(in.DeliveryID), outcome.Generation); err != nil {
			return result, e.infraError(ctx, err)
		}
	}
	d, err := a.Store.CloseDelivery(ctx, in.DeliveryID, generation, switchboard.StateCancelled, switchboard.ReasonOperator, switchboard.Action{
		At: a.Now(), Actor: switchboard.ActorTemporal, Kind: switchboard.ActionCancel, Reason: "the workflow was cancelled in Temporal",
	})
	if err != nil {
		return AttemptResult{}, e.infraError(ctx, err)
	}
	return e.resultOf(loaded, d), nil
}
