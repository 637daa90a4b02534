package rest

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/seed-49a43567/switchboard"
)

// isCompressed reports whether the body is in gzip, the only accepted coding. Other codings, and
// several codings, are refused with the header that names gzip (RFC 9110, 15.5.16).
func isCompressed(ctx huma.Context) (bool, error) {
	var codings []string
	for _, line := range humagin.Unwrap(ctx).Request.Header.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(line, ",") {
			if coding = strings.ToLower(strings.TrimSpace(coding)); coding != "" && coding != "identity" {
				codings = append(codings, coding)
			}
		}
	}
	switch {
	case len(codings) == 0:
		return false, nil
	case len(codings) == 1 && (codings[0] == "gzip" || codings[0] == "x-gzip"): // gzip and x-gzip are the same: RFC 9110, 8.4.1.3
		return true, nil
	}
	ctx.SetHeader("Accept-Encoding", "gzip")
	return false, &statusError{http.StatusUnsupportedMediaType, switchboard.Errorf(switchboard.CodeInvalid, "the Content-Encoding must be gzip, once, or left out")}
}

// gunzip reads a compressed body. It reads no more than limit bytes of the compressed form, so that
// a large body that decompresses to nothing costs little. Its caller limits the decompressed size.
type gunzip struct {
	body  io.LimitedReader // of limit+1 bytes
	unzip *gzip.Reader
	err   error // of the connection, not of the format
}

var (
	errNotGzip  = errors.New("not gzip")
	errLongGzip = errors.New("longer than the limit before it is decompressed")
)

func newGunzip(body io.Reader, limit int64) *gunzip {
	return &gunzip{body: io.LimitedReader{R: body, N: limit + 1}}
}

// Read returns errNotGzip for a body that is not in gzip.
func (g *gunzip) Read(p []byte) (int, error) {
	var err error
	if g.unzip == nil {
		if g.unzip, err = gzip.NewReader(readerFunc(g.readBody)); err != nil {
			g.unzip = nil
			return 0, g.cause(err)
		}
	}
	n, err := g.unzip.Read(p)
	return n, g.cause(err)
}

func (g *gunzip) readBody(p []byte) (int, error) {
	n, err := g.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		g.err = err
	}
	return n, err
}

// cause distinguishes an error of the connection from one of the format.
func (g *gunzip) cause(err error) error {
	switch {
	case err == nil || errors.Is(err, io.EOF): // also of a body without a byte
		return err
	case g.err != nil:
		return g.err
	case g.body.N <= 0:
		return errLongGzip
	}
	return errNotGzip
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// lengthOf returns the announced length of the decompressed body, or -1 if it is unknown.
func lengthOf(r *http.Request) int64 {
	if strings.Join(r.Header.Values("Content-Encoding"), "") != "" { // the first of several lines may be empty
		return -1
	}
	return r.ContentLength
}
