package webhook

import (
	"errors"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// net/http keeps the types of its HTTP/2 errors to itself, and wraps those of streams
// into text. So they are known by their texts, each of which a test provokes.
const (
	cannotRetry    = "http2: Transport: cannot retry err ["
	cannotRewind   = "net/http: cannot rewind body"             // nothing was sent, and not again for lack of GetBody
	connectionLost = "http2: client connection lost"            // it did not answer a ping
	headerTooLong  = "http2: response header list larger than " // read by nobody
	fromPeer       = "; received from peer"                     // else it is our side that refused
)

// http2CodePattern finds the code in what net/http says of a reset stream, of a GOAWAY
// and of a broken connection. What a receiver adds of its own comes after it.
var http2CodePattern = regexp.MustCompile(`^(?:http2: [^"]*?)?(?:stream error: stream ID [0-9]+; |connection error: |ErrCode[:=] ?)([A-Z0-9_]{1,40})`)

// codeHTTP1Required says: use HTTP/1.1 (RFC 9113 7).
const codeHTTP1Required = "HTTP_1_1_REQUIRED"

// http2Codes are those of RFC 9113 7. No other word of an error is shown.
var http2Codes = []string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
	"REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", codeHTTP1Required,
}

// http2Code returns the code that an error of net/http with that text names; empty: none.
func http2Code(text string) string {
	found := http2CodePattern.FindStringSubmatch(text)
	if found == nil || !slices.Contains(http2Codes, found[1]) {
		return ""
	}
	return found[1]
}

// isLost reports whether the connection ended, as against one request on it.
func isLost(err error) bool {
	text := err.Error()
	return isClosed(err) || errors.Is(err, net.ErrClosed) || strings.HasPrefix(text, connectionLost) ||
		strings.HasPrefix(text, cannotRewind) || strings.Contains(text, "GOAWAY and closed the connection")
}

// isClosed reports whether the other side closed the connection.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
