// Package webhook sends the request of an attempt: package render makes it, package signing
// signs it, a [Sender] authenticates and sends it, and a [Guard] keeps it away from
// addresses that do not belong to receivers.
//
// The package knows neither Postgres nor Temporal. Whatever a receiver does is a
// [switchboard.Outcome], a value, and never an error here. An error means that our side
// interrupted the attempt, see [Interrupted].
package webhook
