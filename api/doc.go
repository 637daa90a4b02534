// Package api is Switchboard's HTTP API: the operations, what they show, and who may
// call them. Package rest below it turns them into HTTP. What is stored and what is
// started is the business of the store and the engine that its [Config] names.
//
// All operations stand in one table, routes.go, and their prose is in prose.md. A file
// per resource has the handlers.
//
// Times are RFC 3339 in UTC, and null where there is none. Durations are Go style, as
// "5s". docs/api.md says this and the conventions of package rest to callers, with the
// reasons.
package api
