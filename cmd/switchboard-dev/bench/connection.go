package bench

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
)

// connection is a keep-alive connection that carries one request at a time. It does in the caller's
// goroutine what http.Transport does in two more: the poster is part of the measurement, and should
// cost no more than a load generator.
type connection struct {
	conn    net.Conn
	answers *bufio.Reader
}

// connect makes a client with a single connection, which CloseIdleConnections closes.
func connect(ctx context.Context, base string) (*http.Client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &connection{conn, bufio.NewReader(conn)}, Timeout: callTimeout}, nil
}

// RoundTrip sends the request and reads the head of its answer. The caller must read the body to
// its end before the next call.
func (c *connection) RoundTrip(request *http.Request) (*http.Response, error) {
	deadline, _ := request.Context().Deadline() // zero: none
	if err := c.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	if err := request.Write(c.conn); err != nil {
		return nil, err
	}
	return http.ReadResponse(c.answers, request)
}

// CloseIdleConnections closes the connection.
func (c *connection) CloseIdleConnections() { _ = c.conn.Close() }
