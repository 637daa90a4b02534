package store

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/lib/pq"
)

// The channels that processes tell each other things on, within the database.
const (
	dispatchChannel = "switchboard_start"  // something is to be started or ended in Temporal; no payload
	cancelChannel   = "switchboard_cancel" // the delivery named by the payload was ended
)

// How the listening connection is kept up: reconnecting that fast after a restart
// of Postgres, that slowly during a long outage. A dead one is noticed by TCP's own
// keep-alive, which net.Dialer switches on, within three minutes. The listener's ping
// would be worse: its answer may stand behind more notices than are buffered, which
// nobody takes while it is waited for, and data on its way stops the keep-alive.
const (
	minReconnect = 50 * time.Millisecond
	maxReconnect = 2 * time.Second
)

// Listen calls start when a workflow is to be started or ended, and cancel for each
// delivery that was ended from outside, one call at a time, until ctx ends. What
// is announced while Postgres is away is lost: start is therefore also called
// whenever the connection is made, and an attempt that was to be aborted goes on.
func (s *Store) Listen(ctx context.Context, start func(), cancel func(deliveryID string)) error {
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
			return fault(ctx, err)
		}
	}
	start()
	for {
		select {
		case <-ctx.Done():
			return nil
		case n, open := <-listener.Notify:
			switch {
			case !open:
				return nil
			case n == nil || n.Channel == dispatchChannel: // nil: it was reconnected
				start()
			default:
				cancel(n.Extra)
			}
		}
	}
}

// notify announces a payload on a channel when the transaction commits.
func notify(ctx context.Context, tx transaction, channel string, payloads ...string) error {
	_, err := tx.ExecContext(ctx, "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload", channel, pq.Array(payloads))
	return err
}
