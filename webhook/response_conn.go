package webhook

import (
	"bytes"
	"net"
	"strconv"
	"sync"
)

// responseConn is an HTTP/1.1 connection that remembers the status of the last response, in case
// net/http refuses the rest of it.
type responseConn struct {
	net.Conn
	mu   sync.Mutex
	find statusFinder
	over bool // the connection was closed or broke after everything that was read
}

// begin forgets the last response.
func (c *responseConn) begin() {
	c.mu.Lock()
	c.find = statusFinder{}
	c.mu.Unlock()
}

// Read implements [net.Conn]. If an error comes together with bytes, it returns the error at the
// next call. With TLS 1.2 this happens when a receiver closes after its response, which is then
// complete.
func (c *responseConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		err = nil
	}
	c.mu.Lock()
	c.find.read(p[:n])
	c.over = c.over || err != nil
	c.mu.Unlock()
	return n, err
}

// status returns the status of the last response, 0 if it is unknown, and whether the response
// broke off after it. net/http stops reading after it refuses a response.
func (c *responseConn) status() (status int, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.find.status, c.over
}

// statusFinder finds the status of a response in its first bytes, after any informational responses
// (RFC 9110 15.2).
type statusFinder struct {
	line     [32]byte // beginning of the current line; a status fits into it
	n        int      // length of line
	inHeader bool     // of an informational response
	done     bool
	status   int // 0: unknown, or none
}

func (f *statusFinder) read(p []byte) {
	for len(p) > 0 && !f.done {
		text, rest, whole := bytes.Cut(p, []byte("\n"))
		f.n += copy(f.line[f.n:], text)
		if p = rest; whole {
			f.endLine(bytes.TrimRight(f.line[:f.n], "\r"))
			f.n = 0
		}
	}
}

func (f *statusFinder) endLine(line []byte) {
	if f.inHeader {
		f.inHeader = len(line) > 0
		return
	}
	switch status := statusOf(line); {
	case status >= 200, status == 101:
		f.status, f.done = status, true
	case status == 0:
		f.done = true
	default:
		f.inHeader = true
	}
}

// statusOf returns the status of a status line such as "HTTP/1.1 200 OK", or 0 if it is not one.
// The reason phrase may be missing (RFC 9112 4), and also the minor version: some proxies pass on
// "HTTP/2 200".
func statusOf(line []byte) int {
	version, rest, _ := bytes.Cut(line, []byte(" "))
	code, _, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	status, err := strconv.Atoi(string(code))
	if !isVersion(version) || len(code) != 3 || err != nil || status < 100 {
		return 0
	}
	return status
}

// isVersion reports whether the text names a version of HTTP (RFC 9112 2.3).
func isVersion(text []byte) bool {
	number, found := bytes.CutPrefix(text, []byte("HTTP/"))
	isDigit := func(i int) bool { return '0' <= number[i] && number[i] <= '9' }
	switch {
	case !found:
		return false
	case len(number) == 1:
		return isDigit(0)
	}
	return len(number) == 3 && isDigit(0) && number[1] == '.' && isDigit(2)
}
