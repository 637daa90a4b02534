package activities

import (
	"cmp"
	"context"

	"github.com/seed-49a43567/switchboard"
)

// Cancelled closes a delivery whose workflow was cancelled, and says where it
// stands then. If an operator cancelled it through the API, or an attempt had
// ended it by then, the row says so already and stays; otherwise it was done in
// Temporal itself. An attempt that is under way is aborted, and the outcome of one
// that waits to be recorded is recorded.
func (a *Deliveries) Cancelled(ctx context.Context, in AttemptInput) (AttemptResult, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*storeTimeout)
	defer cancel()
	kept := a.keptOutcome(ctx, in)
	work, err := a.Store.LoadForAttempt(ctx, in.DeliveryID)
	if switchboard.CodeOf(err) == switchboard.CodeNotFound {
		return AttemptResult{State: switchboard.StateCancelled, Reason: switchboard.ReasonErased}, nil
	}
	if err != nil {
		return AttemptResult{}, a.fault(ctx, in.DeliveryID, err)
	}
	run := in.Generation
	if in.Reset && work.Delivery.TemporalRunID == runID(ctx) {
		run = work.Delivery.Generation // the reset of an earlier run took the delivery as it was
	}
	if kept.after(work.Delivery) {
		if result := a.record(ctx, work, kept.attempt(in.DeliveryID), cmp.Or(kept.Generation, work.Delivery.Generation)); result.Kept != nil {
			return result, a.fault(ctx, in.DeliveryID, errNotRecorded)
		}
	}
	d, err := a.Store.CloseDelivery(ctx, in.DeliveryID, run, switchboard.StateCancelled, switchboard.ReasonOperator, switchboard.Action{
		At: a.Now(), Actor: switchboard.ActorTemporal, Kind: switchboard.ActionCancel, Reason: "the workflow was cancelled in Temporal",
	})
	if err != nil {
		return AttemptResult{}, a.fault(ctx, in.DeliveryID, err)
	}
	return resultOf(ctx, work, d), nil
}
