// Package switchboard has the domain types (event, subscription, delivery, attempt, outcome,
// action) and the pure rules about them. docs/glossary.md explains the terms.
//
// A platform posts an [Event], which gets one [Delivery] for each matching [Subscription] of the
// same tenant. A delivery makes numbered [Attempt]s, one HTTP request each, and each has an
// [Outcome]. [Admit] decides before an attempt whether it may be made, and [Next] decides after it
// what follows. Both are pure functions. The methods of [Delivery] in lifecycle.go are its only
// state transitions. An [Action] is something that an operator did.
//
// The package imports only the standard library, and every other package may import it. It knows
// neither Postgres nor Temporal nor HTTP servers.
package switchboard
