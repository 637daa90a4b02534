package rest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/seed-49a43567/switchboard"
)

// bodyRule says which bodies an operation accepts.
type bodyRule struct {
	limit    int64  // of the whole body in bytes
	field    string // field that the error about a too long body names; may be empty
	optional bool
	budget   *bodyBudget // nil: none
}

const (
	smallBody = 64 << 10
	// bodyTimeout limits how long a client may take to send a body.
	bodyTimeout = 30 * time.Second
	// firstBuffer limits the memory that is allocated just because a client announced a length.
	firstBuffer = 1 << 20
)

// readBody reads the whole body. The bytes belong to the request: decoding may keep parts of them
// without a copy.
func readBody(ctx huma.Context, rule bodyRule) ([]byte, error) {
	if err := checkMediaType(ctx.Header("Content-Type")); err != nil {
		return nil, err
	}
	compressed, err := isCompressed(ctx)
	if err != nil {
		return nil, err
	}
	request := humagin.Unwrap(ctx).Request
	if request.ContentLength > rule.limit {
		return nil, tooLarge(rule)
	}
	_ = ctx.SetReadDeadline(time.Now().Add(bodyTimeout)) // not every writer can, as in tests
	body := bytes.NewBuffer(make([]byte, 0, min(max(request.ContentLength, 0), firstBuffer)+bytes.MinRead))
	source := io.Reader(request.Body)
	if compressed {
		source = newGunzip(request.Body, rule.limit)
	}
	_, err = body.ReadFrom(io.LimitReader(source, rule.limit+1))
	if err == nil {
		// Otherwise the deadline would also end the wait for the store.
		_ = ctx.SetReadDeadline(time.Time{})
	}
	timeout, _ := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, errNotGzip):
		return nil, malformed("the body is not the gzip that its Content-Encoding says, or not all of it")
	case err == nil && int64(body.Len()) > rule.limit, errors.Is(err, errLongGzip):
		return nil, tooLarge(rule)
	case err == nil:
		return bytes.Trim(body.Bytes(), " \t\r\n"), nil // the white space of JSON
	case timeout != nil && timeout.Timeout():
		return nil, &statusError{http.StatusRequestTimeout, switchboard.Errorf(switchboard.CodeInvalid, "the body did not arrive within %s", bodyTimeout)}
	}
	return nil, malformed("the body broke off or is badly framed")
}

// checkMediaType refuses bodies whose media type is not JSON.
func checkMediaType(contentType string) error {
	if contentType == "" {
		return nil
	}
	name, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || name != "application/json" && !strings.HasSuffix(name, "+json") {
		return &statusError{http.StatusUnsupportedMediaType, switchboard.Errorf(switchboard.CodeInvalid, "the Content-Type must be application/json")}
	}
	if !switchboard.IsUTF8(parameters["charset"]) {
		return &statusError{http.StatusUnsupportedMediaType, switchboard.Errorf(switchboard.CodeInvalid, "the charset of the Content-Type must be utf-8, in which JSON is written (RFC 8259 8.1)")}
	}
	return nil
}

func tooLarge(rule bodyRule) error {
	return &switchboard.Error{Code: switchboard.CodeTooLarge, Field: rule.field, Message: fmt.Sprintf("makes the body longer than %d bytes", rule.limit)}
}

func malformed(format string, args ...any) error {
	return &statusError{http.StatusBadRequest, switchboard.Errorf(switchboard.CodeInvalid, format, args...)}
}
