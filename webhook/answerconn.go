package webhook

import (
	"bytes"
	"net"
	"strconv"
	"sync"
)

// answerConn is a connection of HTTP/1.1 that remembers how the last answer began, for
// the case that net/http refuses the rest of it: the status was said all the same.
type answerConn struct {
	net.Conn
	mu   sync.Mutex
	head [headKept]byte
	n    int  // bytes of head that are known
	over bool // the other side has closed the connection, or it broke
}

// headKept is what is remembered of an answer: its status line, with a few
// informational answers before it.
const headKept = 512

// begin forgets the answer before.
func (c *answerConn) begin() {
	c.mu.Lock()
	c.n = 0
	c.mu.Unlock()
}

// Read implements [net.Conn].
func (c *answerConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	if c.n < len(c.head) {
		c.n += copy(c.head[c.n:], p[:n])
	}
	c.over = c.over || err != nil
	c.mu.Unlock()
	return n, err
}

// status returns the status of the last answer, 0 if it is not known, and whether the
// answer broke off after it. net/http asks for no byte more once it refuses an answer.
func (c *answerConn) status() (status int, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return statusIn(c.head[:c.n]), c.over
}

// statusIn finds the status line of an answer that began so, after informational ones
// (RFC 9110 15.2), and returns its status; 0: there is none, or not the whole line.
func statusIn(head []byte) int {
	for {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		status := statusOf(line)
		if !whole || status == 0 {
			return 0
		}
		if status >= 200 || status == 101 {
			return status
		}
		// Past its header.
		for len(bytes.TrimRight(line, "\r")) > 0 {
			if line, rest, whole = bytes.Cut(rest, []byte("\n")); !whole {
				return 0
			}
		}
		head = rest
	}
}

// statusOf returns the status of a status line, as "HTTP/1.1 200 OK"; 0: it is none.
// The reason phrase may be missing (RFC 9112 4).
func statusOf(line []byte) int {
	version, rest, _ := bytes.Cut(bytes.TrimRight(line, "\r"), []byte(" "))
	code, _, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	status, err := strconv.Atoi(string(code))
	if !bytes.HasPrefix(version, []byte("HTTP/")) || len(code) != 3 || err != nil || status < 100 {
		return 0
	}
	return status
}
