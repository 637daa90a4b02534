// Package catalogue knows the platforms: their event types with schemas and samples, the
// profile that a subscription starts from, and the use cases, which decide what a template
// may read.
//
// A platform is a file in data/ and nothing else: no code mentions its name. Event types
// that admins add or change at run time replace those of the files, see [Catalogue.With].
// [Live] follows the database in every process.
//
// Schemas come from strangers. They are limited before they are compiled, see bounds.go,
// and can read neither files nor URLs.
package catalogue
