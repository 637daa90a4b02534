// Package webhook sends the request of an attempt: package render makes it, package signing
// signs it, a [Sender] authenticates and sends it, and a [Guard] keeps it away from
// addresses that are not a receiver's.
//
// It knows neither Postgres nor Temporal. What a receiver does is never an error here: it
// is a [switchboard.Outcome], a value. An error means that the attempt itself was cut short
// by our side, see [Interrupted].
package webhook
