// Package temporalserver runs a Temporal server and its web UI inside this
// process, for the development stack and for end-to-end tests. It is imported by
// cmd/switchboard-dev and by tests only: the binary that runs in production
// reaches a Temporal that somebody else runs.
//
// The server keeps everything in two databases of a given Postgres, temporal and
// temporal_visibility, which [Start] creates and upgrades. What makes it quick on
// two cores was measured and is written down beside each setting in settings.go;
// one setting is not ours to make: GOGC=400 for the whole process saves a sixth of
// the CPU for about twice the memory, which the main package decides.
//
// Several servers may run side by side, or one after the other on the same
// databases and ports: nothing global is kept but the SDK's cache of workflows,
// which all workers of a process share anyhow.
package temporalserver
