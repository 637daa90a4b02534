package store

import (
	"context"
	"errors"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// refuseErased refuses to start a final delivery again if its payload is erased, or will be: a
// visit that replaces its partition copies only deliveries that were open when it began. It locks
// the row of retention, so that the date moves after this, or is seen here. The delivery is locked.
func refuseErased(ctx context.Context, tx transaction, deliveryID string) error {
	var until time.Time
	if err := tx.GetContext(ctx, &until, "SELECT payloads_until FROM retention FOR SHARE"); err != nil {
		return err
	}
	var events []struct {
		At     time.Time
		Erased bool
	}
	if err := tx.SelectContext(ctx, &events, `
SELECT e.created_at AS at, e.erased_at IS NOT NULL AS erased FROM deliveries d
JOIN events e ON e.created_at = coalesce(d.event_at, d.created_at) AND e.id = d.event_id AND e.tenant = d.tenant WHERE d.id = $1`, deliveryID); err != nil {
		return err
	}
	if len(events) == 0 {
		return nothingToSend(deliveryID, until, until, true)
	}
	return nothingToSend(deliveryID, events[0].At, until, events[0].Erased)
}

// nothingToSend returns the conflict of a delivery whose event, of that time, is erased, or will be
// because payloads from before until are erased; otherwise nil.
func nothingToSend(deliveryID string, eventAt, until time.Time, erased bool) error {
	switch {
	case erased:
		return switchboard.Errorf(switchboard.CodeConflict, "the data of the event of delivery %s are erased: there is nothing to send", deliveryID)
	case deliveryID < idBound(until) || eventAt.Before(until):
		return switchboard.Errorf(switchboard.CodeConflict, "delivery %s is of before %s, for which SWITCHBOARD_RETENTION or SWITCHBOARD_PAYLOAD_RETENTION is over: it is shown until it is removed, and cannot be started again; post its event anew",
			deliveryID, until.UTC().Format(time.RFC3339))
	}
	return nil
}

// isRefused reports whether the error is a refusal, and not one of the database.
func isRefused(err error) bool {
	_, ok := errors.AsType[*switchboard.Error](err)
	return ok
}
