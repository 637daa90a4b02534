package webhook

import (
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// net/http does not export the types of its HTTP/2 errors, and turns stream errors into text. So we
// recognise them by their texts. A test provokes each of them.
const (
	cannotRetry    = "http2: Transport: cannot retry err ["
	cannotRewind   = "net/http: cannot rewind body"             // nothing was sent, and GetBody is missing
	connectionLost = "http2: client connection lost"            // a ping was not answered
	forceClosed    = "http2: client connection force closed"    // another request could not be written
	headerTooLong  = "http2: response header list larger than " // longer than maxHeaderRead
	fromPeer       = "; received from peer"                     // otherwise our side refused
)

// http2CodePattern finds the code in an error of net/http about a reset stream, a GOAWAY or a
// broken connection. Text of the receiver follows the code.
var http2CodePattern = regexp.MustCompile(`^(?:http2: [^"]*?)?(?:stream error: stream ID [0-9]+; |connection error: |ErrCode[:=] ?)([A-Z0-9_]{1,40})`)

// codeHTTP1Required demands HTTP/1.1 (RFC 9113 7).
const codeHTTP1Required = "HTTP_1_1_REQUIRED"

// codeProtocolError is sent by receivers that consider our frames wrong.
const codeProtocolError = "PROTOCOL_ERROR"

// http2Codes are the codes of RFC 9113 7. Nothing else of an error is shown.
var http2Codes = []string{
	"NO_ERROR", codeProtocolError, "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
	"REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", codeHTTP1Required,
}

// http2Code returns the code in the text of an error of net/http, or "".
func http2Code(text string) string {
	found := http2CodePattern.FindStringSubmatch(text)
	if found == nil || !slices.Contains(http2Codes, found[1]) {
		return ""
	}
	return found[1]
}

// isLost reports whether the whole connection ended, not only one request on it.
func isLost(err error) bool {
	text := err.Error()
	return isClosed(err) || errors.Is(err, net.ErrClosed) || strings.HasPrefix(text, connectionLost) || isUnread(err) ||
		strings.HasPrefix(text, cannotRewind) || strings.Contains(text, "GOAWAY and closed the connection")
}

// isUnread reports whether our side closed the connection because nothing more could be written to it.
func isUnread(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || strings.HasPrefix(err.Error(), forceClosed)
}

// isClosed reports whether the other side closed the connection.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
