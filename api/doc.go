// Package api is Switchboard's HTTP API: it reads requests, decides who may do
// what, and writes answers. What is stored and what is started is the business of
// the stores and the engine that its [Config] names.
//
// The way of a request: Gin's middlewares give it an id, a log line, a metric and
// a net for panics (exchange.go); [handle] in register.go finds the caller, checks
// the role of the route and its limits (limits.go), and reads the body; with an
// Idempotency-Key it may know the answer by then (idempotency.go); a handler of a few
// lines does the rest. Every route stands in one table, routes.go. A handler never picks an error
// status: it returns an error, and problem.go maps its code.
//
// # Conventions
//
// Bodies are JSON in UTF-8 with snake_case names. They are read strictly: a field
// that is unknown, differs in case, or comes twice is refused, and so is anything
// behind the value. Only an event's data is not looked into: it is kept byte by
// byte as it came, save that it must be valid JSON, valid UTF-8 and nested at most
// [maxNesting] deep. Query parameters that are unknown, empty or given twice are
// refused too, since a misspelt filter would otherwise answer with everything.
//
// huma decodes a body twice (once to validate it, once into its type), matches
// names in any case, and answers 500 where a client breaks off. The package
// therefore reads bodies itself (decode.go) and leaves to huma what it does well:
// parameters, answers, and the OpenAPI document.
//
// Errors are application/problem+json (RFC 9457) with a code out of
// [switchboard.Code]'s list, and the field at fault. Lists are newest first, in
// pages. Times are RFC 3339 in UTC, and null where there is none. Durations are Go
// style, as "5s". docs/api.md says all of this to callers, with the reasons.
package api
