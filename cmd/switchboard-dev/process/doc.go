// Package process runs what is measured, and what faults are inflicted on, as processes of
// their own: the Temporal server, which is this program started again with a hidden command,
// and Switchboard, which is the production binary. The benchmark and the fault suite share it.
package process
