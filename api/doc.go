// Package api is Switchboard's HTTP API: the operations, what they show, and who may
// call them. Package rest below it turns them into HTTP. The store and the engine in its
// [Config] do the storing and starting.
//
// All operations are rows of one table, routes.go, and their prose is in prose.md. The
// handlers of each resource have their own file.
//
// Times are RFC 3339 in UTC, and null if there is none. Durations are in Go style, such as
// "5s". docs/api.md explains these conventions and those of package rest to callers, with
// the reasons.
package api
