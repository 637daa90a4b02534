//go:build !linux

package pgtest

// parent is the system's folder for temporary files.
func parent() string { return "" }
