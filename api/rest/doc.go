// Package rest turns typed operations into an HTTP API. It knows no resource: the
// package api gives it routes, prose and stores.
//
// The way of a request: Gin's middlewares give it an id, a log line, a metric and a
// net for panics (request_log.go). The operation's own middleware finds the caller,
// checks the role and the limits, and reads the body (admit.go); a POST with an
// Idempotency-Key may be answered from the store at this point (idempotency.go). huma
// then reads the parameters, the body is decoded (decode.go), and the handler is
// called. A handler never picks an error status: it returns an error, and problem.go
// maps its code.
//
// # Conventions
//
// Bodies are JSON in UTF-8 with snake_case names, and are read strictly: a field that
// is unknown, differs in case, or is given twice is refused, and so is anything after
// the value. Query parameters that are unknown, empty or given twice are refused too,
// since a misspelt filter would otherwise answer with everything.
//
// huma decodes a body twice (once to validate it, once into its type), matches names
// in any case, and answers 500 where a client breaks off. The package therefore reads
// bodies itself and leaves to huma the parameters, the answers and the OpenAPI document.
//
// The decoder is our own, and small. github.com/go-json-experiment/json was tried in its
// place: its strictness holds for a whole document, while an event's data may repeat
// names and cut surrogate pairs; its nesting limit is fixed at 10,000 levels; its errors
// name Go types.
//
// Errors are application/problem+json (RFC 9457) with a code out of
// [switchboard.Code]'s list, and the field at fault. Lists are newest first, in pages.
package rest
