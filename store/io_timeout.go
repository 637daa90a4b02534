package store

import (
	"context"
	"net"
	"time"
)

// ioTimeout is how long one read or write of a connection may take before the connection is closed:
// longer than any call may take. lib/pq cancels a query after its timeout by a request on another
// connection, and then waits for Postgres to obey. If Postgres hangs, or no packet reaches it,
// lib/pq would wait a quarter of an hour, until TCP gives up.
const ioTimeout = callTimeout + time.Second

// dialer makes connections whose reads and writes end after ioTimeout.
type dialer struct{ *net.Dialer }

// DialContext implements DialerContext of lib/pq, which then does not call the other two methods.
func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &boundedConn{Conn: conn}, nil
}

// DialTimeout completes Dialer of lib/pq.
func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// boundedConn is a connection whose reads and writes end after ioTimeout, and after the deadline
// that lib/pq sets while it connects.
type boundedConn struct {
	net.Conn
	deadline time.Time
}

// SetDeadline is called before and after the connection is made, when nothing is being read.
func (c *boundedConn) SetDeadline(t time.Time) error {
	c.deadline = t
	return c.Conn.SetDeadline(t)
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(c.next()); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *boundedConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(c.next()); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *boundedConn) next() time.Time {
	limit := time.Now().Add(ioTimeout)
	if !c.deadline.IsZero() && c.deadline.Before(limit) {
		return c.deadline
	}
	return limit
}
