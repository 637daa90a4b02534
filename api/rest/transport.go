package rest

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"

	"github.com/seed-49a43567/switchboard"
)

// inProcessKey is the key of the caller in the context of a request that this process makes to
// itself. Nothing from the network can set it.
type inProcessKey struct{}

// Transport makes requests to the API without the network, as that caller. The console uses it for
// people who are signed in there. The requests use the same handlers, with the same roles and
// limits. The caller's address and request id are those of the request for which they are made.
func (s *Server) Transport(caller switchboard.Caller) http.RoundTripper {
	caller.Origin = switchboard.OriginConsole
	return &transport{s, caller}
}

type transport struct {
	server *Server
	caller switchboard.Caller
}

// RoundTrip serves the request, and returns the answer when it is complete.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	served := r.Clone(context.WithValue(r.Context(), inProcessKey{}, t.caller))
	if served.Header.Get(requestIDHeader) == "" && t.caller.RequestID != "" {
		served.Header.Set(requestIDHeader, t.caller.RequestID)
	}
	if served.Body == nil {
		served.Body = http.NoBody // a handler may expect one
	}
	defer served.Body.Close()
	served.RemoteAddr = t.caller.Address
	answer := &bufferedAnswer{header: http.Header{}}
	t.server.engine.ServeHTTP(answer, served)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	status := cmp.Or(answer.status, http.StatusOK)
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: answer.header, Body: io.NopCloser(&answer.body), ContentLength: int64(answer.body.Len()),
	}, nil
}

// bufferedAnswer buffers what a handler writes.
type bufferedAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *bufferedAnswer) Header() http.Header { return a.header }

func (a *bufferedAnswer) WriteHeader(status int) { a.status = cmp.Or(a.status, status) }

func (a *bufferedAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }
