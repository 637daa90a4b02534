package store

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/lib/pq"
)

// The channels on which processes notify each other, within the database.
const (
	dispatchChannel = "switchboard_start"  // a delivery is due to be dispatched; no payload
	cancelChannel   = "switchboard_cancel" // the delivery named by the payload has ended from outside
)

// The pauses between two tries to connect: short after a restart of Postgres, long during an
// outage. A dead connection is noticed within three minutes by TCP's keep-alive, which net.Dialer
// switches on. The listener's ping would be worse: its answer may come after more notifications
// than are buffered, which nobody reads while it is waited for, and unread data stops the
// keep-alive.
const (
	minReconnect = 50 * time.Millisecond
	maxReconnect = 2 * time.Second
)

// Listen calls dispatch when a delivery is due to be dispatched, and cancel for each delivery that
// has ended from outside, one call at a time, until ctx ends. A notification that is sent while
// Postgres is away is lost: dispatch is therefore also called whenever the connection is made, and
// an attempt that was to be aborted goes on.
func (s *Store) Listen(ctx context.Context, dispatch func(), cancel func(deliveryID string)) error {
	listener := pq.NewListener(s.url, minReconnect, maxReconnect, nil)
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() }) // frees a Listen that waits for a connection
	defer func() {
		if stop() {
			_ = listener.Close()
		}
	}()
	for _, channel := range []string{dispatchChannel, cancelChannel} {
		if err := listener.Listen(channel); err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return mapError(ctx, "listen", err)
		}
	}
	dispatch()
	for {
		select {
		case <-ctx.Done():
			return nil
		case n, open := <-listener.Notify:
			switch {
			case !open:
				return nil
			case n == nil || n.Channel == dispatchChannel: // nil: it was reconnected
				dispatch()
			default:
				cancel(n.Extra)
			}
		}
	}
}

// notify sends payloads on a channel when the transaction commits.
func notify(ctx context.Context, tx transaction, channel string, payloads ...string) error {
	_, err := tx.ExecContext(ctx, "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload", channel, pq.Array(payloads))
	return err
}
