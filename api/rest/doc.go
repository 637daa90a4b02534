// Package rest turns typed operations into an HTTP API. It knows no resource: package api
// gives it routes, prose and stores.
//
// A request first passes Gin's middlewares, which give it an id, a log line and a metric
// and catch panics (request_log.go). The operation's own middleware then finds the caller,
// checks the role and the limits, and reads the body (admit.go). At this point the store
// may answer a POST with an Idempotency-Key (idempotency.go). Then huma reads the
// parameters, the body is decoded (decode.go), and the handler is called. Handlers never
// choose an error status: they return an error, and problem.go maps its code.
//
// # Conventions
//
// Bodies are JSON in UTF-8 with snake_case names, and are decoded strictly. A field that
// is unknown, differs in case, or is given twice is refused, and so is anything after
// the value. Query parameters that are unknown, empty or given twice are also refused,
// because a misspelt filter would otherwise return everything.
//
// huma decodes a body twice (once to validate it, once into its type), matches names
// in any case, and answers 500 if a client disconnects. Therefore this package reads bodies
// itself, and leaves the parameters, the answers and the OpenAPI document to huma.
//
// The decoder is our own, and small. We tried github.com/go-json-experiment/json instead.
// Its strictness applies to a whole document, but an event's data may repeat names and cut
// surrogate pairs; its nesting limit is fixed at 10,000 levels; its errors name Go types.
//
// Errors are application/problem+json (RFC 9457) with a code from the list of
// [switchboard.Code], and the field at fault. Lists are newest first, in pages.
package rest
