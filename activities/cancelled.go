package activities

import (
	"context"

	"switchboard"
)

// Cancelled closes a delivery whose workflow was cancelled. If an operator did it
// through the API the row says so already, and nothing changes; otherwise it was
// done in Temporal itself. An attempt that is under way is aborted.
func (a *Deliveries) Cancelled(ctx context.Context, in DeliverInput) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, err := a.Store.Settle(ctx, in.DeliveryID, in.Run, switchboard.Cancelled, switchboard.ReasonOperator, switchboard.Action{
		At: a.Now(), Actor: switchboard.ActorTemporal, Verb: switchboard.VerbCancel, Reason: "the workflow was cancelled in Temporal",
	})
	if err != nil && switchboard.CodeOf(err) != switchboard.NotFound {
		return fault(err)
	}
	return nil
}
