// Package switchboard has the words of the product (event, subscription, delivery, attempt,
// outcome, action) and the pure rules about them. docs/glossary.md explains the words.
//
// A platform posts an [Event]. It gets one [Delivery] for each matching [Subscription] of the
// same tenant. A delivery makes numbered [Attempt]s, one HTTP request each; the result of an
// attempt is its [Outcome]. The pure function [Next] decides from policy, number and outcome
// what follows. What an operator did is an [Action].
//
// The package imports the standard library only, and every other package may import it. It
// knows neither Postgres nor Temporal nor HTTP servers.
package switchboard
