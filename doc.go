// Package switchboard holds the words of the product: event, subscription,
// delivery, attempt, outcome, action, and the rules that follow from them alone.
//
// A platform posts an [Event]. Each matching [Subscription] of the same tenant
// owes it one [Delivery]. A delivery makes numbered [Attempt]s, one HTTP request
// each; what an attempt saw is its [Outcome]. The pure function [Next] decides
// from policy, number and outcome what becomes of the delivery. What an operator
// did is an [Action].
//
// The package needs the standard library only, and everything else may import
// it: it knows neither Postgres nor Temporal nor HTTP servers.
package switchboard
