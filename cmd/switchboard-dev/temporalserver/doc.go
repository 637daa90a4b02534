// Package temporalserver runs a Temporal server and its web UI inside this process, for the
// development stack and for end-to-end tests. Only cmd/switchboard-dev and tests import it:
// the production binary connects to a Temporal server that somebody else runs.
//
// The server stores everything in two databases of a given Postgres, temporal and
// temporal_visibility, which [Start] creates and upgrades. The settings that make it fast on
// two cores were measured; settings.go has the results beside each setting. One setting
// belongs to the main package: GOGC=400 for the whole process saves a sixth of the CPU for
// about twice the memory.
//
// Several servers may run at the same time, or one after the other on the same databases and
// ports. Nothing is global except the SDK's cache of workflows, which all workers of a process
// share anyway.
package temporalserver
