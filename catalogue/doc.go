// Package catalogue knows the platforms: their event types with schemas and
// samples, the profile that a subscription starts from, and the use cases that
// decide what a template may read.
//
// A platform is a file in data/ and nothing else: no code asks for its name. What
// admins add or change at run time is laid over the files by [Catalogue.With], and
// [Live] keeps every process at what the database holds.
//
// Schemas come from strangers, so they are bounded before they are compiled, and
// can read neither files nor URLs: see bounds.go.
package catalogue
