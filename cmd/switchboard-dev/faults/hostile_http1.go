package faults

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// http1Ways are the ways in which an HTTP/1 receiver misbehaves. None of them answers 2xx: such a
// receiver has accepted the event, whatever it does next.
func http1Ways() []misbehaviour {
	const failed = "HTTP/1.1 503 Service Unavailable\r\n"
	return []misbehaviour{
		reset,
		afterRequest(reset),
		afterRequest(func(conn net.Conn) { _, _ = io.WriteString(conn, "220 mail.example ESMTP ready\r\n") }),
		afterRequest(untilLeft),
		afterRequest(func(conn net.Conn) { drip(conn, failed+"X-Slow: "+strings.Repeat("a", 1000)) }),
		afterRequest(func(conn net.Conn) { flood(conn, failed, "X-Endless: "+strings.Repeat("a", 8000)+"\r\n") }),
		afterRequest(func(conn net.Conn) { flood(conn, "", "HTTP/1.1 100 Continue\r\n\r\n") }),
		afterRequest(func(conn net.Conn) { flood(conn, failed+"\r\n", strings.Repeat("a", 32<<10)) }),
		afterRequest(func(conn net.Conn) {
			_, _ = io.WriteString(conn, failed+"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n")
		}),
		afterRequest(func(conn net.Conn) {
			_, _ = io.WriteString(conn, failed+"Content-Length: 10\r\nContent-Length: 20\r\n\r\n")
		}),
	}
}

// afterRequest reads a whole request before it misbehaves.
func afterRequest(then misbehaviour) misbehaviour {
	return func(conn net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, request.Body); err == nil {
			then(conn)
		}
	}
}

// untilLeft answers nothing until the other side has left.
func untilLeft(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// drip sends one byte at a time.
func drip(conn net.Conn, text string) {
	for i := range len(text) {
		if _, err := conn.Write([]byte{text[i]}); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// flood sends a beginning, and then the same repeatedly.
func flood(conn io.Writer, beginning, over string) {
	_, err := fmt.Fprint(conn, beginning)
	for err == nil {
		time.Sleep(floodPause)
		_, err = io.WriteString(conn, over)
	}
}
