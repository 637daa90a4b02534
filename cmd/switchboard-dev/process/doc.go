// Package process runs the subjects of the benchmark and the fault suite as separate processes: the
// Temporal server, which is this program started again with a hidden command, and Switchboard,
// which is the production binary.
package process
