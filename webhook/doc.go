// Package webhook makes the HTTP request of an attempt and sends it: a [Renderer]
// builds the request that a subscription asks for, out of templates in the language
// of package liquid, [Sign] signs it, a [Sender] sends it, and a [Guard] keeps it away
// from addresses that are not a receiver's.
//
// It knows neither Postgres nor Temporal. What a receiver does is never an error
// here, however odd: it is a [switchboard.Outcome], a value. An error means that the
// attempt itself was cut short by our side, see [Interrupted].
package webhook
