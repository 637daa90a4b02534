package store

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/lib/pq"
)

// The channels on which the processes of a database notify each other.
const (
	dispatchChannel = "switchboard_start"  // a delivery is due to be dispatched; without payload
	cancelChannel   = "switchboard_cancel" // the delivery of the payload was ended from outside
)

// The pauses between two tries to connect: short after a restart of Postgres, long during an
// outage. TCP's keep-alive, which net.Dialer switches on, detects a dead connection within three
// minutes. The listener's ping would be worse. Its answer may come after more notifications than
// are buffered. Nobody reads those during the ping, and unread data stops the keep-alive.
const (
	minReconnect = 50 * time.Millisecond
	maxReconnect = 2 * time.Second
)

// Listen calls dispatch when a delivery is due to be dispatched, and cancel for each delivery that
// was ended from outside, one call at a time, until ctx ends. Notifications during an outage of
// Postgres are lost. Therefore it also calls dispatch whenever it connects. A lost cancel is not
// made up for: the attempt goes on.
func (s *Store) Listen(ctx context.Context, dispatch func(), cancel func(deliveryID string)) {
	listener := newListener(ctx, s.listenURL)
	if !listen(ctx, listener, dispatchChannel, cancelChannel) {
		return
	}
	dispatch()
	for {
		select {
		case <-ctx.Done():
			return
		case n, open := <-listener.Notify:
			switch {
			case !open:
				return
			case n == nil || n.Channel == dispatchChannel: // nil: the connection was made again
				dispatch()
			default:
				cancel(n.Extra)
			}
		}
	}
}

// newListener makes a connection that reconnects after it is lost. It ends at once with ctx. Close
// alone would wait if Postgres hangs during a connection attempt.
func newListener(ctx context.Context, url string) *pq.Listener {
	listener := pq.NewDialListener(endingDialer{dialer{&net.Dialer{}}, ctx}, url, minReconnect, maxReconnect, nil)
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	return listener
}

// listen returns true when it listens on the channels, and false when ctx has ended. If Postgres
// refuses, it tries again.
func listen(ctx context.Context, listener *pq.Listener, channels ...string) bool {
	for _, channel := range channels {
		for listener.Listen(channel) != nil {
			select {
			case <-ctx.Done():
				return false
			case <-time.After(maxReconnect):
			}
		}
	}
	return ctx.Err() == nil
}

// completed returns the URL for connections that listen. It adds the settings that [Open] makes if
// the URL has none, because pq takes them from nowhere else.
func completed(url string, given pq.Config) string {
	separator := "?"
	switch {
	case !strings.Contains(url, "://"):
		separator = " "
	case strings.Contains(url, "?"):
		separator = "&"
	}
	if given.ConnectTimeout == 0 {
		url += fmt.Sprintf("%sconnect_timeout=%d", separator, int(connectTimeout.Seconds()))
		separator = strings.Replace(separator, "?", "&", 1)
	}
	if given.TargetSessionAttrs == "" {
		url += separator + "target_session_attrs=" + string(onlyPrimary)
	}
	return url
}

// endingDialer makes connections that are closed when ctx ends.
type endingDialer struct {
	dialer
	ctx context.Context
}

// DialContext implements DialerContext of lib/pq, as in dialer.
func (d endingDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return endingConn{conn, context.AfterFunc(d.ctx, func() { _ = conn.Close() })}, nil
}

// endingConn is a connection that is closed when a context ends, unless it was closed before.
type endingConn struct {
	net.Conn
	forget func() bool
}

// Close closes the connection.
func (c endingConn) Close() error {
	c.forget()
	return c.Conn.Close()
}

// notify sends payloads on a channel when the transaction commits.
func notify(ctx context.Context, tx transaction, channel string, payloads ...string) error {
	_, err := tx.ExecContext(ctx, "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload", channel, pq.Array(payloads))
	return err
}
