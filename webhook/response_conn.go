package webhook

import (
	"bytes"
	"net"
	"strconv"
	"sync"
)

// responseConn is a connection of HTTP/1.1 that remembers the status of the last answer,
// for the case that net/http refuses the rest of it: the status was said all the same.
type responseConn struct {
	net.Conn
	mu   sync.Mutex
	find statusFinder
	over bool // the other side has closed the connection, or it broke, after all that was read
}

// begin forgets the answer before.
func (c *responseConn) begin() {
	c.mu.Lock()
	c.find = statusFinder{}
	c.mu.Unlock()
}

// Read implements [net.Conn]. An end that comes together with bytes is returned by the next
// call, as TLS 1.2 does with a receiver that closes behind its answer: what came before
// the end is whole.
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

// status returns the status of the last answer, 0 if it is not known, and whether the
// answer broke off after it. net/http asks for no byte more once it refuses an answer.
func (c *responseConn) status() (status int, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.find.status, c.over
}

// statusFinder finds the status of an answer in its first bytes, past informational
// answers (RFC 9110 15.2) of whatever length.
type statusFinder struct {
	line     [32]byte // how the line under way begins; a status is found in less
	n        int      // bytes of it
	inHeader bool     // of an informational answer
	done     bool
	status   int // 0: it is not known, or there is none
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

// statusOf returns the status of a status line, as "HTTP/1.1 200 OK"; 0: it is none.
// The reason phrase may be missing (RFC 9112 4), and so may the minor version: some
// proxies pass on "HTTP/2 200".
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
